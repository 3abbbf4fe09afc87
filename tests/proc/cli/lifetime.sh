# A segment whose replacement fails, that is removed under its writer, is of another boot, has records in
# the future, or a writer in another PID namespace.
. "$(dirname "$0")/cli.sh"

# ---- an open that fails ----

# Sanitizers need more address space; their report of that is not one of a fault.
if (ulimit -v 60000 && ASAN_OPTIONS= kymo --version) >/dev/null 2>&1; then
    kymo pub keep --fields x:f64 <<<'[1]'
    for name in keep new; do
        run bash -c "ulimit -v 60000; kymo pub $name --replace --depth 1048576 --fields x:f64 <<<'[2]'"
        refused 1 "kymo: $name: *"
    done
    is "a failed replacement keeps the history, and a failed creation leaves nothing" keep "$(ls -A "$KYMO_DIR")"
    is "the newest record" '{"x":1}' "$(data keep)"
    kymo rm keep
fi

# ---- removed under a running writer ----

renewed()
{
    [ "$(kymo info "$1" 2>/dev/null | grep ^writer:)" == 'writer: ALIVE' ]
}

feed removed '[1]' kymo pub removed --fields x:f64 --depth 128 --mode 0640 --clamp --unit x=m
exec 4>"$scratch/removed.in"
eventually "the writer publishes" kymo get removed
rm "$KYMO_DIR/removed"
eventually "the writer makes a new segment" renewed removed
is "pub reports the removal" 'kymo: removed: the segment was removed: publishing into a new one' \
    "$(cat "$scratch/removed.err")"
echo '[2]' >&4
eventually "records go into the new segment" kymo get removed
is "a record of the new segment" '{"x":2}' "$(data removed)"
is "the new segment is as the old one" 'depth: 128 time_policy: clamp mode: 0640 schema: x:f64' \
    "$(kymo info removed | grep -E '^(depth|time_policy|mode|schema):' | xargs)"
kill "$pid"
wait "$pid"
is "pub ends without an error" 0 $?

# A segment that another program made in between is not taken from it.
feed taken '[1]' kymo pub taken --fields x:f64
eventually "the writer publishes" kymo get taken
rm "$KYMO_DIR/taken" && kymo pub taken --fields y:u8 <<<'[7]'
wait "$pid"
is "pub ends if another layout has the name" 1 $?
like "pub reports the difference" '*kymo: taken: field at offset 0: "y" in the segment, "x" here*' \
    "$(cat "$scratch/taken.err")"
is "the other segment is unchanged" '{"y":7}' "$(data taken)"

start host kymo host --hz 10
eventually "host publishes" kymo get host.load
rm "$KYMO_DIR/host.load"
eventually "host makes the segment again" kymo get host.load
kill "$pid"
wait "$pid"
is "host ends without an error" 0 $?
is "host removes the new segment" '' "$(kymo ls | grep host)"

# ---- another boot ----

# Replaces the boot id of a segment without fields, and its checksum: FNV-1a, 64 bits.
set_boot()
{
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    header = bytearray(file.read(1024))
    header[248:256] = b"00000000"
    header[1016:] = bytes(8)
    hash = 0xcbf29ce484222325
    for byte in header:
        hash = (hash ^ byte) * 0x100000001b3 % 2**64
    header[1016:] = hash.to_bytes(8, sys.byteorder)
    file.seek(0)
    file.write(header)' "$KYMO_DIR/$1"
}

kymo pub boot --raw --size 1 --depth 128 <<<'' && set_boot boot
is "info of another boot" 'age_seconds: of another boot' "$(kymo info boot | grep ^age)"
is "metrics of another boot" 'kymo_other_boot{segment="boot"} 1' \
    "$(kymo metrics boot | grep -E '^kymo_(age|other)')"
like "ls of another boot" '*another-boot*' "$(kymo ls -l)"
is "ls --json of another boot" null "$(kymo ls --json | jq '.[] | select(.name == "boot") | .age')"
run kymo get boot --fresh 1h
refused 1 'kymo: boot: --fresh: the times are of another boot of the machine: omit --fresh'
run kymo pub boot --raw <<<''
is "pub succeeds" 0 "$status"
is "pub reports the new generation" \
    "kymo: boot: clock: the segment's monotonic times count from another boot of the machine: a new generation was started, without the history" "$err"
is "the new generation is as the old one" 'depth: 128 records: 1' \
    "$(kymo info boot | grep -E '^(depth|records):' | xargs)"
run kymo get boot --fresh 1h --raw
ok "the new generation has an age"

# ---- records in the future ----

now=$(date +%s)
kymo pub ahead --fields t:u64 --time t --time-unit s --clock realtime <<<"[$((now + 3600))]"
run kymo get ahead --fresh 1s
refused 1 "kymo: ahead: --fresh: the newest record's time is in the future: omit --fresh"
run kymo get ahead --fresh 2h
ok "a record within the limit is fresh"
like "the age in metrics is negative" 'kymo_age_seconds{segment="ahead"} -3*' \
    "$(kymo metrics ahead | grep ^kymo_age)"
like "the age in ls is negative" '-*' "$(kymo ls --json | jq '.[] | select(.name == "ahead") | .age')"
run kymo pub ahead --time t --time-unit s <<<"[$now]"
refused 1 'kymo: ahead: line 1: time *: use --clamp to publish it with that time'
run kymo pub ahead --clamp --time t --time-unit s <<<"[$now]"
ok "--clamp on resumption"
is "--clamp keeps the history" "$((now + 3600)) $now" \
    "$(for back in 1 0; do kymo get ahead --back $back --field t; done | xargs)"
is "the segment keeps the policy" clamp "$(kymo info ahead | sed -n 's/^time_policy: //p')"
run kymo pub ahead --reject --time t --time-unit s <<<"[$now]"
is "--reject on resumption" 1 "$status"

# ---- another PID namespace ----

if unshare --pid --fork true 2>/dev/null; then
    feed inside '[1]' unshare --pid --fork --kill-child kymo pub inside --fields x:f64
    eventually "the writer publishes" kymo get inside
    run kymo rm inside
    refused 1 'kymo: inside: another writer is alive, process 1 of another PID namespace, *'
    is "info names no process" 'writer_pid: 0' "$(kymo info inside | grep ^writer_pid)"
    kill "$pid"
fi
finish
