# The times of records: their sources, units and errors.
. "$(dirname "$0")/cli.sh"

times()
{
    kymo watch t --from oldest --count "$1" | jq -r .time | xargs
}

# Without --time: the current time of the segment's clock.
for clock in monotonic realtime boottime tai; do
    before=$(kymo pub now --replace --fields x:u8 --clock $clock <<<'[1]' && kymo get now | jq .time)
    kymo pub t --replace --fields x:u8 --clock $clock <<<'[1]'
    kymo pub after --replace --fields x:u8 --clock $clock <<<'[1]'
    during=$(kymo get t | jq .time)
    after=$(kymo get after | jq .time)
    is "$clock times do not decrease" yes "$([ "$before" -le "$during" ] && [ "$during" -le "$after" ] && echo yes)"
    is "records on the clock $clock have an age" 0 "$(kymo get t --fresh 1h >/dev/null; echo $?)"
done
is "get prints the date of a realtime record" "$(date -u +%Y-%m)" \
    "$(kymo pub t --replace --fields x:u8 --clock realtime <<<'[1]'; kymo get t | jq -r .when | cut -c1-7)"
is "a realtime record has the current time" yes \
    "$(now=$(date +%s); at=$(kymo get t | jq '.time / 1e9 | floor'); [ $((now - at)) -lt 600 ] && [ $((now - at)) -ge 0 ] && echo yes)"

# The clock is read for each record, but only once for those that had to wait for one large read.
yes '[1]' | head -n 8192 >"$scratch/lines"
kymo pub t --replace --depth 16384 --fields x:u8 <"$scratch/lines"
is "records of a large read have one time" yes "$([ "$(times 8192 | tr ' ' '\n' | sort -u | wc -l)" -le 2 ] && echo yes)"
kymo pub t --replace --fields x:u8 < <(printf '[1]\n[2]\n')
is "records of a small read have times of their own" 2 "$(times 2 | tr ' ' '\n' | sort -u | wc -l)"

# Clock user: the position, also after resumption.
kymo pub t --replace --fields x:u8 --clock user < <(seq 3)
kymo pub t --fields x:u8 --clock user < <(seq 2)
is "times on the clock user are positions" '0 1 2 3 4' "$(times 5)"

# --time: a field, in each unit.
for unit in ns:1 us:1000 ms:1000000 s:1000000000; do
    run kymo pub t --replace --fields t:u64,x:u8 --clock user --time t --time-unit ${unit%:*} \
        <<<'{"t":3,"x":1}'
    ok "--time-unit ${unit%:*} is valid"
    is "a time in ${unit%:*} is converted to ns" $((3 * ${unit#*:})) "$(times 1)"
done
run kymo pub t --replace --fields t:f64 --clock user --time t --time-unit s <<<'{"t":1.5}
{"t":2.000000001}'
ok "a time field of type f64 is valid"
is "f64 times in s are converted to ns" '1500000000 2000000001' "$(times 2)"
run kymo pub t --replace --fields t:i32 --clock user --time t <<<'[2147483647]'
is "a time field of type i32 is valid" 2147483647 "$(times 1)"
run kymo pub t --replace --fields t:u64 --clock user --time t <<<'[18446744073709551614]'
is "a time may be the second largest u64" '"18446744073709551614"' \
    "$(kymo get t | sed 's/.*"time":\([0-9]*\).*/"\1"/')"

# Invalid times.
run kymo pub t --replace --fields t:u64 --clock user --time t --time-unit s <<<'[18446744074]
[5]'
refused 1 'kymo: t: line 1: t: 18446744074 is above 2^64-1 ns'
is "the line after an invalid time is published" 5000000000 "$(times 1)"
run kymo pub t --replace --fields t:i64 --clock user --time t <<<'[-1]'
refused 1 "kymo: t: line 1: t: -1: a time cannot be negative"
run kymo pub t --replace --fields t:f64 --clock user --time t <<<'[-0.6]
[null]
[1e30]'
refused 1 'kymo: t: line 1: t: -0.6: a time cannot be negative
kymo: t: line 2: t: *nan is not a time
kymo: t: line 3: t: 1e30 is above 2^64-1 ns'

# Decreasing times: the line is rejected; with --clamp the time is changed.
run kymo pub t --replace --fields t:u64 --clock user --time t < <(printf '[%d]\n' 10 20 15 20 30)
refused 1 "kymo: t: line 3: time 15 is before the newest record's, 20: use --clamp to publish it with that time"
is "lines with decreasing times are skipped" '10 20 20 30' "$(times 4)"
is "info counts rejected records" 'rejected: 1' "$(kymo info t | grep ^rejected:)"
run kymo pub t --replace --clamp --fields t:u64 --clock user --time t \
    < <(printf '[%d]\n' 10 20 15 30)
ok "pub --clamp accepts decreasing times"
is "--clamp uses the time of the newest record" '10 20 20 30' "$(times 4)"
is "info counts clamped records" 'clamped: 1' "$(kymo info t | grep ^clamped:)"
run kymo pub t --fields t:u64 --clock user --time t --clamp <<<'[5]'
is "--clamp compares with records of an earlier writer" '10 20 20 30 30' "$(times 5)"
finish
