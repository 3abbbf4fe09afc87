# C, H: files stay readable while the writer is stopped or killed, and info reports the state.
. "$(dirname "$0")/mounted.sh"

mount_view

state()
{
    sed -n 's/^writer: *\([A-Z]*\) *$/\1/p' "$mnt/$1/info"
}

newest()
{
    sed 's/.*"n":\([0-9]*\),.*/\1/' "$mnt/$1/latest"
}

run_writer w 'fields=n:u64,s:char[20]' depth=16 period=200000
check "a running writer is ALIVE" "ALIVE" "$(state w)"
first=$(newest w)
succeeds "latest shows new records" eventually sh -c \
    "[ \"\$(sed 's/.*\"n\":\\([0-9]*\\),.*/\\1/' '$mnt/w/latest')\" -gt $first ]"

# ---- stopped ----
kill -STOP $writer
for name in latest latest.raw info schema field/n history/3 'closest?t=-1ms'; do
    succeeds "$name of a stopped writer is readable" timeout 100 cat "$mnt/w/$name"
done
check "latest of a stopped writer does not change" "$(newest w)" "$(newest w)"
succeeds "a stopped writer is STALLED" eventually sh -c "grep -q '^writer: STALLED' '$mnt/w/info'"
kill -CONT $writer
succeeds "a continued writer is ALIVE" eventually sh -c "grep -q '^writer: ALIVE' '$mnt/w/info'"

# ---- killed, 20 times ----
rounds=0
while [ $rounds -lt 20 ]; do
    rounds=$((rounds + 1))
    kill -9 $writer
    wait $writer 2>/dev/null
    check "a killed writer is DEAD" "DEAD" "$(state w)"
    last=$(newest w)
    check "the newest record after SIGKILL is not torn" "$last" "$(cat "$mnt/w/field/n")"
    check "the history after SIGKILL is readable" "$((last - 1))" "$(sed 's/.*"n":\([0-9]*\),.*/\1/' "$mnt/w/history/1")"
    run_writer w 'fields=n:u64,s:char[20]' depth=16 period=200000
    check "the next writer is ALIVE" "ALIVE" "$(state w)"
    succeeds "the next writer keeps the history" test "$(newest w)" -ge "$last"
done

# ---- ended ----
"$SEGMENT" make ended fields=n:u64 count=1
check "a writer that ended is CLOSED" "CLOSED" "$(state ended)"

# The mtime of a file is the newest record's time; the kernel caches attributes for 1 s.
kill -9 $writer
wait $writer 2>/dev/null
sleep 1.1
before=$(stat -c %.3Y "$mnt/w/latest" | tr -d .)
age=$(($(date +%s) - $(stat -c %Y "$mnt/w/latest")))
succeeds "mtime is the time of the newest record ($age s ago)" test $age -ge 0 -a $age -lt 60
unmount_view
mount_view
after=$(stat -c %.3Y "$mnt/w/latest" | tr -d .)
succeeds "mtime is the same in another daemon (difference: $((after - before)) ms)" \
    test $((after - before)) -ge -20 -a $((after - before)) -le 20

finish
