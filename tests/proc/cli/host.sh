# kymo host: the counters of the machine, compared with their sources in /proc and /sys.
. "$(dirname "$0")/cli.sh"

all='host.cpu host.disk host.load host.mem host.net'

run kymo host --once
ok "host --once succeeds"
is "host --once prints one line per segment" "$all" "$(jq -r .segment <<<"$out" | sort | xargs)"
is "host --once prints the second sample of each segment" '1 1 1 1 1' "$(jq .record.pos <<<"$out" | xargs)"
is "the samples of all segments have the same time" 1 "$(jq .record.time <<<"$out" | sort -u | wc -l)"
is "host --once removes its segments" '' "$(kymo ls)"
once=$out

# values SEGMENT FILTER: values of the record that host --once printed.
values()
{
    jq "select(.segment == \"$1\").record.data | $2" <<<"$once"
}

is "the shares of processor time sum to 1" true \
    "$(values host.cpu '(.user + .system + .idle + .iowait + .irq + .steal - 1) | fabs < 1e-9')"
is "each share of processor time is from 0 to 1" true \
    "$(values host.cpu '[.user, .system, .idle, .iowait, .irq, .steal, .busy[]] | all(. >= 0 and . <= 1)')"
is "busy has one share per processor" "$(getconf _NPROCESSORS_CONF)" "$(values host.cpu '.busy | length')"
is "mem.total equals MemTotal" "$(($(awk '/^MemTotal:/ { print $2 }' /proc/meminfo) * 1024))" "$(values host.mem .total)"
is "mem.swap_total equals SwapTotal" "$(($(awk '/^SwapTotal:/ { print $2 }' /proc/meminfo) * 1024))" "$(values host.mem .swap_total)"
is "free and available memory are at most the total" true "$(values host.mem '.free > 0 and .free <= .total and .available > 0 and .available <= .total')"
is "the load is not negative, and running tasks are at most all tasks" true "$(values host.load '.load1 >= 0 and .total > 0 and .running > 0 and .running <= .total')"
is "network rates are numbers" true \
    "$(values host.net '[.rx_rate, .tx_rate, .rx_packet_rate, .tx_packet_rate] | all(type == "number" and . >= 0)')"
is "disk rates are numbers" true \
    "$(values host.disk '[.read_rate, .write_rate, .read_request_rate, .write_request_rate] | all(type == "number" and . >= 0)')"
received=$(sed 's/:/ /' /proc/net/dev | awk 'NR > 2 && $1 != "lo" { sum += $2 } END { printf "%.0f", sum }')
is "received bytes are at most those of /proc/net/dev" true "$(values host.net ".rx_bytes <= $received")"

# As a long-running process: it is ALIVE, prevents a second instance, and removes its segments at exit.
start host kymo host --hz 50
host=$pid
eventually "host publishes records" bash -c '[ "$(kymo get host.cpu | jq .pos)" -ge 5 ]'
is "host creates its segments" "$all" "$(kymo ls | xargs)"
for segment in $all; do
    is "the writer of $segment is ALIVE" 'writer: ALIVE' "$(kymo info $segment | grep ^writer:)"
    is "the clock of $segment is monotonic" 'clock: monotonic' "$(kymo info $segment | grep ^clock:)"
done
is "the depth is 4096" 'depth: 4096' "$(kymo info host.cpu | grep ^depth:)"
at=$(kymo get host.mem --back 2 | jq .time)
is "records of two segments have equal times" "$(kymo get host.cpu --closest "$at" | jq .time)" "$at"
run kymo host --once
refused 1 "kymo: host.cpu: another writer is alive, process $host: *"
is "a second instance does not remove the segments of the first" "$all" "$(kymo ls | xargs)"
kill -TERM "$host"
wait "$host"
is "the exit status after SIGTERM is 0" 0 $?
is "host removes its segments after SIGTERM" '' "$(kymo ls)"
start host env --default-signal=INT kymo host
eventually "host publishes host.mem" kymo get host.mem
kill -INT "$pid"
wait "$pid"
is "after SIGINT the status is 0, and the segments are removed" '0 ' "$? $(kymo ls)"

# After SIGKILL its segments remain until the next instance.
start host kymo host --hz 50
eventually "host publishes host.disk" kymo get host.disk
kill -9 "$pid"
wait "$pid" 2>/dev/null
is "the writer is DEAD after SIGKILL" 'writer: DEAD' "$(kymo info host.cpu | grep ^writer:)"
run kymo host --once --hz 50
ok "host --once succeeds after SIGKILL of another instance"
is "the next instance removes the remaining segments" '' "$(kymo ls)"

# Synthetic /proc and /sys: exact values, missing files, invalid files.
proc=$scratch/proc sys=$scratch/sys
mkdir -p "$proc/net" "$sys/block/sda/device" "$sys/block/cciss!c0d0/device" "$sys/block/loop0"
# Replaces a file atomically.
put()
{
    cat >"$scratch/new" && mv "$scratch/new" "$proc/$1"
}
machine()
{
    put stat <<END
cpu  $((100 + $1)) $1 $((50 + 2 * $1)) $((1000 + 5 * $1)) $1 0 0 0 0 0
cpu0 $((100 + $1)) 0 50 1000 0 0 0 0 0 0
intr 12345 0 0
END
    put meminfo <<END
MemTotal:        1000 kB
MemFree:          300 kB
MemAvailable:     600 kB
HugePages_Total:       0
END
    put loadavg <<<"0.50 1.25 2.00 3/456 7890"
    put net/dev <<END
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999999     9    0    0    0     0          0         0 999999 9    0    0    0     0       0          0
  eth0:$((1000 + $1)) 10    0    0    0     0          0         0     2000 20    0    0    0     0       0          0
 wlan0: 500       5    0    0    0     0          0         0     700       7    0    0    0     0       0          0
END
    put diskstats <<END
   8       0 sda 10 0 100 0 20 0 200 0 0 0 0
   8       1 sda1 9 0 90 0 19 0 190 0 0 0 0
 104       0 cciss/c0d0 1 0 8 0 2 0 16 0 0 0 0
   7       0 loop0 5 0 500 0 0 0 0 0 0 0 0
END
}
host()
{
    run kymo host --once --proc "$proc" --sys "$sys"
    once=$out
}
machine 0
host
ok "host --once succeeds with a synthetic /proc"
is "values of meminfo" '[1024000,614400,307200,0,0,0,0]' "$(values host.mem '[.total,.available,.free,.cached,.buffers,.swap_total,.swap_free]' | jq -c)"
is "values of loadavg" '[0.5,1.25,2,3,456]' "$(values host.load '[.load1,.load5,.load15,.running,.total]' | jq -c)"
is "sums of net/dev, without lo" '[1500,2700,15,27,0]' "$(values host.net '[.rx_bytes,.tx_bytes,.rx_packets,.tx_packets,.rx_rate]' | jq -c)"
is "sums of diskstats, without partitions and loop devices" '[55296,110592,11,22,0]' "$(values host.disk '[.read_bytes,.write_bytes,.read_requests,.write_requests,.read_rate]' | jq -c)"
is "without a tick between the samples, shares are those since boot" true "$(values host.cpu '(.idle - 1000 / 1150) | fabs < 1e-9')"
is "without a tick, busy of the first processor is that since boot" true "$(values host.cpu '(.busy[0] - 150 / 1150) | fabs < 1e-6')"
is "busy of absent processors is null" true "$(values host.cpu '.busy[1:] | all(. == null)')"

# Counters that grow while it runs: 10 ticks, of which 2 in programs, 2 in the kernel, 5 idle.
start host kymo host --hz 20 --proc "$proc" --sys "$sys"
eventually "host publishes host.cpu" kymo get host.cpu
machine 1000
shares()
{
    data host.cpu | jq -e '[.user,.system,.idle,.iowait] | map(. * 10 | round) == [2,2,5,1]'
}
eventually "shares are those of the ticks between the samples" shares
moved()
{
    kymo watch host.net --from oldest --timeout 1ms 2>/dev/null |
        jq -se 'any(.[]; .data.rx_rate > 0 and .data.rx_bytes == 2500)'
}
eventually "a growing counter has a rate" moved
machine 0
reset()
{
    kymo watch host.net --from oldest --timeout 1ms 2>/dev/null | jq -se 'any(.[]; .data.rx_rate == null)'
}
eventually "a counter that decreased has no rate" reset

# A source file is removed.
rm "$proc/net/dev"
eventually "a segment without a source is removed" bash -c '! kymo info host.net'
is "the other segments remain" 'host.cpu host.disk host.load host.mem' "$(kymo ls | xargs)"
like "a removed source is reported" "kymo: host.net: not published: $proc/net/dev: No such file or directory" "$(cat "$scratch/host.err")"
kill -TERM "$pid"
wait "$pid"
is "the exit status after a source was removed is 0" 0 $?

machine 0
for file in stat meminfo loadavg net/dev; do
    mv "$proc/$file" "$scratch/kept"
    host
    is "without $file, 4 segments are published" "0 4" "$status $(wc -l <<<"$out")"
    like "missing $file is reported" "kymo: host.*: not published: $proc/$file: No such file*" "$err"
    for invalid in '' 'cpu' 'cpu x y z' 'MemTotal: lots' '1 2 3' 'eth0: 1 2 3' $'a|b\nc|d\neth0: 1 2'; do
        printf '%s\n' "$invalid" >"$proc/$file"
        host
        is "if $file is '$invalid', 4 segments are published" "0 4" "$status $(wc -l <<<"$out")"
        like "$file with '$invalid' is reported" "kymo: host.*: not published: $proc/$file: unexpected format" "$err"
    done
    mv "$scratch/kept" "$proc/$file"
done
run kymo host --once --proc "$scratch/missing"
is "without /proc, 5 errors are reported" '0 5' "$status $(wc -l <<<"$err")"
is "without /proc, no segment remains" '' "$(kymo ls)"

for hz in 0 -1 x 1001 '' nan; do
    run kymo host --once --hz "$hz"
    refused 2 "kymo host: --hz $hz: must be a number from 0.01 to 1000*"
done
finish
