# The file `stream`: content, blocking, generations, unmount.
. "$(dirname "$0")/mounted.sh"

# Cases of streams.c.
streams_pass()
{
    timeout 500 "$STREAMS" "$mnt" "$@" >"$work/streams" 2>&1
    status=$?
    grep '^count: ' "$work/streams"
    [ $status -eq 0 ] || cat "$work/streams"
    check "streams $*" "0" "$status"
}

# Lines that a command has written into a file.
has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

mount_view
daemon=$(find_daemon)

# ---- a thousand readers, before the daemon has done anything else ----
crowd=1000
[ "${KYMO_SMALL-}" ] && crowd=100
streams_pass crowd "$daemon" $crowd

# ---- one program that publishes and reads ----
streams_pass

# ---- counters ----
metric()
{
    sed -n "s/^$1 //p" "$mnt/metrics.prom"
}
no_stream()
{
    [ "$(metric kymofs_streams)" = 0 ]
}
succeeds "open streams are counted" eventually no_stream
check "records are counted" "yes" "$([ "$(metric kymofs_stream_records_total)" -gt 1000 ] && echo yes)"
check "missed records are counted" "yes" "$([ "$(metric kymofs_stream_missed_total)" -ge 240 ] && echo yes)"
run_writer quick size=60000 depth=2 period=0
retries()
{
    cat "$mnt/quick/latest.raw" >/dev/null
    [ "$(metric kymofs_retries_total)" -gt 0 ]
}
succeeds "retries are counted" eventually retries
stop $writer

# ---- by common programs ----
run_writer w 'fields=n:u64' depth=64 period=5000000
check "head" "3" "$(timeout 100 head -n 3 "$mnt/w/stream" 2>"$work/err" | grep -c '^{"pos":.*}}$')"
check "head prints no error" "" "$(cat "$work/err")"
check "cat" "3" "$(timeout 100 cat "$mnt/w/stream" | head -n 3 | grep -c '^{"pos":.*}}$')"
check "dd" "1" "$(timeout 100 dd if="$mnt/w/stream" bs=4096 count=1 2>/dev/null | head -n 1 |
    grep -c '^{"pos":.*}}$')"
check "read" "1" "$(read -r line <"$mnt/w/stream" && echo "$line" | grep -c '^{"pos":.*}}$')"
check "jq" "3" "$(timeout 100 cat "$mnt/w/stream" | head -n 3 | jq .data.n | wc -l)"
check "python" "yes" "$(timeout 100 python3 -c "
with open('$mnt/w/stream') as lines:
    first, second = next(lines), next(lines)
import json
print('yes' if json.loads(second)['pos'] == json.loads(first)['pos'] + 1 else first + second)")"
timeout 100 cat "$mnt/w/stream" >"$work/cat" &
reader=$!
background $reader
succeeds "cat into a file" eventually has_lines "$work/cat" 3
check "not listed" "0" "$(ls "$mnt/w" | grep -c stream)"
check "documented in README" "1" "$(grep -c '^  SEGMENT/stream ' "$mnt/README")"
check "not writable" "EROFS" "$("$READERS" write "$mnt/w/stream")"

# ---- readers block while the writer is dead, and continue with the writer that resumes ----
kill -9 $writer
wait $writer 2>/dev/null
sleep 0.3
lines=$(wc -l <"$work/cat")
sleep 0.3
check "a reader blocks" "$lines" "$(kill -0 $reader && wc -l <"$work/cat")"
run_writer w 'fields=n:u64' depth=64 period=5000000
succeeds "and continues" eventually has_lines "$work/cat" $((lines + 3))
check "in order, each once" "" "$(sed 's/^{"pos":\([0-9]*\),.*/\1/' "$work/cat" |
    awk 'NR > 1 && $1 != last + 1 { print "after", last, $1 } { last = $1 }')"

# ---- generations replaced and removed under many readers ----
"$SEGMENT" churn c fields=n:u64 count=3 many=5 period=2000000 >"$work/churn" &
churn=$!
background $churn
eventually test -s "$work/churn"
readers=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    timeout 2 sh -c "while :; do cat '$mnt/c$((i % 5))/stream'; done" \
        >"$work/churn.$i" 2>"$work/churn.err$i" &
    readers="$readers $!"
done
wait $readers
stop $churn
check "all lines are complete" "0" "$(cat "$work"/churn.[0-9]* |
    grep -cv '^{"pos":[0-2],.*"data":{"n":[0-2]}}$\|^{"missed":[0-9]*}$')"
check "records of following generations" "yes" \
    "$([ "$(cat "$work"/churn.[0-9]* | grep -c '"pos":0,')" -gt 20 ] && echo yes)"
check "no error but ENOENT" "" "$(cat "$work"/churn.err* |
    grep -v 'No such file or directory$' | head -n 3)"

# ---- SIGINT ----
timeout -s INT 0.2 cat "$mnt/w/stream" >/dev/null
check "SIGINT" "124" "$?"

# ---- unmount while readers block ----
kill -STOP $writer
sleep 0.1
unmount_view 2>/dev/null
check "unmount fails at once" "1" "$?"
check "the reader is still blocked" "0" "$(kill -0 $reader; echo $?)"
kill -CONT $writer
lines=$(wc -l <"$work/cat")
succeeds "and is served" eventually has_lines "$work/cat" $((lines + 3))
fusermount3 -u -z "$mnt"
lines=$(wc -l <"$work/cat")
succeeds "and after a lazy unmount" eventually has_lines "$work/cat" $((lines + 3))
kill $reader
wait $reader 2>/dev/null
has_ended()
{
    ! kill -0 "$daemon"
}
succeeds "the daemon ends with its last reader" eventually has_ended

# ---- blocked reads fail when the daemon ends ----
mount_view
daemon=$(find_daemon)
kill -STOP $writer
for i in 1 2 3; do
    cat "$mnt/w/stream" >/dev/null 2>"$work/ended$i" &
    eval "reader$i=$!"
done
sleep 0.3
kill -TERM "$daemon"
for i in 1 2 3; do
    eval "wait \$reader$i"
    check "reader $i gets an error" "1" "$?"
done
succeeds "ended" eventually has_ended
kill -CONT $writer
stop $writer

# ---- a daemon without write permission polls ----
if [ "$(id -u)" -eq 0 ]; then
    run_writer foreign 'fields=n:u64' depth=64 period=20000000 mode=644
    chown 12345 "$KYMO_DIR/foreign"
    setpriv --bounding-set=-dac_override -- "$KYMOFS" "$mnt" || exit 1
    check "records without write permission" "5" "$(timeout 100 cat "$mnt/foreign/stream" | head -n 5 | grep -c '^{"pos":')"
    check "the writer wakes no waiter" "0" "$(sed -n 's/^wakes: *\([0-9]*\)$/\1/p' "$mnt/foreign/info")"
    stop $writer
fi

finish
