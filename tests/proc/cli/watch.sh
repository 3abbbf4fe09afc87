# kymo watch: prints each record once and in order, and follows replacement and removal.
. "$(dirname "$0")/cli.sh"

kymo pub t --fields x:u32 --clock user < <(seq 0 4)
is "--from oldest prints all records" '0 1 2 3 4' "$(kymo watch t --from oldest --count 5 | jq .data.x | xargs)"
is "watch and get print the same lines" "$(kymo get t)" "$(kymo watch t --from oldest --count 5 | tail -n 1)"
run kymo watch t --timeout 50ms
refused 1 'kymo: t: no record for 0.05 s'
is "without --from old records are not printed" '' "$out"
run kymo watch t --from oldest --timeout 50ms
refused 1 'kymo: t: no record for 0.05 s'
is "--from oldest prints old records before a timeout" 5 "$(wc -l <<<"$out")"

# New records of several successive writers.
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
eventually "watch prints the first new record" has_lines "$scratch/watch.out" 1
more 1
more 3
eventually "watch prints records of the next writers" has_lines "$scratch/watch.out" 5
is "watch prints each record once, in order" '5 6 7 8 9' "$(jq .data.x "$scratch/watch.out" | xargs)"

# A replaced segment is followed, from its first record on.
kymo pub t --replace --fields y:u8 < <(seq 3)
eventually "watch follows a replacement" has_lines "$scratch/watch.out" 8
is "watch starts at the first record of the new generation" '1 2 3' "$(tail -n 3 "$scratch/watch.out" | jq .data.y | xargs)"
is "watch reports no error for a replacement" '' "$(cat "$scratch/watch.err")"

# Another segment is renamed to the name.
kymo pub other --fields z:u8 < <(seq 2)
mv "$KYMO_DIR/other" "$KYMO_DIR/t"
eventually "watch follows a renamed file" has_lines "$scratch/watch.out" 10
is "watch prints the records of the renamed file" '1 2' "$(tail -n 2 "$scratch/watch.out" | jq .data.z | xargs)"

# Removal ends watch.
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

# SIGINT and a closed output end watch without a new record.
kymo pub t --fields x:u32 <<<'[1]'
start watch env --default-signal=INT kymo watch t --from oldest
watch=$pid
eventually "watch prints the old record" has_lines "$scratch/watch.out" 1
kill -INT "$watch"
wait "$watch"
is "SIGINT ends watch" $((128 + 2)) $?
is "watch prints no error after SIGINT" '' "$(cat "$scratch/watch.err")"
run bash -c 'set -o pipefail; kymo watch t --from oldest | head -n 1'
ok "watch ends if its output is closed"
is "a line is printed before the output is closed" '{"x":1}' "$(jq -c .data <<<"$out")"

# has_open PID NAME: the process has mapped the segment; watch counts missed records from then on.
has_open()
{
    grep -qs "/$2\$" "/proc/$1/maps"
}

# A slow watch: printed and missed records add up to all records.
count=300000
mkfifo "$scratch/slow"
start watch kymo watch t
watch=$pid
eventually "watch has opened t" has_open "$watch" t
kymo pub t --replace --fields x:u32 --depth 16 < <(seq $count)
eventually "watch prints the last of 300000 records" grep -q "\"x\":$count}" "$scratch/watch.out"
kill "$watch"
wait "$watch"
is "printed and missed records add up to all" "$count" \
    "$(jq -s '[.[] | if .missed then .missed else 1 end] | add' "$scratch/watch.out")"
is "printed records are in order and unique" yes \
    "$(jq -s '[.[].data.x | values] | . == (. | unique)' "$scratch/watch.out" | sed s/true/yes/)"
is "each line is a record or a count of missed ones" 0 "$(jq -c 'select((.missed or .data.x) | not)' "$scratch/watch.out" | wc -l)"
is "positions match the published order" '' "$(jq -c 'select(.pos and .pos + 1 != .data.x)' "$scratch/watch.out")"

# The output is read after all records are published: records are missed.
kymo pub slow --fields x:u32 --depth 4 <<<'[0]'
start watch bash -c "exec kymo watch slow >$scratch/slow"
watch=$pid
exec 4<"$scratch/slow"
eventually "watch has opened slow" has_open "$watch" slow
kymo pub slow --fields x:u32 --depth 4 < <(seq 100000)
cat <&4 >"$scratch/slow.out" &
background+=($!)
eventually "watch prints the last of 100000 records" grep -q '"x":100000}' "$scratch/slow.out"
kill "$watch"
exec 4<&-
is "watch prints a count of missed records" yes "$(grep -q '^{"missed":[1-9][0-9]*}$' "$scratch/slow.out" && echo yes)"
is "printed and missed records add up to 100000" 100000 \
    "$(jq -s '[.[] | if .missed then .missed else 1 end] | add' "$scratch/slow.out")"

# Records that were overwritten before watch opened are not counted as missed.
is "--from oldest prints the remaining records of a ring" '3' "$(kymo watch slow --from oldest --count 3 | wc -l)"
is "records that were overwritten before are not missed" 0 "$(kymo watch slow --from oldest --count 3 | grep -c missed)"

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
