# Writers that are stopped, or killed: the files keep answering, and info tells.
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
check "running" "ALIVE" "$(state w)"
first=$(newest w)
succeeds "records come" eventually sh -c \
    "[ \"\$(sed 's/.*\"n\":\\([0-9]*\\),.*/\\1/' '$mnt/w/latest')\" -gt $first ]"

# ---- stopped, in whatever it was doing ----
kill -STOP $writer
for name in latest latest.raw info schema field/n history/3 'closest?t=-1ms'; do
    succeeds "$name of a stopped writer" timeout 100 cat "$mnt/w/$name"
done
check "the same record" "$(newest w)" "$(newest w)"
succeeds "it stalls" eventually sh -c "grep -q '^writer: STALLED' '$mnt/w/info'"
kill -CONT $writer
succeeds "and goes on" eventually sh -c "grep -q '^writer: ALIVE' '$mnt/w/info'"

# ---- killed, over and over ----
rounds=0
while [ $rounds -lt 20 ]; do
    rounds=$((rounds + 1))
    kill -9 $writer
    wait $writer 2>/dev/null
    check "killed" "DEAD" "$(state w)"
    last=$(newest w)
    check "the last record is whole" "$last" "$(cat "$mnt/w/field/n")"
    check "its history" "$((last - 1))" "$(sed 's/.*"n":\([0-9]*\),.*/\1/' "$mnt/w/history/1")"
    run_writer w 'fields=n:u64,s:char[20]' depth=16 period=200000
    check "resumed" "ALIVE" "$(state w)"
    succeeds "with its history" test "$(newest w)" -ge "$last"
done

# ---- ended ----
"$SEGMENT" make ended fields=n:u64 count=1
check "ended cleanly" "CLOSED" "$(state ended)"

# A file's mtime is the newest record's time, and stays; what stat says may be a second old.
kill -9 $writer
wait $writer 2>/dev/null
sleep 1.1
before=$(stat -c %.3Y "$mnt/w/latest" | tr -d .)
age=$(($(date +%s) - $(stat -c %Y "$mnt/w/latest")))
succeeds "mtime is that of the last record, not $age s off" test $age -ge 0 -a $age -lt 60
unmount_view
mount_view
after=$(stat -c %.3Y "$mnt/w/latest" | tr -d .)
succeeds "also in another daemon, $((after - before)) ms off" \
    test $((after - before)) -ge -20 -a $((after - before)) -le 20

finish
