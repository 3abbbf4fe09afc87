# The file `stream`: content, blocking, generations, unmount.
. "$(dirname "$0")/mounted.sh"

# streams_pass ARGUMENT...: runs cases of streams/.
streams_pass()
{
    timeout 500 "$STREAMS" "$mnt" "$@" >"$work/streams" 2>&1
    status=$?
    grep '^count: ' "$work/streams"
    [ $status -eq 0 ] || cat "$work/streams"
    check "streams $*" "0" "$status"
}

# has_lines FILE N: the file has at least N lines.
has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

mount_view
daemon=$(find_daemon)

# ---- 1000 readers: first, since it measures the memory of the daemon ----
readers=1000
[ "${KYMO_SMALL-}" ] && readers=100
streams_pass many_readers "$daemon" $readers

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
succeeds "kymofs_streams counts open streams" eventually no_stream
check "kymofs_stream_records_total counts records" "yes" "$([ "$(metric kymofs_stream_records_total)" -gt 1000 ] && echo yes)"
check "kymofs_stream_missed_total counts missed records" "yes" "$([ "$(metric kymofs_stream_missed_total)" -ge 240 ] && echo yes)"
run_writer quick size=60000 depth=2 period=0
retries()
{
    cat "$mnt/quick/latest.raw" >/dev/null
    [ "$(metric kymofs_retries_total)" -gt 0 ]
}
succeeds "kymofs_retries_total counts retries" eventually retries
stop $writer

# ---- common programs ----
run_writer w 'fields=n:u64' depth=64 period=5000000
check "head reads 3 records" "3" "$(timeout 100 head -n 3 "$mnt/w/stream" 2>"$work/err" | grep -c '^{"pos":.*}}$')"
check "head prints no error" "" "$(cat "$work/err")"
check "cat reads 3 records" "3" "$(timeout 100 cat "$mnt/w/stream" | head -n 3 | grep -c '^{"pos":.*}}$')"
check "dd reads one record" "1" "$(timeout 100 dd if="$mnt/w/stream" bs=4096 count=1 2>/dev/null | head -n 1 |
    grep -c '^{"pos":.*}}$')"
check "the shell's read reads one record" "1" "$(read -r line <"$mnt/w/stream" && echo "$line" | grep -c '^{"pos":.*}}$')"
check "jq parses 3 records" "3" "$(timeout 100 cat "$mnt/w/stream" | head -n 3 | jq .data.n | wc -l)"
check "Python reads successive records" "yes" "$(timeout 100 python3 -c "
with open('$mnt/w/stream') as lines:
    first, second = next(lines), next(lines)
import json
print('yes' if json.loads(second)['pos'] == json.loads(first)['pos'] + 1 else first + second)")"
timeout 100 cat "$mnt/w/stream" >"$work/cat" &
reader=$!
background $reader
succeeds "cat writes records into a file" eventually has_lines "$work/cat" 3
check "stream is not listed" "0" "$(ls "$mnt/w" | grep -c stream)"
check "README describes stream" "1" "$(grep -c '^  SEGMENT/stream ' "$mnt/README")"
check "opening stream for writing fails" "EROFS" "$("$READERS" write "$mnt/w/stream")"

# ---- readers block while the writer is dead, and continue with the writer that resumes ----
kill -9 $writer
wait $writer 2>/dev/null
sleep 0.3
lines=$(wc -l <"$work/cat")
sleep 0.3
check "a reader blocks while the writer is dead" "$lines" "$(kill -0 $reader && wc -l <"$work/cat")"
run_writer w 'fields=n:u64' depth=64 period=5000000
succeeds "a reader continues with the next writer" eventually has_lines "$work/cat" $((lines + 3))
check "records over a restart of the writer are in order, each once" "" "$(sed 's/^{"pos":\([0-9]*\),.*/\1/' "$work/cat" |
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
check "all lines under replacement are complete" "0" "$(cat "$work"/churn.[0-9]* |
    grep -cv '^{"pos":[0-2],.*"data":{"n":[0-2]}}$\|^{"missed":[0-9]*}$')"
check "streams continue in following generations" "yes" \
    "$([ "$(cat "$work"/churn.[0-9]* | grep -c '"pos":0,')" -gt 20 ] && echo yes)"
check "replacement and removal cause no error except ENOENT" "" "$(cat "$work"/churn.err* |
    grep -v 'No such file or directory$' | head -n 3)"

# ---- SIGINT ----
timeout -s INT 0.2 cat "$mnt/w/stream" >/dev/null
check "SIGINT interrupts a blocked read" "124" "$?"

# ---- unmount while readers block ----
kill -STOP $writer
sleep 0.1
unmount_view 2>/dev/null
check "unmount fails while a reader blocks" "1" "$?"
check "the reader still blocks after a failed unmount" "0" "$(kill -0 $reader; echo $?)"
kill -CONT $writer
lines=$(wc -l <"$work/cat")
succeeds "the reader receives records after a failed unmount" eventually has_lines "$work/cat" $((lines + 3))
fusermount3 -u -z "$mnt"
lines=$(wc -l <"$work/cat")
succeeds "the reader receives records after a lazy unmount" eventually has_lines "$work/cat" $((lines + 3))
kill $reader
wait $reader 2>/dev/null
has_ended()
{
    ! kill -0 "$daemon"
}
succeeds "after a lazy unmount the daemon ends with its last reader" eventually has_ended

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
    check "the blocked read of reader $i fails when the daemon ends" "1" "$?"
done
succeeds "the daemon ends while readers block" eventually has_ended
kill -CONT $writer
stop $writer

# ---- a daemon without write permission polls ----
if [ "$(id -u)" -eq 0 ]; then
    run_writer foreign 'fields=n:u64' depth=64 period=20000000 mode=644
    chown 12345 "$KYMO_DIR/foreign"
    setpriv --bounding-set=-dac_override -- "$KYMOFS" "$mnt" || exit 1
    check "stream returns records without write permission" "5" "$(timeout 100 cat "$mnt/foreign/stream" | head -n 5 | grep -c '^{"pos":')"
    check "the writer wakes no waiter if kymofs polls" "0" "$(sed -n 's/^wakes: *\([0-9]*\)$/\1/p' "$mnt/foreign/info")"
    stop $writer
fi

finish
