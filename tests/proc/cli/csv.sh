# kymo pub --csv: the header, RFC 4180, and the errors for invalid lines.
. "$(dirname "$0")/cli.sh"

# table FIELDS < table: publishes a table as a new generation of t.
table()
{
    local fields=$1
    shift
    run kymo pub t --replace --csv --fields "$fields" "$@"
}

table 'accel:f32[3],temp:f64' <<<'accel.0,accel.1,accel.2,temp
0.1,0.2,9.8,21.5
-1e3,+2.5,.5,7.'
ok "a table is published"
is "the second line is the newest record" '{"accel":[-1000,2.5,0.5],"temp":7}' "$(data t)"
is "the first line is the record before" '{"accel":[0.1,0.2,9.8],"temp":21.5}' "$(data t --back 1)"

table 'accel:f32[3],temp:f64' < <(printf 'temp,accel.2,accel.0,accel.1\r\n4,3,1,2\r\n')
ok "columns may have any order, and lines may end with CR LF"
is "cells go to the fields that the header names" '{"accel":[1,2,3],"temp":4}' "$(data t)"

table 'm:u8[2][2]' <<<'m.0,m.1,m.2,m.3
1,2,3,4'
is "a table fills a matrix" '{"m":[[1,2],[3,4]]}' "$(data t)"

table 'x:f64,n:u64,i:i64,b:bool' <<<'x,n,i,b
,18446744073709551615,-9223372036854775808,true'
ok "a table with four types is published"
is "an empty cell is NaN, and integers are exact" \
    '{"x":null,"n":18446744073709551615,"i":-9223372036854775808,"b":true}' "$(data t)"

# Text with quotes, separators and line ends, and empty text.
table 'x:u8,s:char[32]' < <(printf 'x,s\n1,"a,""b"""\n2,"two\r\nlines\nmore"\n3,\n4,""\n5,plain\n"6","7"\n')
ok "text cells are published"
is "quotes are removed from text" '"a,\"b\""' "$(data t --back 5 | jq -c .s)"
is "text may contain line ends" '"two\r\nlines\nmore"' "$(data t --back 4 | jq -c .s)"
is "an empty cell is empty text" '""' "$(data t --back 3 | jq -c .s)"
is "an empty quoted cell is empty text" '""' "$(data t --back 2 | jq -c .s)"
is "numbers may be quoted" '{"x":6,"s":"7"}' "$(data t)"

# Invalid lines are skipped; line numbers include lines inside quotes.
table 'x:u8,s:char[4]' < <(printf 'x,s\n1,a\n2\n3,a,b\n300,a\nx,a\n,a\n"4\n"x,a\n5,"a"b\n\n6,abcde\n7,"a\nb"\n8.5,a\n9,z\n10,"a')
refused 1 'kymo: t: line 3: 1 cells: must be 2
kymo: t: line 4: too many cells: must be 2
kymo: t: line 5: x: 300 does not fit u8
kymo: t: line 6: x: "x" is not a number
kymo: t: line 7: x: u8 cannot be null
kymo: t: line 8: text after the closing quote of a cell
kymo: t: line 10: text after the closing quote of a cell
kymo: t: line 12: s: 5 bytes of text do not fit char\[4\]
kymo: t: line 15: x: 8.5 is not an integer of type u8
kymo: t: line 17: missing closing quote'
is "the valid lines are published" '9 7 1' "$(for i in 0 1 2; do kymo get t --back $i --field x; done | xargs)"

# If no field is text, an unmatched quote invalidates its own line only.
table x:u8 <<<'x
1
"2
3'
refused 1 'kymo: t: line 3: missing closing quote'
is "the line after an unmatched quote is published" '{"x":3}' "$(data t)"
# If a field is text, it invalidates at most 1 MiB.
table x:u8,s:char[2] < <(printf 'x,s\n1,"\n'; yes '2,b' | head -n 400000)
refused 1 'kymo: t: line 2: *'
is "lines more than 1 MiB after an unmatched quote are published" '{"x":2,"s":"b"}' "$(data t)"

# Invalid headers: nothing is published, and the old generation remains.
kymo pub t --replace --fields old:u8 <<<'[7]'
for header in 'x' 'x,y,z' 'x,x,y' 'pos,x' 'x,"y' 'X,Y'; do
    table x:u8,y:u8 < <(printf '%s\n1,2\n' "$header")
    refused 1 'kymo: t: line 1: *'
    is "the header $header does not replace the segment" '{"old":7}' "$(data t)"
done
table x:u8,y:u8 <<<'x,z
1,2'
refused 1 'kymo: t: line 1: no field for the column "z"'
table x:u8,y:u8 <<<'y
1'
refused 1 'kymo: t: line 1: missing column x'
table x:u8 </dev/null
ok "an empty table is valid"

# Columns that are not fields: time and tag are stored, pos is ignored.
table x:f64 --clock user --time time <<<'pos,time,tag,x
70,100,7,1
71,250,8,2'
ok "a table with pos, time and tag is published"
is "the columns time and tag are stored" '{"pos":1,"time":250,"tag":8,"data":{"x":2}}' "$(kymo get t)"
is "the column pos is ignored" '{"pos":0,"time":100,"tag":7,"data":{"x":1}}' "$(kymo get t --back 1)"
table x:f64 --clock user --time time <<<'x
1'
refused 1 'kymo: t: line 2: missing time'
table time:u64,x:u8 --clock user --time time --time-unit us <<<'x,time
1,100
2,200'
ok "a field named time is valid"
is "a field named time has priority over the column" '{"pos":1,"time":200000,"tag":0,"data":{"time":200,"x":2}}' "$(kymo get t)"

# "# missed N" lines are skipped, unless they are text of a field.
table x:f64 <<<'x
1
# missed 12
2'
ok "a line of missed records is skipped"
is "the records beside a line of missed records are published" '{"x":1} {"x":2}' "$(data t --back 1) $(data t)"
table x:f64 <<<'x
# missed
# missed 1x
2'
refused 1 'kymo: t: line 2: *'
table s:char[16] <<<'s
# missed 12'
ok "text like a line of missed records is published"
is "text may look like a line of missed records" '{"s":"# missed 12"}' "$(data t)"
finish
