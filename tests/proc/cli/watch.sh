# kymo watch: each record once and in order, whatever becomes of the segment.
. "$(dirname "$0")/cli.sh"

kymo pub t --fields x:u32 --clock user < <(seq 0 4)
is "from the oldest" '0 1 2 3 4' "$(kymo watch t --from oldest --count 5 | jq .data.x | xargs)"
is "lines are as get prints them" "$(kymo get t)" "$(kymo watch t --from oldest --count 5 | tail -n 1)"
run kymo watch t --timeout 50ms
refused 1 'kymo: t: no record for 0.05 s'
is "nothing old is printed" '' "$out"
run kymo watch t --from oldest --timeout 50ms
refused 1 'kymo: t: no record for 0.05 s'
is "what is there is printed" 5 "$(wc -l <<<"$out")"

# New records are printed as they come, through several writers.
start watch kymo watch t
watch=$pid
sleep 0.1
next=5
more()
{
    kymo pub t --fields x:u32 --clock user < <(seq $next $((next + $1 - 1)))
    next=$((next + $1))
}
more 1
eventually "the first new record" has_lines "$scratch/watch.out" 1
more 1
more 3
eventually "the others" has_lines "$scratch/watch.out" 5
is "each once, in order" '5 6 7 8 9' "$(jq .data.x "$scratch/watch.out" | xargs)"

# A replaced segment is followed, from its first record on.
kymo pub t --replace --fields y:u8 < <(seq 3)
eventually "the new generation" has_lines "$scratch/watch.out" 8
is "from its first record" '1 2 3' "$(tail -n 3 "$scratch/watch.out" | jq .data.y | xargs)"
is "in silence" '' "$(cat "$scratch/watch.err")"

# A file that was removed behind kymo's back, and another one in its place.
kymo pub other --fields z:u8 < <(seq 2)
mv "$KYMO_DIR/other" "$KYMO_DIR/t"
eventually "the file that has the name" has_lines "$scratch/watch.out" 10
is "is followed" '1 2' "$(tail -n 2 "$scratch/watch.out" | jq .data.z | xargs)"

# A removed one ends it.
kymo rm t
wait "$watch"
is "the exit status after a removal" 0 $?
is "the message after a removal" 'kymo: t: the segment was removed' "$(cat "$scratch/watch.err")"
kymo pub t --fields x:u32 <<<'[1]'
start watch kymo watch t
watch=$pid
sleep 0.1
rm "$KYMO_DIR/t"
wait "$watch"
is "the exit status after rm" 0 $?

# Ctrl-C ends it at once, and so does a reader that goes away while nothing comes.
kymo pub t --fields x:u32 <<<'[1]'
start watch env --default-signal=INT kymo watch t --from oldest
watch=$pid
eventually "it watches" has_lines "$scratch/watch.out" 1
kill -INT "$watch"
wait "$watch"
is "Ctrl-C" $((128 + 2)) $?
is "it said nothing" '' "$(cat "$scratch/watch.err")"
run bash -c 'set -o pipefail; kymo watch t --from oldest | head -n 1'
ok "a reader that goes away"
is "got its line" '{"x":1}' "$(jq -c .data <<<"$out")"

# It counts from where it began, which is when it has the segment open.
watches()
{
    grep -qs "/$2\$" "/proc/$1/maps"
}

# Falling behind: what was missed is counted, and with what was printed it is all there was.
count=300000
mkfifo "$scratch/slow"
start watch kymo watch t
watch=$pid
eventually "it watches" watches "$watch" t
kymo pub t --replace --fields x:u32 --depth 16 < <(seq $count)
eventually "the last record" grep -q "\"x\":$count}" "$scratch/watch.out"
kill "$watch"
wait "$watch"
is "printed and missed together" "$count" \
    "$(jq -s '[.[] | if .missed then .missed else 1 end] | add' "$scratch/watch.out")"
is "in order, each once" yes \
    "$(jq -s '[.[].data.x | values] | . == (. | unique)' "$scratch/watch.out" | sed s/true/yes/)"
is "no line but those" 0 "$(jq -c 'select((.missed or .data.x) | not)' "$scratch/watch.out" | wc -l)"
is "positions match" '' "$(jq -c 'select(.pos and .pos + 1 != .data.x)' "$scratch/watch.out")"

# A reader of the lines that takes its time: certainly behind.
kymo pub slow --fields x:u32 --depth 4 <<<'[0]'
start watch bash -c "exec kymo watch slow >$scratch/slow"
watch=$pid
exec 4<"$scratch/slow"
eventually "it watches" watches "$watch" slow
kymo pub slow --fields x:u32 --depth 4 < <(seq 100000)
cat <&4 >"$scratch/slow.out" &
background+=($!)
eventually "the last record" grep -q '"x":100000}' "$scratch/slow.out"
kill "$watch"
exec 4<&-
is "it says that it missed some" yes "$(grep -q '^{"missed":[1-9][0-9]*}$' "$scratch/slow.out" && echo yes)"
is "printed and missed together" 100000 \
    "$(jq -s '[.[] | if .missed then .missed else 1 end] | add' "$scratch/slow.out")"

# From the oldest, records that were overwritten before are not missed.
is "from the oldest of a ring that went round" '3' "$(kymo watch slow --from oldest --count 3 | wc -l)"
is "nothing is missed" 0 "$(kymo watch slow --from oldest --count 3 | grep -c missed)"

run kymo watch slow --from nowhere
refused 2 'kymo watch: --from nowhere: must be oldest or newest*'
for count in 0 -1 x ''; do
    run kymo watch slow --count "$count"
    refused 2 "kymo watch: --count $count: *"
done
for timeout in 0 -1s soon ''; do
    run kymo watch slow --timeout "$timeout"
    refused 2 "kymo watch: --timeout $timeout: *"
done
run bash -c 'kymo watch slow --from oldest >/dev/full'
refused 1 'kymo: standard output: *'
finish
