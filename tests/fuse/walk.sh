# ls -lR, find, du and grep -r end by themselves while writers run and segments come and go, and
# say nothing of a segment that vanished in between.
. "$(dirname "$0")/mounted.sh"

for name in a b c; do
    "$SEGMENT" make still_$name 'fields=n:u64,v:f32[20],s:char[16]' count=100 depth=128 || exit 1
done
# Root shows it to others, too.
[ "$(id -u)" -eq 0 ] && other="setpriv --reuid=12345 --regid=12345 --clear-groups"
mount_view ${other+-o allow_other}

# Runs it under a time limit; says what went wrong.
walk()
{
    timeout 250 "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ $status -eq 0 ] || echo "status $status"
    head -n 3 "$work/err"
}

# The same for grep, which opens what it finds: a new generation may have no record yet.
walk_open()
{
    timeout 250 "$@" >"$work/out" 2>"$work/err"
    [ $? -ne 124 ] || echo "took too long"
    grep -v 'No data available' "$work/err" | head -n 3
}

# ---- nothing moves ----
files=$(find "$mnt" -type f | wc -l)
listed=$(ls -F "$mnt/still_a" | grep -vc '[/@]$')
check "find finds all" "$((3 * (128 + 22 + listed) + $(ls -F "$mnt" | grep -vc /)))" "$files"
check "find, again by stat" "$files" "$(find "$mnt" -noleaf -size -100000c -type f | wc -l)"
check "ls -lR" "" "$(walk ls -lR "$mnt")"
check "ls -lR lists all" "$files" "$(grep -c '^-r' "$work/out")"
check "du" "" "$(walk du -a "$mnt")"
check "grep -r" "" "$(walk grep -r . "$mnt" --include=latest)"
check "grep -r finds all" "3" "$(grep -c '"n":99' "$work/out")"
check "grep -r in everything" "" "$(walk grep -rac . "$mnt")"
check "file types from readdir" "d d l" \
    "$(echo $(find "$mnt/still_a" -mindepth 1 -maxdepth 1 -printf '%y\n' | grep -v f | sort))"
check "files from readdir" "$listed" \
    "$(find "$mnt/still_a" -mindepth 1 -maxdepth 1 -type f | wc -l)"

# ---- all moves ----
for name in x y z; do
    run_writer flow_$name 'fields=n:u64,v:f32[20],s:char[16]' count=70 period=50000
done
"$SEGMENT" churn storm fields=n:u64,s:char[40] count=3 many=8 period=2000000 >"$work/churn" &
background $!
churn=$!

rounds=0
while [ $rounds -lt 15 ]; do
    rounds=$((rounds + 1))
    check "ls -lR, round $rounds" "" "$(walk ls -lR "$mnt")"
    check "find, round $rounds" "" "$(walk find "$mnt" -type f)"
    check "find by stat, round $rounds" "" "$(walk find "$mnt" -size -1000000c)"
    check "du, round $rounds" "" "$(walk du -a "$mnt")"
    check "grep -r, round $rounds" "" "$(walk_open grep -rah . "$mnt")"
    check "find of what stays, round $rounds" "3" "$(find "$mnt" -name 'still_?' | wc -l)"
done

# The same by somebody who may read all but one, and is told so.
if [ -n "${other-}" ]; then
    "$SEGMENT" make hidden fields=n:u64 count=1 mode=600 || exit 1
    rounds=0
    while [ $rounds -lt 5 ]; do
        rounds=$((rounds + 1))
        check "ls -lR by another, round $rounds" "ls: cannot open directory '$mnt/hidden': Permission denied" \
            "$(walk $other ls -lR "$mnt" | grep -v '^status 1$')"
        check "find by another, round $rounds" "find: '$mnt/hidden': Permission denied" \
            "$(walk $other find "$mnt" -size -1000000c | grep -v '^status 1$')"
        check "du by another, round $rounds" "du: cannot read directory '$mnt/hidden': Permission denied" \
            "$(walk $other du -a "$mnt" | grep -v '^status 1$')"
        check "grep -r by another, round $rounds" "grep: $mnt/hidden: Permission denied" \
            "$(walk_open $other grep -rah . "$mnt")"
        check "and he finds what stays" "9" "$(grep -c '^{"pos":99,.*"n":99,' "$work/out")"
    done
    "$SEGMENT" remove hidden
fi
# A path that begins with a relative instant is looked up as of another one each time, and ls begins each
# of its paths there: a segment that came in between has fewer records, or none. find stays inside.
there_no_more()
{
    grep -v 'No such file\|^status 1$'
}
for instant in now -1ms; do
    check "find as of an instant, $instant" "" "$(walk find "$mnt/at/$instant" -size -1000000c)"
    check "ls -lR as of an instant, $instant" "" "$(walk ls -lR "$mnt/at/$instant" | there_no_more)"
    check "grep -r as of an instant, $instant" "" \
        "$(walk_open grep -rah . "$mnt/at/$instant" | there_no_more)"
done
stop $churn

finish
