# kymo pub as a process: records are visible at once; clean end, resumption, replacement, errors.
. "$(dirname "$0")/cli.sh"

# Opens a pipe to `kymo pub ARGUMENT...` on descriptor 3.
open_pub()
{
    rm -f "$scratch/pipe"
    mkfifo "$scratch/pipe"
    exec 3<>"$scratch/pipe"
    start pub kymo pub "$@" <"$scratch/pipe" 3>&-
}

has_data()
{
    [ "$(data "$1")" == "$2" ]
}

# A line is published when its end is read.
open_pub t --fields x:f64
eventually "the segment exists" kymo info t
is "get fails before the first record" 'kymo: t: no record yet' "$(kymo get t 2>&1)"
echo '{"x":1}' >&3
eventually "a line is published at once" has_data t '{"x":1}'
printf '{"x":' >&3
echo '2}' >&3
eventually "a line in two parts is published" has_data t '{"x":2}'
is "the writer is ALIVE while pub runs" 'writer: ALIVE' "$(kymo info t | grep ^writer:)"

# The heartbeat continues without input, so that the writer is not STALLED.
heartbeat()
{
    # The heartbeat is younger than the record: it continues without records.
    kymo info t | awk '/^heartbeat_age_seconds:|^age_seconds:/ { age[$1] = $2 } END {
        exit !(age["age_seconds:"] > 1.5 && age["heartbeat_age_seconds:"] < age["age_seconds:"] - 1) }'
}
eventually "an idle writer updates its heartbeat" heartbeat
is "an idle writer is ALIVE" 'writer: ALIVE' "$(kymo info t | grep ^writer:)"

# A second writer fails, and the error names the process of the first.
run kymo pub t --fields x:f64 <<<'[9]'
refused 1 "kymo: t: another writer is alive, process $pid: *"
run kymo pub t --replace --fields y:f64 <<<'[9]'
refused 1 "kymo: t: another writer is alive, process $pid: *"
run kymo rm t
refused 1 "kymo: t: another writer is alive, process $pid: *"
is "a failed second writer changes nothing" '{"x":2}' "$(data t)"
exec 3>&-
wait "$pid"
is "the exit status at the end of input is 0" 0 $?
is "the writer is CLOSED at the end of input" 'writer: CLOSED' "$(kymo info t | grep ^writer:)"

# The next pub continues the history; a different layout is an error without --replace.
run kymo pub t --fields x:f64 <<<'[3]'
ok "a second pub with the same fields succeeds"
is "the second pub keeps the history" '{"x":2}' "$(data t --back 1)"
run kymo pub t <<<'[4]'
ok "pub without --fields resumes"
is "pub without --fields keeps the history" '4 3 2 1' "$(for i in 0 1 2 3; do kymo get t --back $i --field x; done | xargs)"
run kymo pub t --fields x:f64 --describe 'x=a length' <<<'[5]'
ok "units and descriptions do not change the layout"
run kymo pub t --clamp --time x --clock monotonic <<<'[4]'
ok "another unit keeps the history"
is "pub --replace succeeds" '4 5 4' "$(for i in 0 1 2; do kymo get t --back $i --field x; done | xargs)"
run kymo pub t --fields x:f64 --unit x=m <<<'[6]'
refused 1 'kymo: t: field "x": unit "" in the segment, "m" here: --replace *'
run kymo pub t --fields x:f64:angle <<<'[6]'
refused 1 'kymo: t: field "x": interp linear in the segment, angle here: --replace *'
run kymo pub t --unit x=m <<<'[6]'
refused 1 'kymo: t: field "x": unit "" in the segment, "m" here: --replace *'
run kymo pub t --fields x:f64 --counter x <<<'[6]'
refused 1 'kymo: t: field "x": a gauge in the segment, a counter here: --replace *'
run kymo pub t --unit y=m <<<'[6]'
refused 2 'kymo: t: y=m: no such field'
run kymo pub t --fields y:u8 <<<'[7]'
refused 1 'kymo: t: field at offset 0: "x" in the segment, "y" here: --replace *'
run kymo pub t --depth 128 <<<'[7]'
refused 1 'kymo: t: depth: 64 in the segment, 128 here: --replace *'
run kymo pub t --clock tai <<<'[7]'
refused 1 'kymo: t: clock: monotonic in the segment, tai here: --replace *'
is "another layout is not an error" '{"x":4}' "$(data t)"
run kymo pub t --replace --fields x:f64 --depth 128 --clock realtime --unit x=m <<<'[6]'
ok
run kymo get t --back 1
refused 1 'kymo: t: --back 1: must be below the number of published records, 1'
run kymo pub t --fields x:f64 <<<'[7]'
ok "another layout is reported"
is "another layout starts a new generation" '{"x":6}' "$(data t --back 1)"
run kymo pub t --unit x= <<<'[7]'
refused 1 'kymo: t: field "x": unit "m" in the segment, "" here: --replace *'
kymo pub angle --fields x:f64:angle <<<'[1]'
run kymo pub angle --fields x:f64:linear <<<'[2]'
refused 1 'kymo: angle: field "x": interp angle in the segment, linear here: --replace *'
run kymo pub angle --fields x:f64 <<<'[2]'
ok "an interpolation that is not given is that of the segment"
run kymo pub t --replace --fields y:u8 --depth 128 <<<'[8]'
ok
is "another depth starts a new generation and is reported" '{"y":8}' "$(data t)"

# What can be checked is checked before the segment is replaced.
for options in '--time nothing' '--fields y:u8 --time x' '--fields y:u8 --unit x=m' '--unit z=m'; do
    # shellcheck disable=SC2086
    run kymo pub t --replace $options <<<'[9]'
    refused 2 'kymo: t: *no such field*'
    is "$options does not replace the segment" '{"y":8}' "$(data t)"
done
kymo pub plain --raw --size 4 <<<'abc'
run kymo pub plain --replace <<<'[9]'
refused 2 'kymo: plain: the records have no fields: use --raw'
is "JSON without fields does not replace the segment" '"6162630a"' "$(data plain)"
run kymo pub t --replace --unit y=m --depth 128 <<<'[9]'
ok "a replacement has the fields of the segment"
run kymo pub t --fields y:u8 --unit y=mm <<<'[9]'
refused 1 'kymo: t: field "y": unit "m" in the segment, "mm" here: --replace *'

# Signals end pub cleanly while input is available.
for signal in INT TERM HUP; do
    # bash starts background jobs with SIGINT ignored; env restores the default.
    start pub env --default-signal=INT kymo pub s --replace --fields x:u8 < <(exec yes '[1]')
    eventually "the new generation has a writer" info_has s 'writer: ALIVE'
    eventually "pub publishes before a signal" kymo get s
    kill -$signal "$pid"
    wait "$pid"
    is "the exit status is 0 after SIG$signal" 0 $?
    is "the writer is CLOSED after SIG$signal" 'writer: CLOSED' "$(kymo info s | grep ^writer:)"
done

# --rm removes the segment at any end of pub, but not after an error of the options.
run kymo pub gone --rm --fields x:u8 <<<'[1]'
ok
run kymo info gone
refused 1 'kymo: gone: no such segment'
open_pub gone --rm --fields x:u8
eventually "the segment exists" kymo info gone
kill -TERM "$pid"
wait "$pid"
exec 3>&-
run kymo info gone
refused 1 'kymo: gone: no such segment'
run kymo pub s --rm --time nothing <<<'[1]'
refused 2 'kymo: s: --time nothing: no such field'
is "pub --rm that failed does not remove the segment" '{"x":1}' "$(data s)"

# Options of a new segment.
run kymo pub m --mode 0640 --depth 8 --clock realtime --clamp --wake always --fields x:f64,n:u64 \
    --unit x=m/s^2 --describe 'x=how fast, and which way' --counter n <<<'[1,2]'
ok
is "the mode" 640 "$(stat -c %a "$KYMO_DIR/m")"
for line in 'depth: 8' 'clock: realtime' 'time_policy: clamp' 'wake_policy: always' 'mode: 0640' \
    'schema: x:f64,n:u64' 'kind: ring'; do
    is "info prints $line" "$line" "$(kymo info m | grep -Fx "$line")"
done
(umask 027 && kymo pub m2 --fields x:u8 </dev/null)
is "the default mode is 0666 less the umask" 640 "$(stat -c %a "$KYMO_DIR/m2")"

# Invalid options: no segment is created.
before=$(kymo ls)
for depth in 0 1 3 100 -4 x '' 2199023255552; do
    run kymo pub new --fields x:u8 --depth "$depth" </dev/null
    refused 2 "kymo pub: --depth $depth: must be a power of two, at least 2*"
done
for mode in 0 8 0888 x 01000 ''; do
    run kymo pub new --fields x:u8 --mode "$mode" </dev/null
    refused 2 "kymo pub: --mode $mode: must be octal*"
done
for fields in x x: x:f99 ':f64' 'x:f64,' '1x:u8' 'x:f64[0]' 'x:f64[' 'x y:f64' ''; do
    run kymo pub new --fields "$fields" </dev/null
    refused 2 "kymo: new: --fields '*': syntax error at '*': *"
    is "the error quotes --fields" "$fields" "$(sed "s/.*--fields '\([^']*\)'.*/\1/" <<<"$err")"
done
run kymo pub new --fields 'a:u8,b:wrong' </dev/null
refused 2 "kymo: new: --fields 'a:u8,b:wrong': syntax error at 'wrong': use name:type,..."
run kymo pub new --fields x:u8 --clock sundial </dev/null
refused 2 'kymo pub: --clock sundial: *'
run kymo pub new --fields x:u8 --wake never </dev/null
refused 2 'kymo pub: --wake never: *'
run kymo pub new --fields x:u8 --unit y=m </dev/null
refused 2 "kymo: new: y=m: no such field in --fields 'x:u8'"
run kymo pub new --fields x:u8 --unit x </dev/null
refused 2 'kymo: new: x: must be FIELD=TEXT'
run kymo pub new --fields x:u8 --counter y </dev/null
refused 2 'kymo: new: y: no such field*'
run kymo pub new --fields x:u8 --unit "x=$(printf 'm%.0s' {1..32})" </dev/null
refused 2 'kymo: new: x=m*: the text is too long'
run kymo pub new --fields x:u8 --time y </dev/null
refused 2 'kymo: new: --time y: no such field'
run kymo pub new --fields 'x:u8[2]' --time x </dev/null
refused 2 'kymo: new: --time x: must be a field with one number'
run kymo pub new --fields 'x:char[2]' --time x </dev/null
refused 2 'kymo: new: --time x: must be a field with one number'
run kymo pub new --fields x:u8 --time x --time-unit h </dev/null
refused 2 'kymo pub: --time-unit h: *'
run kymo pub new --fields x:u8 --time-unit ms </dev/null
refused 2 'kymo pub: --time-unit: requires --time*'
run kymo pub new </dev/null
refused 2 'kymo: new: no such segment: use --fields to create it'
run kymo pub m --depth 16 </dev/null
refused 1 'kymo: m: depth: 8 in the segment, 16 here: --replace *'
is "invalid options create no segment" "$before" "$(kymo ls)"

# Files that are not segments are not overwritten.
echo text >"$KYMO_DIR/text"
mkdir "$KYMO_DIR/folder"
for name in text folder; do
    run kymo pub $name --replace --fields x:u8 <<<'[1]'
    is "pub --replace of $name fails" 1 "$status"
    like "the error names $name" "kymo: $name: *" "$err"
done
is "pub does not overwrite a text file" text "$(cat "$KYMO_DIR/text")"

# Unreadable input.
run kymo pub t --fields y:u8 --depth 128 <"$KYMO_DIR/folder"
refused 1 'kymo: standard input: Is a directory'
finish
