# kymo pub with lines of JSON: all forms of a record, exact numbers, errors for invalid lines.
. "$(dirname "$0")/cli.sh"

# publish FIELDS LINE...: publishes lines as a new generation of t.
publish()
{
    local fields=$1
    shift
    run kymo pub t --replace --fields "$fields" < <(printf '%s\n' "$@")
}

# accepts FIELDS LINE DATA: the line is accepted, and get prints DATA.
accepts()
{
    publish "$1" "$2"
    ok "$2 is accepted"
    is "get prints what $2 published" "$3" "$(data t)"
}

# rejects FIELDS LINE PATTERN: the line is an error that matches PATTERN, and nothing is published.
rejects()
{
    publish "$1" "$2"
    refused 1 "kymo: t: line 1: $3"
    run kymo get t
    refused 1 "kymo: t: no record yet"
}

imu=accel:f32[3],temp:f64
record='{"accel":[0.1,0.2,9.8],"temp":21.5}'
accepts $imu "$record" "$record"
accepts $imu '{"temp":21.5,"accel":[0.1,0.2,9.8]}' "$record"
accepts $imu '[[0.1,0.2,9.8],21.5]' "$record"
accepts $imu '[0.1,0.2,9.8,21.5]' "$record"
accepts $imu ' {"accel" : [ 1e-1 , 2E-1 , 9.8 ] , "temp" : 21.5 } '$'\r' "$record"
accepts m:i8[2][3] '{"m":[[1,2,3],[4,5,-6]]}' '{"m":[[1,2,3],[4,5,-6]]}'
accepts m:i8[2][3] '{"m":[1,2,3,4,5,-6]}' '{"m":[[1,2,3],[4,5,-6]]}'
accepts m:i8[2][3] '[[[1,2,3],[4,5,-6]]]' '{"m":[[1,2,3],[4,5,-6]]}'
accepts m:i8[2][3] '[1,2,3,4,5,-6]' '{"m":[[1,2,3],[4,5,-6]]}'
accepts one:f32[1] '{"one":[1]}' '{"one":[1]}'
accepts one:f32[1] '[1]' '{"one":[1]}'
accepts x:f64 '1.5' '{"x":1.5}'
accepts x:f64,y:f32 '[-0.0,-1e-50]' '{"x":-0.0,"y":-0.0}'
accepts x:f64,y:f32 '{"x":-0.0,"y":-0.0}' '{"x":-0.0,"y":-0.0}'
accepts name:char[8],ok:bool '{"name":"käse","ok":true}' '{"name":"käse","ok":true}'
accepts name:char[8],ok:bool '["12345678",0]' '{"name":"12345678","ok":false}'
accepts names:char[2][4] '{"names":["ab","cdef"]}' '{"names":["ab","cdef"]}'
accepts names:char[2][4],n:u8 '["ab","cdef",7]' '{"names":["ab","cdef"],"n":7}'
accepts x:f64 '{"pos":7,"time":3,"tag":9,"data":{"x":4}}' '{"x":4}'
is "a line as kymo get prints it sets the tag" 9 "$(kymo get t | jq .tag)"
accepts data:f64,x:u8 '{"data":1,"x":2}' '{"data":1,"x":2}'

# Exact integers at both limits of each type.
accepts x:u64 '{"x":18446744073709551615}' '{"x":18446744073709551615}'
accepts x:u64 '{"x":9223372036854775808}' '{"x":9223372036854775808}'
accepts x:u64,s:char[24],y:u64 '{"x":18446744073709551614,"s":"18446744073709551615\"","y":"12"}' \
    '{"x":18446744073709551614,"s":"18446744073709551615\"","y":12}'
accepts x:u64[2] '[18446744073709551615,18446744073709551614]' \
    '{"x":[18446744073709551615,18446744073709551614]}'
accepts x:i64 '{"x":-9223372036854775808}' '{"x":-9223372036854775808}'
accepts x:i64 '{"x":9223372036854775807}' '{"x":9223372036854775807}'
accepts x:f64 '{"x":18446744073709551616}' '{"x":1.8446744073709552e+19}'
accepts x:f64 '{"x":1.8446744073709551616e300}' '{"x":1.8446744073709552e+300}'
accepts x:i32 '{"x":3.0}' '{"x":3}'
for bits in 8 16 32; do
    accepts "x:u$bits,y:i$bits" "[$((2 ** bits - 1)),$((-(2 ** (bits - 1))))]" \
        "{\"x\":$((2 ** bits - 1)),\"y\":$((-(2 ** (bits - 1))))}"
    accepts "x:i$bits" "[$((2 ** (bits - 1) - 1))]" "{\"x\":$((2 ** (bits - 1) - 1))}"
    rejects "x:u$bits" "[$((2 ** bits))]" "x: $((2 ** bits)) does not fit u$bits"
    rejects "x:u$bits" "[-1]" "x: -1 does not fit u$bits"
    rejects "x:i$bits" "[$((2 ** (bits - 1)))]" "x: $((2 ** (bits - 1))) does not fit i$bits"
    rejects "x:i$bits" "[$((-(2 ** (bits - 1)) - 1))]" "x: * does not fit i$bits"
done
rejects x:u64 '{"x":18446744073709551616}' 'x: 18446744073709551616 does not fit u64'
rejects x:u64 '{"x":-1}' 'x: -1 does not fit u64'
rejects x:i64 '{"x":9223372036854775808}' 'x: 9223372036854775808 does not fit i64'
rejects x:i64 '{"x":-9223372036854775809}' 'x: -9223372036854775809 does not fit i64'
rejects x:i64 '{"x":1e300}' 'x: 1e300 does not fit i64'
rejects x:u8 '{"x":1.5}' 'x: 1.5 is not an integer of type u8'
rejects x:f32 '{"x":1e39}' 'x: * does not fit f32'
rejects x:f64 '{"x":1e400}' 'x: 1e400 does not fit f64'

# null is stored as NaN and printed as null.
accepts x:f64,y:f32[2] '{"x":null,"y":[1,null]}' '{"x":null,"y":[1,null]}'
rejects x:u8 '{"x":null}' "x: u8 cannot be null"
rejects x:bool '{"x":null}' "x: bool cannot be null"

rejects x:f64 '{"x":' 'invalid JSON: *'
rejects x:f64 '{"x":1} {"x":2}' 'invalid JSON: *'
rejects x:f64 'x' 'invalid JSON: *'
rejects x:f64 $'{"x":1,"\xff":2}' 'invalid JSON: *'
rejects x:f64 '{"x":1,"x":2}' 'duplicate field x'
rejects x:f64 '{"x":nan}' 'invalid JSON: *'
rejects x:u8 '{"x":NaN}' 'x: "NaN" is not a number'
rejects x:f64 '{}' 'missing field x'
rejects x:f64,y:f64 '{"y":1}' 'missing field x'
rejects x:f64 '{"x":1,"z":2}' 'no field z'
rejects x:f64 '{"x":"1,5"}' 'x: "1,5" is not a number'
rejects x:f64 '{"x":true}' 'x: true does not fit f64'
rejects x:f64 '{"x":[1]}' 'x: must be a single f64'
rejects x:f64 '{"x":{}}' 'x: must be a single f64'
rejects x:f64 '"text"' '*'
rejects x:f64,y:f64 '1' 'must be an object or an array'
rejects x:bool '{"x":2}' 'x: 2 does not fit bool'
rejects x:char[4] '{"x":"12345"}' "x: 5 bytes of text do not fit char\[4\]"
rejects x:char[4] '{"x":1}' 'x: 1 is a number: must be text'
rejects $imu '{"accel":[1,2],"temp":1}' 'accel: must be an array of 3'
rejects $imu '{"accel":[1,2,3,4],"temp":1}' 'accel: must be an array of 3'
rejects $imu '{"accel":1,"temp":1}' 'accel: must be an array of 3'
rejects $imu '[1,2,3]' 'an array of 3: must be 2 fields or 4 values'
rejects m:i8[2][3] '{"m":[[1,2],[3,4],[5,6]]}' 'm: must be an array of 2'
rejects m:i8[2][3] '{"m":[[1,2,3],[4,5]]}' 'm: must be an array of 3'
rejects x:f64 "$(printf '[%.0s' {1..3000})" 'invalid JSON: *'

# An invalid line is reported with its number and skipped; the other lines are published.
publish x:f64 '{"x":1}' '' 'oops' '{"y":1}' '{"x":2}' '{"x":3'
refused 1 'kymo: t: line 3: invalid JSON: *
kymo: t: line 4: no field y
kymo: t: line 6: invalid JSON: *'
is "the valid line after invalid ones is published" '{"x":2}' "$(data t)"
is "the valid line before invalid ones is published" '{"x":1}' "$(data t --back 1)"

# The last line may lack a line end; a line may have 5 MB; a zero byte does not end a line.
run kymo pub t --replace --fields x:f64 < <(printf '[1]\n[2]')
ok "a last line without a line end is valid"
is "a last line without a line end is published" '{"x":2}' "$(data t)"
run kymo pub t --replace --fields x:f64 < <(printf '{"x":%5000000d}\n{"x":5}\n' 4)
ok "a line of 5 MB is valid"
is "a line of 5 MB is published" '{"x":4}' "$(data t --back 1)"
run kymo pub t --replace --fields x:f64 < <(printf '[1]\0\n[2]\n')
refused 1 'kymo: t: line 1: invalid JSON: *'
is "the line after a zero byte is published" '{"x":2}' "$(data t)"
run kymo pub t --replace --fields 'x:u32[20000]' < <(jq -nc '[range(20000)]')
ok "a field of 20000 values is published"
is "get --field prints the last of 20000 values" 19999 "$(kymo get t --field x.19999)"
is "get --field prints 20000 values" "$(seq 0 19999 | sha256sum)" "$(kymo get t --field x | sha256sum)"

# kymo pub reads what kymo watch prints, with times and tags.
run kymo pub a --replace --clock user --fields "$imu" --time time <<<'
{"time":100,"tag":7,"data":{"accel":[1,null,3.25],"temp":0.1}}
{"time":200,"tag":8,"data":{"accel":[4,5,6],"temp":1e-300}}'
ok "records with times and tags are published"
run kymo pub b --clock user --fields "$imu" --time time \
    < <(kymo watch a --from oldest --count 2)
ok "pub reads the output of watch"
is "the copy has the same positions, times, tags and data" "$(kymo watch a --from oldest --count 2)" \
    "$(kymo watch b --from oldest --count 2)"

# {"missed":N} is skipped, unless a field has that name.
run kymo pub t --replace --fields x:f64 <<<'{"x":1}
{"missed":12}
{"x":2}'
ok "a line of missed records is skipped"
is "the records beside a line of missed records are published" '{"x":1} {"x":2}' "$(data t --back 1) $(data t)"
run kymo pub t --replace --fields x:f64 <<<'{"missed":-1}'
refused 1 'kymo: t: line 1: *'
run kymo pub t --replace --fields missed:u32 <<<'{"missed":12}'
ok "a field named missed is published"
is "a field named missed is stored" '{"missed":12}' "$(data t)"
finish
