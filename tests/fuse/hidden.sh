# K: attributes of a segment that the caller may not read do not change with its records, also below
# at/TIME.
. "$(dirname "$0")/mounted.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can try this as another user"
    [ "${CI-}" = true ] && exit 1
    exit 77
fi

"$SEGMENT" make private fields=n:u64 count=3 mode=600 || exit 1
"$SEGMENT" make public fields=n:u64 count=3 mode=644 || exit 1
mount_view -o allow_other
other="setpriv --reuid=12345 --regid=12345 --clear-groups"

# Everything that stat, ls and find tell another user. The name of a path is fixed; nothing else is
# left out.
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

# A time between the creation and the records to come.
sleep 0.05
touch "$work/mark"
chmod 755 "$work"
observe >"$work/before"
sleep 0.05
"$SEGMENT" make private fields=n:u64 count=50 || exit 1
observe >"$work/after"
check "another user" "" "$(diff "$work/before" "$work/after")"
check "sees the directory" "1" "$(grep -c "^$mnt/private .* 500 0 0" "$work/after")"
check "and nothing in it" "" "$(grep "^$mnt/private/" "$work/after")"
check "is refused" "EACCES" "$($other sh -c "cp '$READERS' /dev/null 2>/dev/null; ls '$mnt/private' >/dev/null 2>&1 || echo EACCES")"
check "the owner sees the change" "newer" \
    "$([ "$mnt/private" -nt "$work/mark" ] && echo newer)"
check "a public segment shows it" "1" "$($other ls -l "$mnt/public" | grep -c ' latest$')"

# A change of mode takes effect with the next request, not a second later.
chmod 644 "$KYMO_DIR/private"
check "after chmod 644" "52" "$($other sed 's/.*"n":\([0-9]*\)}}/\1/' "$mnt/private/latest")"
chmod 600 "$KYMO_DIR/private"
check "after chmod 600" "no" "$($other cat "$mnt/private/latest" 2>/dev/null || echo no)"
check "its attributes" "no" "$($other stat "$mnt/private/latest" 2>/dev/null || echo no)"

finish
