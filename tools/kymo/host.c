/*
 * host.c - this machine's counters, from /proc, as records.
 */
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Processors above this number have no element in host.cpu/busy. */
#define CPU_LIMIT 4096u

static FILE *file_open(const char *folder, const char *path)
{
    char full[4096];

    snprintf(full, sizeof(full), "%s/%s", folder, path);
    return fopen(full, "re");
}

/* The growth of a counter; 0 if it went back, as iowait may. */
static uint64_t increase(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

/* Per second. NaN without an earlier sample, or if the counter was reset. */
static double rate(uint64_t before, uint64_t after, uint64_t ns)
{
    if (ns == 0 || after < before)
        return (double)NAN;
    return (double)(after - before) * 1e9 / (double)ns;
}

int host_begin(struct host *host, const char *proc, const char *sys)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    *host = (struct host){.proc = proc, .sys = sys, .cpus = 1};
    if (cpus > 1)
        host->cpus = cpus < (long)CPU_LIMIT ? (uint32_t)cpus : CPU_LIMIT;
    host->processors = calloc(host->cpus, sizeof(*host->processors));
    return host->processors ? 0 : -ENOMEM;
}

void host_end(struct host *host)
{
    free(host->processors);
}

struct kymo_schema host_schema(const struct host *host, const struct host_source *source,
                               struct kymo_field *fields)
{
    struct kymo_schema schema = *source->schema;

    memcpy(fields, schema.fields, schema.count * sizeof(*fields));
    schema.fields = fields;
    if (!source->per_cpu)
        return schema;
    fields[schema.count++] = (struct kymo_field){
        .name = "busy",
        .unit = "share",
        .help = "busy time of each processor; null if it is offline",
        .type = KYMO_F32,
        .offset = schema.size,
        .count = host->cpus,
        .dimensions = 1,
        .shape = {host->cpus},
    };
    schema.size += host->cpus * (uint32_t)sizeof(float);
    return schema;
}

/* ---- host.cpu ---- */

struct host_cpu {
    double user;
    double system;
    double idle;
    double iowait;
    double irq;
    double steal;
};

static const struct kymo_field cpu_fields[] = {
    KYMO_FIELD(struct host_cpu, user, "share", "time of all processors in user mode"),
    KYMO_FIELD(struct host_cpu, system, "share", "time in the kernel"),
    KYMO_FIELD(struct host_cpu, idle, "share", "idle time"),
    KYMO_FIELD(struct host_cpu, iowait, "share", "idle time with a pending disk request"),
    KYMO_FIELD(struct host_cpu, irq, "share", "time in hard and soft interrupts"),
    KYMO_FIELD(struct host_cpu, steal, "share",
               "time that the hypervisor gave to other virtual machines"),
};

static const struct kymo_schema cpu_schema = KYMO_SCHEMA(struct host_cpu, cpu_fields);

static uint64_t ticks_total(const struct ticks *ticks)
{
    return ticks->user + ticks->system + ticks->idle + ticks->iowait + ticks->irq + ticks->steal;
}

/* Reads "cpu 1 2 3..." or "cpu7 1 2 3...": *cpu gets the number, or -1 for all. Guest time is
 * already part of user time. */
static int ticks_parse(const char *line, long *cpu, struct ticks *ticks)
{
    uint64_t numbers[8] = {0};
    char *end = NULL;
    int count = 0;

    if (strncmp(line, "cpu", 3))
        return -ENOENT;
    *cpu = line[3] == ' ' ? -1 : strtol(line + 3, &end, 10);
    line = end ? end : line + 3;
    while (count < 8 && *line == ' ') {
        line += strspn(line, " ");
        if (*line < '0' || *line > '9')
            break;
        numbers[count++] = strtoull(line, &end, 10);
        line = end;
    }
    /* All kernels have the first four; old kernels lack the others. */
    if (count < 4)
        return -EBADMSG;
    *ticks = (struct ticks){
        .user = numbers[0] + numbers[1],
        .system = numbers[2],
        .idle = numbers[3],
        .iowait = numbers[4],
        .irq = numbers[5] + numbers[6],
        .steal = numbers[7],
    };
    return 0;
}

/* Computes the ticks since *before and updates it; false if no tick has passed. */
static bool ticks_spend(struct ticks *before, const struct ticks *after, struct ticks *spent)
{
    *spent = (struct ticks){
        .user = increase(before->user, after->user),
        .system = increase(before->system, after->system),
        .idle = increase(before->idle, after->idle),
        .iowait = increase(before->iowait, after->iowait),
        .irq = increase(before->irq, after->irq),
        .steal = increase(before->steal, after->steal),
    };
    if (ticks_total(spent) == 0)
        return false;
    *before = *after;
    return true;
}

/* If no tick has passed, the previous shares remain. */
static void cpu_share(struct ticks *before, const struct ticks *after, struct host_cpu *cpu)
{
    struct ticks spent;
    double total;

    if (!ticks_spend(before, after, &spent))
        return;
    total = (double)ticks_total(&spent);
    cpu->user = (double)spent.user / total;
    cpu->system = (double)spent.system / total;
    cpu->idle = (double)spent.idle / total;
    cpu->iowait = (double)spent.iowait / total;
    cpu->irq = (double)spent.irq / total;
    cpu->steal = (double)spent.steal / total;
}

static void cpu_busy(struct processor *processor, const struct ticks *after, float *busy)
{
    struct ticks spent;

    processor->online = true;
    if (ticks_spend(&processor->ticks, after, &spent))
        *busy = 1 - (float)(spent.idle + spent.iowait) / (float)ticks_total(&spent);
}

/* Reads the lines "cpu", which come first in the file. */
static int cpu_read(struct host *host, FILE *file, struct host_cpu *all, float *busy)
{
    struct ticks ticks;
    char line[512];
    int error = 0, lines = 0;
    long cpu;

    while (error == 0 && fgets(line, sizeof(line), file)) {
        error = ticks_parse(line, &cpu, &ticks);
        lines += error == 0;
        if (error == 0 && cpu == -1)
            cpu_share(&host->ticks, &ticks, all);
        else if (error == 0 && cpu >= 0 && cpu < (long)host->cpus)
            cpu_busy(&host->processors[cpu], &ticks, &busy[cpu]);
    }
    if (lines == 0)
        return -EBADMSG;
    return error == -ENOENT ? 0 : error;
}

static int cpu_sample(struct host *host, uint64_t now, void *payload)
{
    struct host_cpu *all = payload;
    float *busy = (float *)(all + 1); /* offset set in host_schema */
    FILE *file = file_open(host->proc, "stat");
    int error;

    (void)now;
    if (!file)
        return -errno;
    for (uint32_t i = 0; i < host->cpus; i++)
        host->processors[i].online = false;
    error = cpu_read(host, file, all, busy);
    for (uint32_t i = 0; i < host->cpus; i++)
        if (!host->processors[i].online)
            busy[i] = NAN;
    fclose(file);
    return error;
}

/* ---- host.mem ---- */

struct host_mem {
    uint64_t total;
    uint64_t available;
    uint64_t free;
    uint64_t cached;
    uint64_t buffers;
    uint64_t swap_total;
    uint64_t swap_free;
};

static const struct kymo_field mem_fields[] = {
    KYMO_FIELD(struct host_mem, total, "B", "usable memory"),
    KYMO_FIELD(struct host_mem, available, "B", "memory available without swapping"),
    KYMO_FIELD(struct host_mem, free, "B", "unused memory"),
    KYMO_FIELD(struct host_mem, cached, "B", "page cache"),
    KYMO_FIELD(struct host_mem, buffers, "B", "buffers of block devices"),
    KYMO_FIELD(struct host_mem, swap_total, "B", "swap space"),
    KYMO_FIELD(struct host_mem, swap_free, "B", "unused swap space"),
};

static const struct kymo_schema mem_schema = KYMO_SCHEMA(struct host_mem, mem_fields);

static int mem_sample(struct host *host, uint64_t now, void *payload)
{
    static const struct {
        const char *key;
        size_t offset;
    } keys[] = {
        {"MemTotal:", offsetof(struct host_mem, total)},
        {"MemAvailable:", offsetof(struct host_mem, available)},
        {"MemFree:", offsetof(struct host_mem, free)},
        {"Cached:", offsetof(struct host_mem, cached)},
        {"Buffers:", offsetof(struct host_mem, buffers)},
        {"SwapTotal:", offsetof(struct host_mem, swap_total)},
        {"SwapFree:", offsetof(struct host_mem, swap_free)},
    };
    struct host_mem *mem = payload;
    FILE *file = file_open(host->proc, "meminfo");
    char line[512], key[64];
    uint64_t kib;

    (void)now;
    if (!file)
        return -errno;
    *mem = (struct host_mem){0};
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%63s %" SCNu64, key, &kib) != 2)
            continue;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            if (strcmp(key, keys[i].key) == 0)
                *(uint64_t *)(void *)((char *)payload + keys[i].offset) = kib * 1024;
    }
    fclose(file);
    return mem->total ? 0 : -EBADMSG;
}

/* ---- host.load ---- */

struct host_load {
    double load1;
    double load5;
    double load15;
    uint32_t running;
    uint32_t total;
};

static const struct kymo_field load_fields[] = {
    KYMO_FIELD(struct host_load, load1, "", "running or blocked threads, mean of 1 minute"),
    KYMO_FIELD(struct host_load, load5, "", "mean of 5 minutes"),
    KYMO_FIELD(struct host_load, load15, "", "mean of 15 minutes"),
    KYMO_FIELD(struct host_load, running, "threads", "runnable threads"),
    KYMO_FIELD(struct host_load, total, "threads", "existing threads"),
};

static const struct kymo_schema load_schema = KYMO_SCHEMA(struct host_load, load_fields);

static int load_sample(struct host *host, uint64_t now, void *payload)
{
    struct host_load *load = payload;
    FILE *file = file_open(host->proc, "loadavg");
    int found;

    (void)now;
    if (!file)
        return -errno;
    found = fscanf(file, "%lf %lf %lf %" SCNu32 "/%" SCNu32, &load->load1, &load->load5,
                   &load->load15, &load->running, &load->total);
    fclose(file);
    return found == 5 ? 0 : -EBADMSG;
}

/* ---- host.net ---- */

struct host_net {
    double rx_rate;
    double tx_rate;
    double rx_packet_rate;
    double tx_packet_rate;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    uint64_t rx_packets;
    uint64_t tx_packets;
};

static const struct kymo_field net_fields[] = {
    KYMO_FIELD(struct host_net, rx_rate, "B/s", "received by all interfaces except lo"),
    KYMO_FIELD(struct host_net, tx_rate, "B/s", "sent by all interfaces except lo"),
    KYMO_FIELD(struct host_net, rx_packet_rate, "packets/s", "received"),
    KYMO_FIELD(struct host_net, tx_packet_rate, "packets/s", "sent"),
    KYMO_FIELD_COUNTER(struct host_net, rx_bytes, "B", "received so far"),
    KYMO_FIELD_COUNTER(struct host_net, tx_bytes, "B", "sent so far"),
    KYMO_FIELD_COUNTER(struct host_net, rx_packets, "packets", "received so far"),
    KYMO_FIELD_COUNTER(struct host_net, tx_packets, "packets", "sent so far"),
};

static const struct kymo_schema net_schema = KYMO_SCHEMA(struct host_net, net_fields);

static void traffic_add(struct traffic *sum, const struct traffic *more)
{
    sum->in_bytes += more->in_bytes;
    sum->out_bytes += more->out_bytes;
    sum->in_count += more->in_count;
    sum->out_count += more->out_count;
}

static uint64_t traffic_elapsed(const struct traffic *before, const struct traffic *after)
{
    return before->time ? after->time - before->time : 0;
}

static int net_read(FILE *file, struct traffic *sum)
{
    struct traffic one;
    char line[512], name[64];
    int titles = 0;

    while (fgets(line, sizeof(line), file)) {
        if (strchr(line, '|')) {
            titles++;
            continue;
        }
        if (sscanf(line,
                   " %63[^:]: %" SCNu64 " %" SCNu64 " %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64,
                   name, &one.in_bytes, &one.in_count, &one.out_bytes, &one.out_count) != 5)
            return -EBADMSG;
        if (strcmp(name, "lo"))
            traffic_add(sum, &one);
    }
    return titles == 2 ? 0 : -EBADMSG;
}

static int net_sample(struct host *host, uint64_t now, void *payload)
{
    const struct traffic *before = &host->net;
    struct traffic sum = {.time = now};
    FILE *file = file_open(host->proc, "net/dev");
    uint64_t ns = traffic_elapsed(before, &sum);
    int error;

    if (!file)
        return -errno;
    error = net_read(file, &sum);
    fclose(file);
    if (error)
        return error;
    *(struct host_net *)payload = (struct host_net){
        .rx_rate = rate(before->in_bytes, sum.in_bytes, ns),
        .tx_rate = rate(before->out_bytes, sum.out_bytes, ns),
        .rx_packet_rate = rate(before->in_count, sum.in_count, ns),
        .tx_packet_rate = rate(before->out_count, sum.out_count, ns),
        .rx_bytes = sum.in_bytes,
        .tx_bytes = sum.out_bytes,
        .rx_packets = sum.in_count,
        .tx_packets = sum.out_count,
    };
    host->net = sum;
    return 0;
}

/* ---- host.disk ---- */

struct host_disk {
    double read_rate;
    double write_rate;
    double read_request_rate;
    double write_request_rate;
    uint64_t read_bytes;
    uint64_t write_bytes;
    uint64_t read_requests;
    uint64_t write_requests;
};

static const struct kymo_field disk_fields[] = {
    KYMO_FIELD(struct host_disk, read_rate, "B/s", "read from all disks"),
    KYMO_FIELD(struct host_disk, write_rate, "B/s", "written to all disks"),
    KYMO_FIELD(struct host_disk, read_request_rate, "requests/s", "reads completed"),
    KYMO_FIELD(struct host_disk, write_request_rate, "requests/s", "writes completed"),
    KYMO_FIELD_COUNTER(struct host_disk, read_bytes, "B", "read so far"),
    KYMO_FIELD_COUNTER(struct host_disk, write_bytes, "B", "written so far"),
    KYMO_FIELD_COUNTER(struct host_disk, read_requests, "requests", "reads completed so far"),
    KYMO_FIELD_COUNTER(struct host_disk, write_requests, "requests", "writes completed so far"),
};

static const struct kymo_schema disk_schema = KYMO_SCHEMA(struct host_disk, disk_fields);

/* The unit of /proc/diskstats, whatever the disk's sector size. */
#define SECTOR_SIZE 512

/* Whether this is a disk: partitions, loop devices and mappings would count its bytes twice. Only a
 * disk has a device. */
static bool is_whole_disk(const struct host *host, char *name)
{
    char path[4096];

    for (char *slash = name; (slash = strchr(slash, '/'));)
        *slash = '!';
    snprintf(path, sizeof(path), "%s/block/%s/device", host->sys, name);
    return access(path, F_OK) == 0;
}

static int disk_read(const struct host *host, FILE *file, struct traffic *sum)
{
    struct traffic one;
    char line[512], name[64];

    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, " %*s %*s %63s %" SCNu64 " %*s %" SCNu64 " %*s %" SCNu64 " %*s %" SCNu64,
                   name, &one.in_count, &one.in_bytes, &one.out_count, &one.out_bytes) != 5)
            return -EBADMSG;
        one.in_bytes *= SECTOR_SIZE;
        one.out_bytes *= SECTOR_SIZE;
        if (is_whole_disk(host, name))
            traffic_add(sum, &one);
    }
    return 0;
}

static int disk_sample(struct host *host, uint64_t now, void *payload)
{
    const struct traffic *before = &host->disk;
    struct traffic sum = {.time = now};
    FILE *file = file_open(host->proc, "diskstats");
    uint64_t ns = traffic_elapsed(before, &sum);
    int error;

    if (!file)
        return -errno;
    error = disk_read(host, file, &sum);
    fclose(file);
    if (error)
        return error;
    *(struct host_disk *)payload = (struct host_disk){
        .read_rate = rate(before->in_bytes, sum.in_bytes, ns),
        .write_rate = rate(before->out_bytes, sum.out_bytes, ns),
        .read_request_rate = rate(before->in_count, sum.in_count, ns),
        .write_request_rate = rate(before->out_count, sum.out_count, ns),
        .read_bytes = sum.in_bytes,
        .write_bytes = sum.out_bytes,
        .read_requests = sum.in_count,
        .write_requests = sum.out_count,
    };
    host->disk = sum;
    return 0;
}

const struct host_source host_sources[HOST_SOURCES] = {
    {"host.cpu", "stat", &cpu_schema, true, cpu_sample},
    {"host.mem", "meminfo", &mem_schema, false, mem_sample},
    {"host.load", "loadavg", &load_schema, false, load_sample},
    {"host.net", "net/dev", &net_schema, false, net_sample},
    {"host.disk", "diskstats", &disk_schema, false, disk_sample},
};
