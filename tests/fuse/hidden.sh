# K: attributes of a segment that the caller may not read do not change with its records, also below
# at/TIME.
. "$(dirname "$0")/mounted.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can change the user"
    [ "${CI-}" = true ] && exit 1
    exit 77
fi

"$SEGMENT" make private fields=n:u64 count=3 mode=600 || exit 1
"$SEGMENT" make public fields=n:u64 count=3 mode=644 || exit 1
mount_view -o allow_other
other="setpriv --reuid=12345 --regid=12345 --clear-groups"

# The output of stat, ls and find for another user.
observe()
{
    for path in private private/latest private/history private/history/0 private/history.csv \
        private/info private/field/n 'private/closest?t=now' private/closest/now at/now/private \
        at/now/private/latest at/-1ms/private at/-1ms/private/history.csv; do
        $other stat -c '%n %s %b %a %u %g %h %i %.Y %.X %.Z %F' "$mnt/$path" 2>&1
    done
    $other ls -l --time-style=full-iso "$mnt" "$mnt/at/now" 2>&1 | grep private
    $other ls -l "$mnt/private" 2>&1
    $other find "$mnt" "$mnt/at/now" -path '*private*' -newer "$work/mark" 2>&1
    $other sh -c "[ -r '$mnt/private' ] && echo readable; [ -x '$mnt/private' ] && echo searchable"
}

# A time between the creation and the new records.
sleep 0.05
touch "$work/mark"
chmod 755 "$work"
observe >"$work/before"
sleep 0.05
"$SEGMENT" make private fields=n:u64 count=50 || exit 1
observe >"$work/after"
check "attributes for another user do not change with records" "" "$(diff "$work/before" "$work/after")"
check "another user sees the directory with constant attributes" "1" "$(grep -c "^$mnt/private .* 500 0 0" "$work/after")"
check "another user sees no files of the directory" "" "$(grep "^$mnt/private/" "$work/after")"
check "another user cannot list the directory" "EACCES" "$($other sh -c "cp '$READERS' /dev/null 2>/dev/null; ls '$mnt/private' >/dev/null 2>&1 || echo EACCES")"
check "the owner sees a new mtime" "newer" \
    "$([ "$mnt/private" -nt "$work/mark" ] && echo newer)"
check "another user sees the files of a public segment" "1" "$($other ls -l "$mnt/public" | grep -c ' latest$')"

# A change of mode takes effect at the next request.
chmod 644 "$KYMO_DIR/private"
check "after chmod 644 another user can read" "52" "$($other sed 's/.*"n":\([0-9]*\)}}/\1/' "$mnt/private/latest")"
chmod 600 "$KYMO_DIR/private"
check "after chmod 600 another user cannot read" "no" "$($other cat "$mnt/private/latest" 2>/dev/null || echo no)"
check "after chmod 600 another user cannot stat files" "no" "$($other stat "$mnt/private/latest" 2>/dev/null || echo no)"

finish
