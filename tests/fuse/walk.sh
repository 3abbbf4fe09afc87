# ls -lR, find, du, grep -r, cp -r and tar end by themselves while writers run and segments are replaced
# and removed, and report nothing about the other segments.
. "$(dirname "$0")/mounted.sh"

for name in a b c; do
    "$SEGMENT" make still_$name 'fields=n:u64,v:f32[20],s:char[16]' count=100 depth=128 || exit 1
done
# As root, with other users.
[ "$(id -u)" -eq 0 ] && other="setpriv --reuid=12345 --regid=12345 --clear-groups"
mount_view ${other+-o allow_other}

# walk COMMAND...: runs a command for at most 250 s. Prints unexpected errors: segments that are replaced
# and removed concurrently may be missing or empty; no others.
walk()
{
    timeout 250 "$@" >"$work/out" 2>"$work/err"
    [ $? -ne 124 ] || echo "took longer than 250 s"
    grep -vE '/storm[0-9].*(No such file or directory|No data available|File removed before we read it|file changed as we read it)$' \
        "$work/err" | head -n 3
}

# ---- no writer runs ----
files=$(find "$mnt" -type f | wc -l)
listed=$(ls -F "$mnt/still_a" | grep -vc '[/@]$')
check "find finds all files" "$((3 * (128 + 22 + listed) + $(ls -F "$mnt" | grep -vc /)))" "$files"
check "find with stat finds all files" "$files" "$(find "$mnt" -noleaf -size -100000c -type f | wc -l)"
check "ls -lR reports no error" "" "$(walk ls -lR "$mnt")"
check "ls -lR lists all files" "$files" "$(grep -c '^-r' "$work/out")"
check "du reports no error" "" "$(walk du -a "$mnt")"
check "grep -r in latest reports no error" "" "$(walk grep -r . "$mnt" --include=latest)"
check "grep -r finds all records" "3" "$(grep -c '"n":99' "$work/out")"
check "grep -r in all files reports no error" "" "$(walk grep -rac . "$mnt")"
check "readdir reports the file types" "d d l" \
    "$(echo $(find "$mnt/still_a" -mindepth 1 -maxdepth 1 -printf '%y\n' | grep -v f | sort))"
check "readdir reports all files" "$listed" \
    "$(find "$mnt/still_a" -mindepth 1 -maxdepth 1 -type f | wc -l)"

# ---- writers run; segments are replaced and removed ----
for name in x y z; do
    run_writer flow_$name 'fields=n:u64,v:f32[20],s:char[16]' count=70 period=50000
done
"$SEGMENT" churn storm fields=n:u64,s:char[40] count=3 many=8 period=2000000 >"$work/churn" &
background $!
churn=$!

rounds=0
full=$(count 300)
while [ $rounds -lt "$full" ]; do
    rounds=$((rounds + 1))
    check "ls -lR reports no unexpected error, round $rounds" "" "$(walk ls -lR "$mnt")"
    check "find reports no unexpected error, round $rounds" "" "$(walk find "$mnt" -type f)"
    check "find with stat reports no unexpected error, round $rounds" "" "$(walk find "$mnt" -size -1000000c)"
    check "du reports no unexpected error, round $rounds" "" "$(walk du -a "$mnt")"
    check "grep -r reports no unexpected error, round $rounds" "" "$(walk grep -rah . "$mnt")"
    check "cp -r reports no unexpected error, round $rounds" "" "$(walk cp -r "$mnt" "$work/copy")"
    check "cp -r copies all constant segments, round $rounds" "3" "$(grep -l '"n":99' "$work"/copy/still_?/latest | wc -l)"
    rm -rf "$work/copy"
    # tar reports files that change: those of running writers, and the root directory.
    check "tar reports no unexpected error, round $rounds" "" \
        "$(walk tar -C "$mnt" -cf "$work/tar" --exclude=flow_? --exclude=metrics.prom . |
            grep -v '^tar: Exiting with failure status\|^tar: \.: file changed')"
    check "tar archives all constant segments, round $rounds" "3" "$(tar -tf "$work/tar" | grep -c 'still_./latest$')"
    check "find finds all constant segments, round $rounds" "3" "$(find "$mnt" -name 'still_?' 2>/dev/null | wc -l)"
done

# A user that may read all segments except one.
if [ -n "${other-}" ]; then
    "$SEGMENT" make hidden fields=n:u64 count=1 mode=600 || exit 1
    rounds=0
    full=$(count 100)
    while [ $rounds -lt "$full" ]; do
        rounds=$((rounds + 1))
        check "ls -lR by another user, round $rounds" \
            "ls: cannot open directory '$mnt/hidden': Permission denied" "$(walk $other ls -lR "$mnt")"
        check "find by another user, round $rounds" "find: '$mnt/hidden': Permission denied" \
            "$(walk $other find "$mnt" -size -1000000c)"
        check "du by another user, round $rounds" \
            "du: cannot read directory '$mnt/hidden': Permission denied" "$(walk $other du -a "$mnt")"
        check "grep -r by another user, round $rounds" "grep: $mnt/hidden: Permission denied" \
            "$(walk $other grep -rah . "$mnt")"
        check "grep -r by another user finds all constant records, round $rounds" "9" "$(grep -c '^{"pos":99,.*"n":99,' "$work/out")"
    done
    "$SEGMENT" remove hidden
fi
# A relative instant is evaluated at each request: records may be overwritten between two requests.
ignore_overwritten()
{
    grep -v '/flow_[xyz]/.*No such file'
}
for instant in now -1ms; do
    check "find reports no unexpected error below at/$instant" "" "$(walk find "$mnt/at/$instant" -size -1000000c | ignore_overwritten)"
    check "ls -lR reports no unexpected error below at/$instant" "" "$(walk ls -lR "$mnt/at/$instant" | ignore_overwritten)"
    check "grep -r reports no unexpected error below at/$instant" "" "$(walk grep -rah . "$mnt/at/$instant" | ignore_overwritten)"
done
stop $churn

finish
