# kymo get: every selection of a record, and every error.
. "$(dirname "$0")/cli.sh"

kymo pub t --fields v:f64[2],n:i32,s:char[8] --clock user --depth 8 --time n \
    < <(for n in 10 20 20 40 50; do echo "[$n.5,1,$n,\"n$n\"]"; done)

pos()
{
    kymo get t "$@" 2>&1 | jq .pos
}

is "without options get prints the newest record" 4 "$(pos)"
is "--back 0 is the newest record" 4 "$(pos --back 0)"
is "--back 4 is the record four before" 0 "$(pos --back 4)"
is "--pos 2 is the record at position 2" 2 "$(pos --pos 2)"
is "--closest finds an equal time" 3 "$(pos --closest 40)"
is "--closest finds the closer of two records" 0 "$(pos --closest 14)"
is "--closest prefers the earlier of two equal distances" 0 "$(pos --closest 15)"
is "--closest prefers the newest of equal times" 2 "$(pos --closest 19)"
is "--closest before the history is the oldest record" 0 "$(pos --closest 0)"
is "--closest after the history is the newest record" 4 "$(pos --closest 1h)"
is "--closest succeeds at a distance of exactly --max" 4 "$(pos --closest 55 --max 5)"
is "--as-of a record's time is the newest such record" 2 "$(pos --as-of 20)"
is "--as-of between two records is the earlier" 2 "$(pos --as-of 39ns)"
is "--as-of a future time is the newest record" 4 "$(pos --as-of 100s)"
is "--interp interpolates numbers" '{"time":45,"alpha":0.5,"data":{"v":[45.5,1],"n":45,"s":"n40"}}' \
    "$(kymo get t --interp 45 | jq -c 'del(.before,.after)')"
is "--interp names the records on both sides" '3 4' "$(kymo get t --interp 45 | jq '.before.pos,.after.pos' | xargs)"

is "--field prints a number" 50 "$(kymo get t --field n)"
is "--field prints text without quotes" n50 "$(kymo get t --field s)"
is "--field prints an array, one value per line" '50.5 1' "$(kymo get t --field v | xargs)"
is "--field NAME.1 prints one value of an array" 1 "$(kymo get t --field v.1)"
is "--field applies to the record that --pos selects" 10.5 "$(kymo get t --pos 0 --field v.0)"
for field in x v.2 v. v.-1 v.0.0 n.0 s.0 '' "$(printf 'x%.0s' {1..100})"; do
    run kymo get t --field "$field"
    refused 1 "kymo: t: no field '$field': *"
done

kymo pub tagged --fields n:i32 --clock user --depth 4 \
    < <(for tag in 2 3 5 5 8; do echo "{\"time\":$tag,\"tag\":$tag,\"data\":{\"n\":$tag}}"; done)
is "--tag finds the newest of equal tags" 3 "$(kymo get tagged --tag 5 | jq .pos)"
is "--tag applies to --field" 8 "$(kymo get tagged --tag 8 --field n)"
run kymo get tagged --tag 6
refused 1 'kymo: tagged: --tag 6: no record has this tag: *'
run kymo get tagged --tag 9
refused 1 'kymo: tagged: --tag 9: the newest record has tag 8'
run kymo get tagged --tag 2
refused 1 'kymo: tagged: the record has been overwritten: *'
run kymo get t --back 5
refused 1 'kymo: t: --back 5: must be below the number of published records, 5'
run kymo get t --pos 5
refused 1 'kymo: t: --pos 5: the newest record is at 4'
run kymo get t --closest 61 --max 10
refused 1 'kymo: t: the closest record is farther than the limit, or *'
run kymo get t --as-of 9
refused 1 'kymo: t: the time is before the oldest record, or after the newest'
run kymo get t --interp 51
refused 1 'kymo: t: the time is before the oldest record, or after the newest'
run kymo get t --interp 9
refused 1 'kymo: t: the time is before the oldest record, or after the newest'
run kymo get t --fresh 1s
refused 1 "kymo: t: --fresh: the clock 'user' has no current time*"
for time in abc -1s now 2026-01-31T12:00:00Z '' 1x 1.5 18446744073709551616; do
    run kymo get t --closest "$time"
    refused 2 "kymo: t: '$time': not a time on this clock (user): *"
done
run kymo get t --closest 1 --max soon
refused 2 "kymo: t: 'soon': not a duration: *"
for number in -1 x 1.5 '' 18446744073709551616; do
    run kymo get t --back "$number"
    refused 2 "kymo: t: '$number': must be an integer from 0"
    run kymo get t --tag "$number"
    refused 2 "kymo: t: '$number': must be an integer from 0"
    run kymo get t --pos "$number"
    refused 2 "kymo: t: '$number': must be an integer from 0"
done
run kymo get t --back 1 --pos 1
refused 2 'kymo get: --back, --pos, *: use only one of them*'
run kymo get t --max 1s
refused 2 'kymo get: --max: requires --closest*'
run kymo get t --raw --field n
refused 2 'kymo get: --raw and --field: use only one of them*'
run kymo get t --interp 45 --raw
refused 2 'kymo get: --interp: prints two records*'

# Overwritten records have an error of their own.
kymo pub t --fields v:f64[2],n:i32,s:char[8] --clock user --depth 8 --time n \
    < <(for n in {60..80}; do echo "[0,0,$n,\"\"]"; done)
run kymo get t --pos 0
refused 1 'kymo: t: the record has been overwritten*'
run kymo get t --back 8
refused 1 'kymo: t: the record has been overwritten*'
run kymo get t --as-of 60
refused 1 'kymo: t: the record has been overwritten*'
is "a query finds records that are not overwritten" 19 "$(pos --as-of 74)"

# Relative times, on a clock that has a current time.
kymo pub r --fields x:u8 --clock realtime <<<'[1]'
is "--closest now finds the newest record" '{"x":1}' "$(data r --closest now)"
is "--as-of now finds the newest record" '{"x":1}' "$(data r --as-of now)"
is "--fresh 1h finds a new record" '{"x":1}' "$(data r --fresh 1h)"
is "--closest accepts a date" '{"x":1}' "$(data r --closest 2030-01-01T00:00:00Z)"
is "--closest accepts a relative time" '{"x":1}' "$(data r --closest -1h)"
run kymo get r --as-of -1h
refused 1 'kymo: r: the time is before the oldest record, or after the newest'
run kymo get r --closest -1h --max 1m
refused 2 "kymo: r: '1m': not a duration: *"
run kymo get r --closest -1h --max 1s
refused 1 'kymo: r: the closest record is farther than the limit, or *'
run kymo get r --fresh 1ns
refused 1 'kymo: r: the newest record is older than required, *'
run kymo get r --fresh now
refused 2 "kymo: r: 'now': not a duration: *"
finish
