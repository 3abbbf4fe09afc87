/*
 * argp.c - parses options with getopt_long, and prints the help of their table.
 */
#include <argp.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_LIMIT 64

/* Columns of the help. */
#define DOC_COLUMN 29
#define LINE_WIDTH 79

enum { KEY_HELP = 0x2000000, KEY_USAGE };

int argp_err_exit_status = 64;
void (*argp_program_version_hook)(FILE *stream, struct argp_state *state);

static int is_end(const struct argp_option *option)
{
    return !option->name && !option->doc;
}

static int is_short(int key)
{
    return key > ' ' && key < 0x7f;
}

/* ---- errors ---- */

static void hint(const struct argp_state *state)
{
    fprintf(stderr, "Try `%s --help' or `%s --usage' for more information.\n", state->name,
            state->name);
    exit(argp_err_exit_status);
}

void argp_error(const struct argp_state *state, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", state->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    hint(state);
}

void argp_failure(const struct argp_state *state, int status, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", state->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, ": %s\n", strerror(error));
    va_end(arguments);
    exit(status);
}

/* ---- help ---- */

/* Prints words up to the text's end, in lines from this column on; the cursor is at `column`. */
static void print_wrapped(const char *text, size_t len, int indent, int column)
{
    const char *end = text + len;

    while (text < end) {
        const int word = (int)strcspn(text, " \n\v");
        const char separator = text[word];

        if (column > indent && column + word > LINE_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%.*s", word, text);
        column += word;
        text += word;
        if (text < end && separator == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (text < end && column < LINE_WIDTH) {
            putchar(' ');
            column++;
        }
        text += text < end;
    }
    putchar('\n');
}

static void print_option(const struct argp_option *option)
{
    int column = is_short(option->key) ? printf("  -%c, --%s", option->key, option->name)
                                       : printf("      --%s", option->name);

    if (option->arg)
        column += printf("=%s", option->arg);
    printf("%*s", column < DOC_COLUMN - 1 ? DOC_COLUMN - column : 2, "");
    print_wrapped(option->doc, strlen(option->doc), DOC_COLUMN,
                  column < DOC_COLUMN - 1 ? DOC_COLUMN : column + 2);
}

static const struct argp_option common_options[] = {
    {"help", KEY_HELP, 0, 0, "Give this help list", 0},
    {"usage", KEY_USAGE, 0, 0, "Give a short usage message", 0},
    {"version", 'V', 0, 0, "Print program version", 0},
    {0},
};

static void print_help(const struct argp *argp, const char *name)
{
    const size_t before = strcspn(argp->doc, "\v");
    const char *after = argp->doc + before;

    printf("Usage: %s [OPTION...] %s\n", name, argp->args_doc ? argp->args_doc : "");
    print_wrapped(argp->doc, before, 0, 0);
    for (const struct argp_option *option = argp->options; option && !is_end(option); option++) {
        if (option->name)
            print_option(option);
        else
            printf("\n %s\n", option->doc);
    }
    putchar('\n');
    for (const struct argp_option *option = common_options; !is_end(option); option++)
        print_option(option);
    if (*after) {
        putchar('\n');
        print_wrapped(after + 1, strlen(after + 1), 0, 0);
    }
    exit(0);
}

static void print_usage(const struct argp *argp, const char *name)
{
    printf("Usage: %s [OPTION...] %s\n", name, argp->args_doc ? argp->args_doc : "");
    exit(0);
}

/* ---- parsing ---- */

/* The tables of getopt_long. */
struct tables {
    struct option longs[OPTIONS_LIMIT];
    char shorts[2 * OPTIONS_LIMIT];
};

static void add_options(struct tables *tables, const struct argp_option *option)
{
    size_t count = 0;

    while (tables->longs[count].name)
        count++;
    for (; option && !is_end(option) && count + 1 < OPTIONS_LIMIT; option++) {
        if (!option->name)
            continue;
        tables->longs[count++] =
            (struct option){option->name, option->arg ? required_argument : no_argument, NULL,
                            option->key};
        if (is_short(option->key))
            sprintf(tables->shorts + strlen(tables->shorts), "%c%s", option->key,
                    option->arg ? ":" : "");
    }
}

/* `argument`: the one that was parsed. */
static void parse_option(struct argp_state *state, int key, const char *argument)
{
    switch (key) {
    case KEY_HELP:
        print_help(state->argp, state->name);
        break;
    case KEY_USAGE:
        print_usage(state->argp, state->name);
        break;
    case 'V':
        argp_program_version_hook(stdout, state);
        exit(0);
    case '?':
        argp_error(state, "unrecognized option '%s'", argument);
        break;
    case ':':
        argp_error(state, "option '%s' requires an argument", argument);
        break;
    default:
        state->argp->parser(key, optarg, state);
    }
}

error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input)
{
    struct argp_state state = {argp, argv[0], input};
    struct tables tables = {.shorts = ":"};
    int key;

    (void)flags, (void)index;
    opterr = 0;
    add_options(&tables, argp->options);
    add_options(&tables, common_options);
    while ((key = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1)
        parse_option(&state, key, argv[optind - 1]);
    if (optind == argc && argp->parser)
        argp->parser(ARGP_KEY_NO_ARGS, NULL, &state);
    for (int i = optind; i < argc; i++) {
        if (!argp->parser || argp->parser(ARGP_KEY_ARG, argv[i], &state) == ARGP_ERR_UNKNOWN)
            argp_error(&state, "Too many arguments");
    }
    if (argp->parser)
        argp->parser(ARGP_KEY_END, NULL, &state);
    return 0;
}
