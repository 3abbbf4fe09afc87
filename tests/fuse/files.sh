# The content of each file, and the errors of wrong names.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make t fields=x:f64 count=2 || exit 1
"$SEGMENT" make wide 'fields=accel:f32[3],big:i32[65],name:char[4],on:bool,n:u64,m:u8[2][2]' count=5 ||
    exit 1
"$SEGMENT" make timed fields=n:u32 clock=user time=1000 step=10 count=10 depth=8 || exit 1
"$SEGMENT" make dated fields=n:u32 clock=realtime count=1 || exit 1
"$SEGMENT" make empty fields=n:u32 || exit 1
"$SEGMENT" make bytes size=4 count=300 depth=512 || exit 1
mount_view

pos_of()
{
    sed 's/^{"pos":\([0-9]*\),.*}$/\1/' "$mnt/$1"
}

data_of()
{
    sed 's/^{.*,"data":\(.*\)}$/\1/' "$mnt/$1"
}

# ---- the tree ----
check "the root lists segments, README and metrics.prom" "README bytes dated empty metrics.prom t timed wide " "$(ls "$mnt" | tr '\n' ' ')"
check "a segment lists its files" "field history history.csv history.ndjson info latest latest.raw plot.svg raw schema " "$(ls "$mnt/t" | tr '\n' ' ')"
check "history/ lists all records" "0 0.raw 1 1.raw " "$(ls "$mnt/t/history" | tr '\n' ' ')"
check "field/ lists all fields" "x" "$(ls "$mnt/t/field")"
check "history/ lists 64 records at most" "128" "$(ls "$mnt/bytes/history" | wc -l)"
check "history/ does not list the slot that is overwritten next" "14" "$(ls "$mnt/timed/history" | wc -l)"
check "history/ of a segment without records is empty" "" "$(ls "$mnt/empty/history")"
check "stat reports the file types" "directory regular file symbolic link" \
    "$(echo $(stat -c %F "$mnt/t" "$mnt/t/latest" "$mnt/t/raw"))"
check "field/ lists array elements" "accel.0 accel.1 accel.2 big m.0 m.1 m.2 m.3 n name on " \
    "$(ls "$mnt/wide/field" | tr '\n' ' ')"

# ---- records ----
check "latest has the data of the newest record" '{"x":1}' "$(data_of "t/latest")"
check "latest is one line" "1" "$(wc -l <"$mnt/t/latest")"
check "latest has pos, time, tag and data" '["data","pos","tag","time"]' "$(jq -c keys "$mnt/t/latest")"
check "history/1 is the record before" '{"x":0}' "$(data_of "t/history/1")"
check "latest.raw is the payload" "000000000000f03f" "$(od -An -tx1 "$mnt/t/latest.raw" | tr -d ' \n')"
check "history/1.raw is the payload of the record before" "0000000000000000" "$(od -An -tx1 "$mnt/t/history/1.raw" | tr -d ' \n')"
check "data without fields is hexadecimal" '"2b2b2b2b"' "$(data_of "bytes/latest")"
check "history/199 exists though it is not listed" "100" "$(pos_of "bytes/history/199")"
check "history/199.raw exists though it is not listed" "64646464" "$(od -An -tx1 "$mnt/bytes/history/199.raw" | tr -d ' \n')"
check "history/7 reads the slot that is overwritten next" "3" "$(pos_of "timed/history/6")"
check "a realtime record has a date" "true" "$(jq '.when | test("^20[0-9-]*T[0-9:.]*Z$")' "$mnt/dated/latest")"

# ---- fields ----
check "field/x is the value" "1" "$(cat "$mnt/t/field/x")"
check "field/x ends with a newline" "2" "$(wc -c <"$mnt/t/field/x")"
check "field/accel.2 is one element of an array" "4" "$(cat "$mnt/wide/field/accel.2")"
check "field/big has one line per element" "65 4" "$(echo $(wc -l <"$mnt/wide/field/big") $(sort -u "$mnt/wide/field/big"))"
check "field/name is text without quotes" "eeee" "$(cat "$mnt/wide/field/name")"
check "field/on is true or false" "false" "$(cat "$mnt/wide/field/on")"
check "field/m.3 is one element of a matrix" "4" "$(cat "$mnt/wide/field/m.3")"

# ---- about the segment ----
check "info reports the writer's state" "writer: CLOSED" "$(echo $(grep ^writer: "$mnt/t/info"))"
check "info reports the number of records" "records: 300" "$(grep ^records: "$mnt/bytes/info")"
check "schema lists name, type and shape" "x f64 []" "$(jq -r '.fields[] | "\(.name) \(.type) \(.shape)"' "$mnt/t/schema")"
check "schema of a segment without fields is empty" "[]" "$(jq -c .fields "$mnt/bytes/schema")"
check "raw links to the segment's file" "$KYMO_DIR/t" "$(readlink "$mnt/t/raw")"
succeeds "raw opens the segment's file" cmp "$KYMO_DIR/t" "$mnt/t/raw"

# ---- time queries ----
closest()
{
    pos_of "timed/closest?$1"
}
check "closest finds an equal time" "5" "$(closest t=1050)"
check "closest finds the closer of two records" "5" "$(closest t=1054)"
check "closest prefers the earlier of two equal distances" "5" "$(closest t=1055)"
check "closest after the history is the newest record" "9" "$(closest t=5us)"
check "closest before the history is the oldest record" "3" "$(closest t=0)"
check "closest succeeds at a distance of exactly max" "5" "$(closest 't=1054&max=4')"
check "parameters may have any order" "5" "$(closest 'max=4ns&t=1054')"
check "closest/TIME is the same query" "5" "$(pos_of "timed/closest/1054")"
check "closest?t=TIME.raw is the payload" "05000000" "$(od -An -tx1 "$mnt/timed/closest?t=1054.raw" | tr -d ' \n')"
check "closest?t=TIME&max=DUR.raw is the payload" "05000000" "$(od -An -tx1 "$mnt/timed/closest?t=1054&max=4.raw" | tr -d ' \n')"
check "closest/TIME.raw is the payload" "05000000" "$(od -An -tx1 "$mnt/timed/closest/1054.raw" | tr -d ' \n')"
check "closest accepts now" "1" "$(pos_of "t/closest?t=now")"
check "closest accepts a relative time" "1" "$(pos_of "t/closest/now-1us")"
check "closest accepts a date" "0" "$(pos_of "dated/closest/2026-01-31T23:59:59.5Z")"
fails_with ERANGE "timed/closest?t=1054&max=3"
for query in 't=abc' '' 't=' 't' 'x=1' 't=1&t=2' 't=1&max=' 't=1&max=-1' 't=1&' 't=-1s' 't=now' \
    't=1&x=2' 'max=1'; do
    fails_with EINVAL "timed/closest?$query"
done
fails_with EINVAL "timed/closest/abc"
fails_with EINVAL "t/closest/2026-01-31T23:59:59Z"

check "tag/N is the record with the tag" "5" "$(pos_of timed/tag/5)"
check "tag?n=N is the same query" "5" "$(pos_of "timed/tag?n=5")"
check "tag/N.raw is the payload" "05000000" "$(od -An -tx1 "$mnt/timed/tag/5.raw" | tr -d ' \n')"
fails_with ENODATA timed/tag/10
fails_with ENOENT timed/tag/2 # overwritten
fails_with ENODATA empty/tag/0
fails_with EINVAL timed/tag/-1
fails_with EINVAL timed/tag/now

# as_kymo FILE ARGUMENT...: the file and kymo get print the same.
as_kymo()
{
    file=$1
    shift
    "$KYMO" get "$@" >"$work/expected"
    succeeds "$file equals kymo get $*" cmp "$work/expected" "$mnt/$file"
}
as_kymo "wide/latest" wide
as_kymo "wide/history/3" wide --back 3
as_kymo "timed/closest?t=1054&max=4" timed --closest 1054 --max 4
as_kymo "timed/tag/6" timed --tag 6
as_kymo "timed/interp?t=1054" timed --interp 1054
as_kymo "timed/interp/1060ns" timed --interp 1060
as_kymo "dated/fresh?max_age=1h" dated --fresh 1h
as_kymo "dated/fresh/1h.raw" dated --fresh 1h --raw
as_kymo "wide/field/big" wide --field big
first=$("$KYMO" get wide --back 4 | jq .time)
as_kymo "wide/interp/$((first + 1))" wide --interp $((first + 1))
"$KYMO" watch timed --from oldest --count 7 >"$work/expected"
succeeds "history.ndjson equals kymo watch" cmp "$work/expected" "$mnt/timed/history.ndjson"

check "interp interpolates and names both records" "0.5 5.5 5 6" \
    "$(jq -r '"\(.alpha) \(.data.n) \(.before.pos) \(.after.pos)"' "$mnt/timed/interp?t=1055")"
check "fresh finds a new record" "0" "$(pos_of "dated/fresh?max_age=1h")"
check "range finds all records between two times" "4 5 6" "$(echo $(jq .pos "$mnt/timed/range?from=1035&to=1060ns"))"
check "range/FROM..TO is the same query" "4 5 6" "$(echo $(jq .pos "$mnt/timed/range/1035..1.06us"))"
check "range with format=csv is a table" "pos,time,tag,n 4,1040,4,4 5,1050,5,5" \
    "$(echo $(cat "$mnt/timed/range?from=1035&to=1050&format=csv"))"
check "a range without records is empty" "0" "$(wc -c <"$mnt/timed/range/1051..1059")"
fails_with EDOM "timed/interp/1091"
fails_with EDOM "timed/interp?t=0"
fails_with ETIME "t/fresh/0"
fails_with EINVAL "timed/fresh/1h" # the clock has no current time
# A record that is ahead of the clock, which was stepped back.
echo "[$(($(date +%s) + 3600))]" |
    "$KYMO" pub ahead --fields t:u64 --time t --time-unit s --clock realtime
fails_with ETIME "ahead/fresh/1s"
check "fresh finds a record that is ahead by less than its limit" "0" "$(pos_of "ahead/fresh/2h")"
"$KYMO" rm ahead
for query in 'interp?t=1.raw' 'interp?t=' 'interp/1.raw' 'fresh?t=1' 'fresh/-1s' 'range?from=1' \
    'range/1' 'range/2..1' 'range?from=1&to=2&format=xml' 'range/1..2.raw'; do
    fails_with EINVAL "t/$query"
done

# ---- histories ----
check "history.csv has a header and the oldest record" "pos,time,tag,n 3,1030,3,3" "$(echo $(head -n 2 "$mnt/timed/history.csv"))"
check "history.csv ends with the newest record" "9,1090,9,9" "$(tail -n 1 "$mnt/timed/history.csv")"
check "history.csv of bytes is hexadecimal" "299 299,2b2b2b2b" \
    "$(tail -n 1 "$mnt/bytes/history.csv" | sed 's/^\([0-9]*\),.*,\(.*,.*\)$/\1 \2/')"
check "history.ndjson has all records in order" "3 4 5 6 7 8 9" "$(echo $(jq .pos "$mnt/timed/history.ndjson"))"
check "history.csv without records is a header" "pos,time,tag,n" "$(cat "$mnt/empty/history.csv")"
check "history.ndjson without records is empty" "0" "$(wc -c <"$mnt/empty/history.ndjson")"
# kymo pub reads both formats.
"$KYMO" pub again --csv --fields n:u32 --clock user --time time <"$mnt/timed/history.csv"
check "history.csv can be published again" "$(cut -d, -f2- "$mnt/timed/history.csv")" \
    "$(cut -d, -f2- "$mnt/again/history.csv")"
"$KYMO" rm again
"$KYMO" pub again --fields n:u32 --clock user --time time <"$mnt/timed/history.ndjson"
check "history.ndjson can be published again" "$(jq -c 'del(.pos)' "$mnt/timed/history.ndjson")" \
    "$(jq -c 'del(.pos)' "$mnt/again/history.ndjson")"
"$KYMO" rm again
# Fields with the names of the columns before them, NaN and infinities.
fields='time:u64,pos:u8,tag:f32,x:f64[2]'
printf '[10,1,Infinity,1.5,-Infinity]\n[20,2,null,NaN,0]\n' |
    "$KYMO" pub odd --fields "$fields" --clock user --time time
check "history.csv names NaN and infinities" "0,10,0,10,1,inf,1.5,-inf 1,20,0,20,2,nan,nan,0" \
    "$(echo $(tail -n 2 "$mnt/odd/history.csv"))"
check "a field file of an infinity" "1e999" "$(echo '[Infinity]' | "$KYMO" pub one --fields x:f32 && cat "$mnt/one/field/x")"
for format in csv ndjson; do
    option=$([ $format = csv ] && echo --csv)
    "$KYMO" pub again $option --fields "$fields" --clock user --time time <"$mnt/odd/history.$format"
    check "history.$format of any names and values can be published again" \
        "$(cat "$mnt/odd/history.ndjson")" "$(cat "$mnt/again/history.ndjson")"
    "$KYMO" rm again
done
"$KYMO" rm odd
"$KYMO" rm one

# ---- as of an instant ----
check "at/TIME: latest" "5" "$(pos_of "at/1054/timed/latest")"
check "at/TIME: history.ndjson" "3 4 5" "$(echo $(jq .pos "$mnt/at/1054/timed/history.ndjson"))"
check "at/TIME: history.csv" "5,1050,5,5" "$(tail -n 1 "$mnt/at/1.054us/timed/history.csv")"
check "at/TIME: history/ is listed" "0 0.raw 1 1.raw 2 2.raw " "$(ls "$mnt/at/1054/timed/history" | tr '\n' ' ')"
check "at/TIME: field" "5" "$(cat "$mnt/at/1054/timed/field/n")"
check "at/TIME: latest.raw" "05000000" "$(od -An -tx1 "$mnt/at/1054/timed/latest.raw" | tr -d ' \n')"
check "at/TIME: info" "as_of_nanoseconds: 1054 age_seconds: 0.000000004 records: 6 available: 3" \
    "$(echo $(grep -E '^(as_of_nanoseconds|age_seconds|records|available):' "$mnt/at/1054/timed/info"))"
check "at/TIME: closest" "5" "$(pos_of "at/1054/timed/closest/9us")"
check "at/TIME: tag" "4" "$(pos_of "at/1054/timed/tag/4")"
fails_with ENODATA at/1054/timed/tag/6
fails_with ENOENT at/1054/timed/tag/2
check "at/now lists segments with a current time" "bytes dated empty t wide " "$(ls "$mnt/at/now" | tr '\n' ' ')"
check "at/NUMBER lists all segments" "bytes dated empty t timed wide " "$(ls "$mnt/at/1054" | tr '\n' ' ')"
check "at/now/SEGMENT lists all files but raw" "$(ls "$mnt/t" | grep -vx raw)" "$(ls "$mnt/at/now/t")"
check "at/now: queries with a relative time" "$(cat "$mnt/t/latest")" "$(cat "$mnt/at/now/t/closest/now")"
as_kymo "at/now/wide/latest" wide
as_kymo "at/1054/timed/latest" timed --as-of 1054
check "at/now: mtime is that of the record" "$(stat -c %y "$mnt/t/history/0")" "$(stat -c %y "$mnt/at/now/t/latest")"
check "at is not listed" "" "$(ls "$mnt" | grep -x at)"
succeeds "at/now may be a working directory" sh -c "cd '$mnt/at/now/t' && cat latest field/x && cd ../wide && ls"
# A relative instant is evaluated at each request, also below the working directory.
check "a relative instant is evaluated at each request" "2 moved" "$(cd "$mnt/at/now" && "$SEGMENT" make t fields=x:f64 count=1 &&
    echo "$(jq .pos t/latest)" "$([ "$(cat t/latest)" = "$(cat t/history/0)" ] && echo moved)")"
fails_with ENODATA at/1/wide/latest
fails_with ENOENT at/1005/timed/latest # overwritten
fails_with ENOENT at/1054/timed/history/3
fails_with ENOENT at/now/t/raw
fails_with ENOENT at/now/nope
fails_with EINVAL at/now/timed
fails_with EINVAL at/tomorrow
fails_with EINVAL at/2026-01-31T23:59:59Z/t
fails_with EDOM at/1054/timed/interp/1055

# ---- wrong names ----
for name in nope nope/latest t/nope t/latest.txt t/latest.raw.raw t/info.raw t/field/nope \
    t/field/x.0 t/field/x.raw wide/field/accel wide/field/accel.3 wide/field/accel.00 \
    wide/field/accel. wide/field/big.0 t/history/3 t/history/99999 t/history/-1 t/history/01 \
    t/history/x t/history/ t/history/99999999999999999999 timed/history/7 closest README.raw .kymo; do
    case $name in
    */) ;;
    *) fails_with ENOENT "$name" ;;
    esac
done
fails_with ENODATA empty/latest
fails_with ENODATA empty/latest.raw
fails_with ENODATA empty/field/n
fails_with ENODATA "empty/closest?t=now"
fails_with ENOENT empty/history/0
check "opening for writing fails" "EROFS" "$("$READERS" write "$mnt/t/latest")"

# ---- README and the files: each names the other ----
check "README ends with a newline" "" "$(tail -c 1 "$mnt/README" | tr -d '\n')"
check "README has lines of less than 100 characters" "" "$(grep -E '.{100}' "$mnt/README")"
listed=$(sed -n '1,/^Not listed/s|^  SEGMENT/\([^ ]*\).*|\1|p' "$mnt/README" |
    sed -e 's/N\[.raw\]/0/' -e 's/NAME\[.INDEX\]/x/' -e 's/\[.raw\]//')
check "README lists more than nine names" "many" "$([ "$(echo "$listed" | wc -l)" -gt 9 ] && echo many)"
for name in $listed; do
    [ $name != latest.png ] || continue
    succeeds "$name of README exists" test -e "$mnt/t/$name"
done
for name in $(ls "$mnt/t"); do
    succeeds "README describes $name" grep -q "SEGMENT/${name%.raw}[ /[]" "$mnt/README"
done
for name in 'closest?t=TIME[&max=DUR][.raw]' 'closest/TIME[.raw]' 'interp?t=TIME' 'interp/TIME' \
    'fresh?max_age=DUR[.raw]' 'fresh/DUR[.raw]' 'range?from=TIME&to=TIME[&format=csv]' \
    'range/TIME..TIME'; do
    succeeds "README describes $name" grep -qF "SEGMENT/$name " "$mnt/README"
done
succeeds "README describes at/" grep -qF " at/TIME/ " "$mnt/README"

# ---- an open file is a snapshot ----
for file in t/latest t/field/x t/history/0 t/latest.raw 't/closest?t=now' bytes/latest \
    t/history.csv t/history.ndjson 't/range/0..now'; do
    before=$(od -An -tx1 "$mnt/$file" | tr -d ' \n')
    mkfifo "$work/go"
    "$READERS" pinned "$mnt/$file" <"$work/go" >"$work/pinned" 2>"$work/pinned.err" &
    reader=$!
    exec 9>"$work/go"
    eventually grep -q waiting "$work/pinned.err"
    "$SEGMENT" make "${file%%/*}" "$([ "${file%%/*}" = t ] && echo fields=x:f64 || echo size=4)" \
        depth="$([ "${file%%/*}" = t ] && echo 64 || echo 512)" count=1
    echo >&9
    exec 9>&-
    wait $reader
    check "an open $file keeps its content" "$before" "$(od -An -tx1 "$work/pinned" | tr -d ' \n')"
    check "another open of $file shows the new content" "no" \
        "$([ "$before" = "$(od -An -tx1 "$mnt/$file" | tr -d ' \n')" ] || echo no)"
    rm "$work/go" "$work/pinned.err"
done

# ---- inodes ----
list_inodes()
{
    (cd "$mnt" && find . -printf '%i %p\n' | sort -k 2)
}
list_inodes >"$work/inodes"
check "inode numbers are unique" "" "$(cut -d' ' -f1 "$work/inodes" | sort | uniq -d)"
check "stat and readdir report the same inode number" "$(stat -c '%i' "$mnt/t/latest")" \
    "$(ls -i "$mnt/t" | sed -n 's/ *\([0-9]*\) latest$/\1/p')"
unmount_view
mount_view
list_inodes >"$work/inodes.again"
succeeds "inode numbers are the same in the next mount" cmp "$work/inodes" "$work/inodes.again"

finish
