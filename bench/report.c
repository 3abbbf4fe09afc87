/*
 * report.c - prints results as a table, JSON and CSV.
 */
#include "report.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Zero wrong results is a target of every row that checks results. */
static int has_target(const struct bench_row *row, const struct bench_result *result)
{
    return row->most_ratio != 0 || row->most_ns != 0 || row->least != 0 || result->checked != 0;
}

enum bench_verdict bench_judge(const struct bench_row *row, const struct bench_result *result)
{
    if (result->reason[0])
        return BENCH_NO_FIGURE;
    if (!has_target(row, result))
        return BENCH_NO_TARGET;
    if (row->most_ratio != 0 && result->ratio > row->most_ratio)
        return BENCH_MISSED;
    if (row->most_ns != 0 && result->ns > row->most_ns)
        return BENCH_MISSED;
    if (row->least != 0 && result->ns < row->least)
        return BENCH_MISSED;
    if (result->wrong != 0)
        return BENCH_MISSED;
    return BENCH_OK;
}

char *bench_row_text(const struct bench_row *row, char text[128])
{
    int len = snprintf(text, 128, "%s", row->name);

    if (row->size)
        len += snprintf(text + len, 128 - (size_t)len, "/%" PRIu64, row->size);
    if (row->depth)
        snprintf(text + len, 128 - (size_t)len, "/%" PRIu64, row->depth);
    return text;
}

void bench_progress(unsigned int number, unsigned int count, const struct bench_row *row)
{
    char text[128];

    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K[%u/%u] %s", number, count, bench_row_text(row, text));
}

void bench_progress_end(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* Formats powers of two: 64, 4K, 6M. */
static const char *count_text(uint64_t count, char text[24])
{
    if (count == 0)
        return "-";
    if (count >= 1 << 20 && count % (1 << 20) == 0)
        snprintf(text, 24, "%" PRIu64 "M", count >> 20);
    else if (count >= 1 << 10 && count % (1 << 10) == 0)
        snprintf(text, 24, "%" PRIu64 "K", count >> 10);
    else
        snprintf(text, 24, "%" PRIu64, count);
    return text;
}

static const char *time_text(double ns, char text[24])
{
    if (ns == 0)
        return "-";
    if (ns < 1e3)
        snprintf(text, 24, "%.1f ns", ns);
    else if (ns < 1e6)
        snprintf(text, 24, "%.2f us", ns / 1e3);
    else
        snprintf(text, 24, "%.2f ms", ns / 1e6);
    return text;
}

static const char *figure_text(const struct bench_row *row, double figure, char text[24])
{
    if (!row->unit)
        return time_text(figure, text);
    snprintf(text, 24, "%.4g %s", figure, row->unit);
    return text;
}

static const char *target_text(const struct bench_row *row, const struct bench_result *result,
                               char text[24])
{
    const char *unit = row->unit ? row->unit : "ns";

    if (row->most_ratio != 0)
        snprintf(text, 24, "<= %.2fx", row->most_ratio);
    else if (row->most_ns != 0)
        snprintf(text, 24, "<= %.4g %s", row->most_ns, unit);
    else if (row->least != 0)
        snprintf(text, 24, ">= %.4g %s", row->least, unit);
    else if (result->checked != 0)
        return "0 wrong";
    else
        return "";
    return text;
}

static FILE *table;

void bench_table_begin(FILE *file)
{
    table = file;
    fprintf(table, "%-34s %6s %6s %11s %11s %8s  %-14s %-6s %s\n", "row", "size", "depth", "figure",
            "baseline", "ratio", "target", "", "baseline is");
}

static void print_tail(const struct bench_result *result)
{
    char p99[24], p999[24], most[24];

    if (result->tail[2] != 0)
        fprintf(table, "%34s p99 %s, p99.9 %s, max %s\n", "", time_text(result->tail[0], p99),
                time_text(result->tail[1], p999), time_text(result->tail[2], most));
}

/* Summary of the rows with a target. */
static char targets[64][200];
static unsigned int target_count;

static void note_target(const struct bench_row *row, const struct bench_result *result)
{
    static const char *const verdicts[] = {"", "ok", "MISSED", "skipped"};
    char name[128], target[24], figure[24];

    if (!has_target(row, result) || target_count == sizeof(targets) / sizeof(targets[0]))
        return;
    if (row->most_ratio != 0)
        snprintf(figure, sizeof(figure), "%.3gx", result->ratio);
    else if (result->checked != 0)
        snprintf(figure, sizeof(figure), "%.0f of %.3g", result->wrong, result->checked);
    else
        figure_text(row, result->ns, figure);
    snprintf(targets[target_count++], sizeof(targets[0]), "%-42s %-16s %-16s %s",
             bench_row_text(row, name), target_text(row, result, target),
             result->reason[0] ? "-" : figure, verdicts[bench_judge(row, result)]);
}

void bench_table_end(void)
{
    if (target_count == 0)
        return;
    fprintf(table, "\n%-42s %-16s %s\n", "target", "", "figure");
    for (unsigned int i = 0; i < target_count; i++)
        fprintf(table, "%s\n", targets[i]);
    fputc('\n', table);
}

void bench_table_row(const struct bench_row *row, const struct bench_result *result)
{
    static const char *const verdicts[] = {"", "ok", "MISSED", ""};
    char size[24], depth[24], ns[24], baseline[24], ratio[24] = "-", target[24];

    note_target(row, result);
    if (result->reason[0]) {
        fprintf(table, "%-34s %6s %6s %s\n", row->name, count_text(row->size, size),
                count_text(row->depth, depth), result->reason);
        return;
    }
    if (result->ratio != 0)
        snprintf(ratio, sizeof(ratio), "%.3gx", result->ratio);
    fprintf(table, "%-34s %6s %6s %11s %11s %8s  %-14s %-6s %s\n", row->name,
            count_text(row->size, size), count_text(row->depth, depth),
            figure_text(row, result->ns, ns),
            result->baseline != 0 ? figure_text(row, result->baseline, baseline) : "-", ratio,
            target_text(row, result, target), verdicts[bench_judge(row, result)],
            row->against ? row->against : "");
    print_tail(result);
    if (result->checked != 0)
        fprintf(table, "%34s %.0f wrong of %.4g results\n", "", result->wrong, result->checked);
    fflush(table);
}

static const char *separator = "";

void bench_json_begin(FILE *file)
{
    fputs("[", file);
}

static void json_number(FILE *file, const char *key, double value)
{
    if (value != 0)
        fprintf(file, ",\"%s\":%.4g", key, value);
    else
        fprintf(file, ",\"%s\":null", key);
}

/* Names, baselines and reasons are constants without characters to escape. */
void bench_json_row(FILE *file, const struct bench_row *row, const struct bench_result *result)
{
    static const char *const verdicts[] = {"none", "ok", "missed", "skipped"};

    fprintf(file, "%s\n{\"name\":\"%s\",\"size\":%" PRIu64 ",\"depth\":%" PRIu64, separator,
            row->name, row->size, row->depth);
    if (row->unit && !result->reason[0])
        fprintf(file, ",\"ns\":%.4g", result->ns);
    else
        json_number(file, "ns", result->ns);
    json_number(file, "baseline", result->baseline);
    json_number(file, "ratio", result->ratio);
    if (row->against)
        fprintf(file, ",\"against\":\"%s\"", row->against);
    if (row->most_ratio != 0)
        json_number(file, "target_ratio", row->most_ratio);
    if (row->most_ns != 0)
        json_number(file, "target_ns", row->most_ns);
    if (row->least != 0)
        json_number(file, "target_least", row->least);
    if (row->unit)
        fprintf(file, ",\"unit\":\"%s\"", row->unit);
    if (result->checked != 0)
        fprintf(file, ",\"checked\":%.0f,\"wrong\":%.0f", result->checked, result->wrong);
    if (result->reason[0])
        fprintf(file, ",\"reason\":\"%s\"", result->reason);
    fprintf(file, ",\"verdict\":\"%s\"", verdicts[bench_judge(row, result)]);
    if (result->tail[2] != 0) {
        json_number(file, "p99", result->tail[0]);
        json_number(file, "p99.9", result->tail[1]);
        json_number(file, "max", result->tail[2]);
    }
    fputc('}', file);
    separator = ",";
}

void bench_json_end(FILE *file)
{
    fputs("\n]\n", file);
}

void bench_csv_begin(FILE *file)
{
    fputs("name,size,depth,ns,baseline,ratio,p99,p99.9,max\n", file);
}

void bench_csv_row(FILE *file, const struct bench_row *row, const struct bench_result *result)
{
    fprintf(file, "%s,%" PRIu64 ",%" PRIu64, row->name, row->size, row->depth);
    if (result->reason[0]) {
        fputs(",,,,,,\n", file);
        return;
    }
    fprintf(file, ",%.4g", result->ns);
    if (result->ratio != 0)
        fprintf(file, ",%.4g,%.4g", result->baseline, result->ratio);
    else
        fputs(",,", file);
    if (result->tail[2] != 0)
        fprintf(file, ",%.4g,%.4g,%.4g\n", result->tail[0], result->tail[1], result->tail[2]);
    else
        fputs(",,,\n", file);
}
