# Spellings of numbers and times in the input, and kymo's own output as input.
. "$(dirname "$0")/cli.sh"

# publish FIELDS [option...] < lines: a new generation of t.
publish()
{
    local fields=$1
    shift
    run kymo pub t --replace --fields "$fields" "$@"
}

# The payload of the newest record as hex.
payload()
{
    kymo get t --raw "$@" | od -An -tx1 -v | tr -d ' \n'
}

newest_time()
{
    kymo get t | sed 's/.*"time":\([0-9]*\).*/\1/'
}

# ---- times are exact to the nanosecond in every place ----

time=1490195805.433502912 ns=1490195805433502912
for line in "{\"time\":$time,\"data\":{\"x\":1}}" "{\"time\":$time,\"x\":1}" "{\"time\":\"$time\",\"x\":1}"; do
    publish x:u8 --clock user --time time --time-unit s <<<"$line"
    ok "$line"
    is "exact: $line" $ns "$(newest_time)"
done
publish x:u8 --clock user --time time --time-unit s --csv <<<"time,x
$time,1"
is "the time is exact: a column beside the fields" $ns "$(newest_time)"
for type in f64 f32; do
    publish t:$type --clock user --time t --time-unit s <<<"{\"t\":$time}"
    is "the time is exact: a field of type $type" $ns "$(newest_time)"
    publish t:$type --clock user --time t --time-unit s --csv <<<"t
$time"
    is "the time is exact: a column of type $type" $ns "$(newest_time)"
done
publish x:u8 --clock user --time time --time-unit us <<<'{"time":1.5e3,"x":1}
{"time":1500.0004999,"x":2}
{"time":1500.0005,"x":3}'
ok
is "rounded to the nearest ns" '1500000 1500000 1500001' \
    "$(kymo watch t --from oldest --count 3 --timeout 5s | jq .time | xargs)"
for bad in '-1e-30' '18446744073709551616e-9' 1e300 '"soon"' '""' null true; do
    publish x:u8 --clock user --time time --time-unit s <<<"{\"time\":$bad,\"x\":1}"
    refused 1 'kymo: t: line 1: time: *'
done
publish x:u8 --clock user --time time --time-unit s <<<'{"time":18446744073.709551615,"x":1}'
is "the largest time is valid" 18446744073709551615 "$(newest_time)"
publish x:u8 --clock user --time time --time-unit s <<<'{"time":18446744073.7095516145,"x":1}'
is "rounded at the digit that 64 bits do not hold" 18446744073709551615 "$(newest_time)"
publish x:u8 --clock user <<<'{"time":"ignored","x":1}'
ok "without --time a time beside the fields is ignored"

# ---- dates ----

date=2026-01-31T12:00:00.25+02:00 ns=1769853600250000000
publish x:u8 --clock realtime --time time <<<"{\"time\":\"$date\",\"x\":1}"
ok "RFC 3339"
is "a date beside the fields" $ns "$(newest_time)"
publish x:u8 --clock realtime --time time --csv <<<"time,x
$date,1"
is "a date in a column" $ns "$(newest_time)"
publish at:u64 --clock realtime --time at --csv <<<"at
$date"
is "a date in a field" "$ns $ns" "$(newest_time) $(kymo get t --field at)"
publish at:f64 --clock realtime --time at --time-unit s --csv <<<"at
$date"
is "a date in a field in seconds" "$ns 1769853600.25" "$(newest_time) $(kymo get t --field at)"
publish at:u64 --clock realtime --time at --time-unit s --csv <<<"at
$date"
refused 1 'kymo: t: line 2: at: 1769853600.250000000 is not an integer of type u64'
publish x:u8 --time time <<<"{\"time\":\"$date\",\"x\":1}"
refused 1 "kymo: t: line 1: time: $date is a date: requires --clock realtime"
publish x:u8 --clock realtime --time time <<<'{"time":"2026-02-30T00:00:00Z","x":1}'
refused 1 'kymo: t: line 1: time: "2026-02-30T00:00:00Z" is not a date: *'

# ---- integers are exact or an error, and the message quotes the input ----

for number in 9007199254740993.0 9007199254740993e0 9.007199254740993e15 90071992547409930e-1; do
    publish x:u64 <<<"{\"x\":$number}"
    ok "$number"
    is "$number" 9007199254740993 "$(kymo get t --field x)"
    publish x:i64 --csv <<<"x
-$number"
    is "-$number in a table" -9007199254740993 "$(kymo get t --field x)"
done
publish x:u64 <<<'{"x":1e19}'
is "1e19" 10000000000000000000 "$(kymo get t --field x)"
publish x:u64 <<<'{"x":1e20}'
refused 1 'kymo: t: line 1: x: 1e20 does not fit u64'
publish x:u64 <<<'{"x":9007199254740993.5}'
refused 1 'kymo: t: line 1: x: 9007199254740993.5 is not an integer of type u64'
publish x:u8 <<<'{"x":0e99999999999999999999}'
is "0 with any exponent" 0 "$(kymo get t --field x)"
publish x:u8 <<<'{"x":1e-1000000000000000000000}'
refused 1 'kymo: t: line 1: x: 1e-1000000000000000000000 is not an integer of type u8'
publish x:u64 <<<'{"x":1.00000000000000000000000001}'
refused 1 'kymo: t: line 1: x: 1.00000000000000000000000001 is not an integer of type u64'
publish x:f32 <<<'{"x":1.00000017881393432617187499}'
is "f32 is rounded once" 0100803f "$(payload)"
publish x:f64 <<<'{"x":0.9452706955539223}'
is "f64 of more than 53 bits is rounded once" 3cae6854a83fee3f "$(payload)"

# ---- NaN, infinities, bools ----

for word in NaN nan NAN; do
    publish x:f64 --csv <<<"x
$word"
    ok "$word"
    is "$word" null "$(kymo get t --field x)"
done
plus=000000000000f07f minus=000000000000f0ff
for word in inf +inf Inf Infinity +INFINITY infinity 1e999; do
    publish x:f64 --csv <<<"x
$word"
    is "$word" $plus "$(payload)"
    publish x:f64 --csv <<<"x
-${word#+}"
    is "-${word#+}" $minus "$(payload)"
done
publish a:f64,b:f64,c:f64,d:f64 <<<'[NaN,Infinity,-Infinity,-1e999]'
ok "spellings of Python are valid"
is "in JSON" "$plus$minus$minus" "$(payload | cut -c17-)"
is "as kymo prints them" '{"a":null,"b":1e999,"c":-1e999,"d":-1e999}' "$(data t)"
publish a:f64 <<<'[1e998]'
refused 1 'kymo: t: line 1: a: 1e998 does not fit f64'
publish x:f32 <<<'{"x":1e999}'
is "an infinity of type f32" 0000807f "$(payload)"
publish x:u8 --csv <<<'x
inf'
refused 1 'kymo: t: line 2: x: "inf" is not a number'
for word in true True TRUE 1; do
    publish x:bool --csv <<<"x
$word"
    is "$word" true "$(kymo get t --field x)"
done
publish x:bool --csv <<<'x
FALSE'
is "FALSE" false "$(kymo get t --field x)"
publish x:f64 <<<'{"x":"1.5"}'
is "a number in quotes" 1.5 "$(kymo get t --field x)"
publish x:f64 <<<'{"x":"abc"}'
refused 1 'kymo: t: line 1: x: "abc" is not a number'
publish x:f64 <<<'{"x":""}'
refused 1 'kymo: t: line 1: x: "" is not a number'

# ---- a byte-order mark ----

publish x:u8 < <(printf '\357\273\277{"x":1}\n')
ok "a byte-order mark before JSON"
publish x:u8,y:u8 --csv < <(printf '\357\273\277x,y\n1,2\n')
ok "a byte-order mark before a table"
is "its record" '{"x":1,"y":2}' "$(data t)"
publish x:u8 < <(printf '[1]\n\357\273\277[2]\n')
refused 1 'kymo: t: line 2: invalid JSON: *'

# ---- quotes and separators of tables ----

publish n:u8,s:char[16] --csv <<<'n,s
1,5" pipe
2,a"b"c
3,plain'
ok "quotes within unquoted cells are text"
is "the text" '5" pipe|a"b"c|plain' "$(for i in 2 1 0; do data t --back $i | jq -r .s; done | paste -sd'|')"
feed live 'n,s' kymo pub live --fields 'n:u8,s:char[16]' --csv
eventually "the segment exists" kymo info live
printf '1,5" pipe\n' >"$scratch/live.in"
eventually "the line is published at once" kymo get live
kill "$pid"
wait "$pid"
publish n:u8,s:char[4] --csv <<<'n,s
1,"a
b"
2,c'
ok "a quoted cell with a line break"
is "its text" '{"n":1,"s":"a\nb"}' "$(data t --back 1)"
publish n:u8,s:char[4] --csv <<<'n,s
1,"a"b
2,c'
refused 1 'kymo: t: line 2: text after the closing quote of a cell'
is "the line after an error is published" '{"n":2,"s":"c"}' "$(data t)"
publish x:u8,y:u8 --csv <<<'x;y
1;2'
refused 1 "kymo: t: line 1: no field for the column \"x;y\": the separator must be ','"

# ---- kymo's own output ----

# copy FIELDS: t as JSON and as a table, published again with the same bytes.
copy()
{
    kymo watch t --from oldest --count 2 --timeout 5s >"$scratch/lines"
    run kymo pub copy --replace --clock user --fields "$1" --time time <"$scratch/lines"
    ok "JSON of $1"
    is "records of $1" "$(cat "$scratch/lines")" "$(kymo watch copy --from oldest --count 2 --timeout 5s)"
    {
        printf 'pos,time,tag,%s\n' "$2"
        jq -r '[.pos, .time, .tag] + [.data | to_entries[].value] | @csv' "$scratch/lines"
    } >"$scratch/table"
    run kymo pub copy --replace --clock user --fields "$1" --csv --time time <"$scratch/table"
    ok "a table of $1"
    is "data of $1" "$(jq -c .data "$scratch/lines")" "$(kymo watch copy --from oldest --count 2 --timeout 5s | jq -c .data)"
}
publish data:u8 --clock user <<<'{"data":1}
{"tag":7,"data":2}'
ok
copy data:u8 data
for name in time pos tag; do
    publish $name:u64,x:u8 --clock user --time $name <<<'[1,2]
[3,4]'
    copy $name:u64,x:u8 $name,x
done
publish x:u8 <<<'{"data":{"x":1},"data":{"x":2}}'
refused 1 'kymo: t: line 1: duplicate key data'
finish
