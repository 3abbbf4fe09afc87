# Lines of JSON: each spelling of a record, exact numbers, and what becomes of bad lines.
. "$(dirname "$0")/cli.sh"

# publish FIELDS LINE...: a new generation of t.
publish()
{
    local fields=$1
    shift
    run kymo pub t --replace --fields "$fields" < <(printf '%s\n' "$@")
}

# takes FIELDS LINE DATA: the line is taken, and reads as that.
takes()
{
    publish "$1" "$2"
    ok "taking $2"
    is "what $2 reads as" "$3" "$(data t)"
}

# bad FIELDS LINE PATTERN: the line is refused.
bad()
{
    publish "$1" "$2"
    refused 1 "kymo: t: line 1: $3"
    run kymo get t
    refused 1 "kymo: t: no record published yet"
}

imu=accel:f32[3],temp:f64
record='{"accel":[0.1,0.2,9.8],"temp":21.5}'
takes $imu "$record" "$record"
takes $imu '{"temp":21.5,"accel":[0.1,0.2,9.8]}' "$record"
takes $imu '[[0.1,0.2,9.8],21.5]' "$record"
takes $imu '[0.1,0.2,9.8,21.5]' "$record"
takes $imu ' {"accel" : [ 1e-1 , 2E-1 , 9.8 ] , "temp" : 21.5 } '$'\r' "$record"
takes m:i8[2][3] '{"m":[[1,2,3],[4,5,-6]]}' '{"m":[[1,2,3],[4,5,-6]]}'
takes m:i8[2][3] '{"m":[1,2,3,4,5,-6]}' '{"m":[[1,2,3],[4,5,-6]]}'
takes m:i8[2][3] '[[[1,2,3],[4,5,-6]]]' '{"m":[[1,2,3],[4,5,-6]]}'
takes m:i8[2][3] '[1,2,3,4,5,-6]' '{"m":[[1,2,3],[4,5,-6]]}'
takes one:f32[1] '{"one":[1]}' '{"one":[1]}'
takes one:f32[1] '[1]' '{"one":[1]}'
takes x:f64 '1.5' '{"x":1.5}'
takes x:f64,y:f32 '[-0.0,-1e-50]' '{"x":-0.0,"y":-0.0}'
takes x:f64,y:f32 '{"x":-0.0,"y":-0.0}' '{"x":-0.0,"y":-0.0}'
takes name:char[8],ok:bool '{"name":"käse","ok":true}' '{"name":"käse","ok":true}'
takes name:char[8],ok:bool '["12345678",0]' '{"name":"12345678","ok":false}'
takes names:char[2][4] '{"names":["ab","cdef"]}' '{"names":["ab","cdef"]}'
takes names:char[2][4],n:u8 '["ab","cdef",7]' '{"names":["ab","cdef"],"n":7}'
takes x:f64 '{"pos":7,"time":3,"tag":9,"data":{"x":4}}' '{"x":4}'
is "the tag of a record as kymo prints it" 9 "$(kymo get t | jq .tag)"
takes data:f64,x:u8 '{"data":1,"x":2}' '{"data":1,"x":2}'

# Integers to the last digit, at both ends of each type.
takes x:u64 '{"x":18446744073709551615}' '{"x":18446744073709551615}'
takes x:u64 '{"x":9223372036854775808}' '{"x":9223372036854775808}'
takes x:u64,s:char[24],y:u64 '{"x":18446744073709551614,"s":"18446744073709551615\"","y":"12"}' \
    '{"x":18446744073709551614,"s":"18446744073709551615\"","y":12}'
takes x:u64[2] '[18446744073709551615,18446744073709551614]' \
    '{"x":[18446744073709551615,18446744073709551614]}'
takes x:i64 '{"x":-9223372036854775808}' '{"x":-9223372036854775808}'
takes x:i64 '{"x":9223372036854775807}' '{"x":9223372036854775807}'
takes x:f64 '{"x":18446744073709551616}' '{"x":1.8446744073709552e+19}'
takes x:f64 '{"x":1.8446744073709551616e300}' '{"x":1.8446744073709552e+300}'
takes x:i32 '{"x":3.0}' '{"x":3}'
for bits in 8 16 32; do
    takes "x:u$bits,y:i$bits" "[$((2 ** bits - 1)),$((-(2 ** (bits - 1))))]" \
        "{\"x\":$((2 ** bits - 1)),\"y\":$((-(2 ** (bits - 1))))}"
    takes "x:i$bits" "[$((2 ** (bits - 1) - 1))]" "{\"x\":$((2 ** (bits - 1) - 1))}"
    bad "x:u$bits" "[$((2 ** bits))]" "x: $((2 ** bits)) does not fit u$bits"
    bad "x:u$bits" "[-1]" "x: -1 does not fit u$bits"
    bad "x:i$bits" "[$((2 ** (bits - 1)))]" "x: $((2 ** (bits - 1))) does not fit i$bits"
    bad "x:i$bits" "[$((-(2 ** (bits - 1)) - 1))]" "x: * does not fit i$bits"
done
bad x:u64 '{"x":18446744073709551616}' 'x: 18446744073709551616 does not fit u64'
bad x:u64 '{"x":-1}' 'x: -1 does not fit u64'
bad x:i64 '{"x":9223372036854775808}' 'x: 9223372036854775808 does not fit i64'
bad x:i64 '{"x":-9223372036854775809}' 'x: -9223372036854775809 does not fit i64'
bad x:i64 '{"x":1e300}' 'x: 1e300 does not fit i64'
bad x:u8 '{"x":1.5}' 'x: 1.5 is not an integer of type u8'
bad x:f32 '{"x":1e39}' 'x: * does not fit f32'
bad x:f64 '{"x":1e400}' 'x: 1e400 does not fit f64'

# null is NaN, and NaN is null.
takes x:f64,y:f32[2] '{"x":null,"y":[1,null]}' '{"x":null,"y":[1,null]}'
bad x:u8 '{"x":null}' "x: u8 cannot be null"
bad x:bool '{"x":null}' "x: bool cannot be null"

bad x:f64 '{"x":' 'invalid JSON: *'
bad x:f64 '{"x":1} {"x":2}' 'invalid JSON: *'
bad x:f64 'x' 'invalid JSON: *'
bad x:f64 $'{"x":1,"\xff":2}' 'invalid JSON: *'
bad x:f64 '{"x":1,"x":2}' 'duplicate field x'
bad x:f64 '{"x":nan}' 'invalid JSON: *'
bad x:u8 '{"x":NaN}' 'x: "NaN" is not a number'
bad x:f64 '{}' 'missing field x'
bad x:f64,y:f64 '{"y":1}' 'missing field x'
bad x:f64 '{"x":1,"z":2}' 'no field z'
bad x:f64 '{"x":"1,5"}' 'x: "1,5" is not a number'
bad x:f64 '{"x":true}' 'x: true does not fit f64'
bad x:f64 '{"x":[1]}' 'x: must be a single f64'
bad x:f64 '{"x":{}}' 'x: must be a single f64'
bad x:f64 '"text"' '*'
bad x:f64,y:f64 '1' 'must be an object or an array'
bad x:bool '{"x":2}' 'x: 2 does not fit bool'
bad x:char[4] '{"x":"12345"}' "x: 5 bytes of text do not fit char\[4\]"
bad x:char[4] '{"x":1}' 'x: 1 is a number: must be text'
bad $imu '{"accel":[1,2],"temp":1}' 'accel: must be an array of 3'
bad $imu '{"accel":[1,2,3,4],"temp":1}' 'accel: must be an array of 3'
bad $imu '{"accel":1,"temp":1}' 'accel: must be an array of 3'
bad $imu '[1,2,3]' 'an array of 3: must be 2 fields or 4 values'
bad m:i8[2][3] '{"m":[[1,2],[3,4],[5,6]]}' 'm: must be an array of 2'
bad m:i8[2][3] '{"m":[[1,2,3],[4,5]]}' 'm: must be an array of 3'
bad x:f64 "$(printf '[%.0s' {1..3000})" 'invalid JSON: *'

# A bad line is reported with its number and skipped; what stands around it is published.
publish x:f64 '{"x":1}' '' 'oops' '{"y":1}' '{"x":2}' '{"x":3'
refused 1 'kymo: t: line 3: invalid JSON: *
kymo: t: line 4: no field y
kymo: t: line 6: invalid JSON: *'
is "the good line after the bad ones" '{"x":2}' "$(data t)"
is "and the one before them" '{"x":1}' "$(data t --back 1)"

# The last line need not end; a line may be long; a zero byte is no end of a line.
run kymo pub t --replace --fields x:f64 < <(printf '[1]\n[2]')
ok
is "a line without its end" '{"x":2}' "$(data t)"
run kymo pub t --replace --fields x:f64 < <(printf '{"x":%5000000d}\n{"x":5}\n' 4)
ok "a line of five million bytes"
is "the long line" '{"x":4}' "$(data t --back 1)"
run kymo pub t --replace --fields x:f64 < <(printf '[1]\0\n[2]\n')
refused 1 'kymo: t: line 1: invalid JSON: *'
is "the line after the zero byte" '{"x":2}' "$(data t)"
run kymo pub t --replace --fields 'x:u32[20000]' < <(jq -nc '[range(20000)]')
ok "a field of twenty thousand values"
is "its last value" 19999 "$(kymo get t --field x.19999)"
is "its values" "$(seq 0 19999 | sha256sum)" "$(kymo get t --field x | sha256sum)"

# What kymo prints, it reads: records with their times and tags.
run kymo pub a --replace --clock user --fields "$imu" --time time <<<'
{"time":100,"tag":7,"data":{"accel":[1,null,3.25],"temp":0.1}}
{"time":200,"tag":8,"data":{"accel":[4,5,6],"temp":1e-300}}'
ok
run kymo pub b --clock user --fields "$imu" --time time \
    < <(kymo watch a --from oldest --count 2)
ok
is "a copy of the records" "$(kymo watch a --from oldest --count 2)" \
    "$(kymo watch b --from oldest --count 2)"

# How many records are missing somewhere is no record, unless a field has that name.
run kymo pub t --replace --fields x:f64 <<<'{"x":1}
{"missed":12}
{"x":2}'
ok "lines with a gap"
is "its records" '{"x":1} {"x":2}' "$(data t --back 1) $(data t)"
run kymo pub t --replace --fields x:f64 <<<'{"missed":-1}'
refused 1 'kymo: t: line 1: *'
run kymo pub t --replace --fields missed:u32 <<<'{"missed":12}'
ok
is "a field called missed" '{"missed":12}' "$(data t)"
finish
