# kymo host: the machine's own counters, checked against where they come from.
. "$(dirname "$0")/cli.sh"

all='host.cpu host.disk host.load host.mem host.net'

run kymo host --once
ok
is "a line for each segment" "$all" "$(jq -r .segment <<<"$out" | sort | xargs)"
is "the second sample of each" '1 1 1 1 1' "$(jq .record.pos <<<"$out" | xargs)"
is "all of one instant" 1 "$(jq .record.time <<<"$out" | sort -u | wc -l)"
is "nothing stays" '' "$(kymo ls)"
once=$out

# values SEGMENT FILTER: of the record printed.
values()
{
    jq "select(.segment == \"$1\").record.data | $2" <<<"$once"
}

is "shares of the processors' time sum to 1" true \
    "$(values host.cpu '(.user + .system + .idle + .iowait + .irq + .steal - 1) | fabs < 1e-9')"
is "each is a share" true \
    "$(values host.cpu '[.user, .system, .idle, .iowait, .irq, .steal, .busy[]] | all(. >= 0 and . <= 1)')"
is "one for each processor" "$(getconf _NPROCESSORS_CONF)" "$(values host.cpu '.busy | length')"
is "memory in all" "$(($(awk '/^MemTotal:/ { print $2 }' /proc/meminfo) * 1024))" "$(values host.mem .total)"
is "swap in all" "$(($(awk '/^SwapTotal:/ { print $2 }' /proc/meminfo) * 1024))" "$(values host.mem .swap_total)"
is "parts of the memory" true "$(values host.mem '.free > 0 and .free <= .total and .available > 0 and .available <= .total')"
is "load" true "$(values host.load '.load1 >= 0 and .total > 0 and .running > 0 and .running <= .total')"
is "rates are numbers" true \
    "$(values host.net '[.rx_rate, .tx_rate, .rx_packet_rate, .tx_packet_rate] | all(type == "number" and . >= 0)')"
is "and of disks" true \
    "$(values host.disk '[.read_rate, .write_rate, .read_request_rate, .write_request_rate] | all(type == "number" and . >= 0)')"
received=$(sed 's/:/ /' /proc/net/dev | awk 'NR > 2 && $1 != "lo" { sum += $2 } END { printf "%.0f", sum }')
is "received bytes" true "$(values host.net ".rx_bytes <= $received")"

# As a process: live, refusing a second one, and leaving nothing.
start host kymo host --hz 50
host=$pid
eventually "records come" bash -c '[ "$(kymo get host.cpu | jq .pos)" -ge 5 ]'
is "its segments" "$all" "$(kymo ls | xargs)"
for segment in $all; do
    is "$segment is live" 'writer: ALIVE' "$(kymo info $segment | grep ^writer:)"
    is "$segment is monotonic" 'clock: monotonic' "$(kymo info $segment | grep ^clock:)"
done
is "a minute and more" 'depth: 4096' "$(kymo info host.cpu | grep ^depth:)"
at=$(kymo get host.mem --back 2 | jq .time)
is "samples of one instant" "$(kymo get host.cpu --closest "$at" | jq .time)" "$at"
run kymo host --once
refused 1 "kymo: host.cpu: another writer is alive, process $host: *"
is "the first one goes on" "$all" "$(kymo ls | xargs)"
kill -TERM "$host"
wait "$host"
is "its exit status" 0 $?
is "nothing stays" '' "$(kymo ls)"
start host env --default-signal=INT kymo host
eventually "it runs" kymo get host.mem
kill -INT "$pid"
wait "$pid"
is "Ctrl-C" '0 ' "$? $(kymo ls)"

# Killed, it leaves its segments to the next one.
start host kymo host --hz 50
eventually "it runs" kymo get host.disk
kill -9 "$pid"
wait "$pid" 2>/dev/null
is "it reads DEAD" 'writer: DEAD' "$(kymo info host.cpu | grep ^writer:)"
run kymo host --once --hz 50
ok
is "the next one cleans up" '' "$(kymo ls)"

# A machine as it is written in files: exact figures, and files that are missing or odd.
proc=$scratch/proc sys=$scratch/sys
mkdir -p "$proc/net" "$sys/block/sda/device" "$sys/block/cciss!c0d0/device" "$sys/block/loop0"
# A reader sees the old file or the new one.
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
ok
is "memory" '[1024000,614400,307200,0,0,0,0]' "$(values host.mem '[.total,.available,.free,.cached,.buffers,.swap_total,.swap_free]' | jq -c)"
is "load" '[0.5,1.25,2,3,456]' "$(values host.load '[.load1,.load5,.load15,.running,.total]' | jq -c)"
is "network, without lo" '[1500,2700,15,27,0]' "$(values host.net '[.rx_bytes,.tx_bytes,.rx_packets,.tx_packets,.rx_rate]' | jq -c)"
is "whole disks alone" '[55296,110592,11,22,0]' "$(values host.disk '[.read_bytes,.write_bytes,.read_requests,.write_requests,.read_rate]' | jq -c)"
is "no tick passed: shares since the start" true "$(values host.cpu '(.idle - 1000 / 1150) | fabs < 1e-9')"
is "the first processor" true "$(values host.cpu '(.busy[0] - 150 / 1150) | fabs < 1e-6')"
is "processors that are not there" true "$(values host.cpu '.busy[1:] | all(. == null)')"

# Counters that grow while it runs: 10 ticks, of which 2 in programs, 2 in the kernel, 5 idle.
start host kymo host --hz 20 --proc "$proc" --sys "$sys"
eventually "it runs" kymo get host.cpu
machine 1000
shares()
{
    data host.cpu | jq -e '[.user,.system,.idle,.iowait] | map(. * 10 | round) == [2,2,5,1]'
}
eventually "the shares of what passed" shares
moved()
{
    kymo watch host.net --from oldest --timeout 1ms 2>/dev/null |
        jq -se 'any(.[]; .data.rx_rate > 0 and .data.rx_bytes == 2500)'
}
eventually "a rate of what came" moved
machine 0
reset()
{
    kymo watch host.net --from oldest --timeout 1ms 2>/dev/null | jq -se 'any(.[]; .data.rx_rate == null)'
}
eventually "a counter that went back has no rate" reset

# A source that goes away leaves the others.
rm "$proc/net/dev"
eventually "its segment goes" bash -c '! kymo info host.net'
is "the others stay" 'host.cpu host.disk host.load host.mem' "$(kymo ls | xargs)"
like "and it is said" "kymo: host.net: not published: $proc/net/dev: No such file or directory" "$(cat "$scratch/host.err")"
kill -TERM "$pid"
wait "$pid"
is "its exit status" 0 $?

machine 0
for file in stat meminfo loadavg net/dev; do
    mv "$proc/$file" "$scratch/kept"
    host
    is "without $file" "0 4" "$status $(wc -l <<<"$out")"
    like "which is said" "kymo: host.*: not published: $proc/$file: No such file*" "$err"
    for odd in '' 'cpu' 'cpu x y z' 'MemTotal: lots' '1 2 3' 'eth0: 1 2 3' $'a|b\nc|d\neth0: 1 2'; do
        printf '%s\n' "$odd" >"$proc/$file"
        host
        is "$file that says '$odd'" "0 4" "$status $(wc -l <<<"$out")"
        like "which is said" "kymo: host.*: not published: $proc/$file: unexpected format" "$err"
    done
    mv "$scratch/kept" "$proc/$file"
done
run kymo host --once --proc "$scratch/missing"
is "nothing at all" '0 5' "$status $(wc -l <<<"$err")"
is "and nothing stays" '' "$(kymo ls)"

for hz in 0 -1 x 1001 '' nan; do
    run kymo host --once --hz "$hz"
    refused 2 "kymo host: --hz $hz: must be a number from 0.01 to 1000*"
done
finish
