# K: who may read what through a root daemon: what he may read in the segments' directory.
. "$(dirname "$0")/mounted.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can try this as somebody else"
    [ "${CI-}" = true ] && exit 1
    exit 77
fi

as()
{
    setpriv --reuid="$1" --regid="$1" --groups="$2" -- "$READERS" open "$mnt/$3"
}

for mode in 600 640 644 444 604 400; do
    "$SEGMENT" make m$mode fields=n:u64 count=1 mode=$mode || exit 1
done
"$SEGMENT" make theirs fields=n:u64 count=1 mode=640
chown 12345:23456 "$KYMO_DIR/theirs"

# ---- nobody but the mounter ----
mount_view
check "without allow_other" "EACCES" "$(as 12345 12345 README)"
unmount_view

# ---- others, by mode ----
mount_view -o allow_other
check "README" "opened" "$(as 12345 12345 README)"
for mode in 600 640 400; do
    check "mode $mode" "EACCES" "$(as 12345 12345 m$mode/latest)"
    check "mode $mode, unlisted" "EACCES" "$(as 12345 12345 "m$mode/closest?t=now")"
    check "mode $mode, info" "EACCES" "$(as 12345 12345 m$mode/info)"
    check "mode $mode, stream" "EACCES" "$(as 12345 12345 m$mode/stream)"
    check "mode $mode, the directory" "EACCES" "$(as 12345 12345 m$mode)"
done
for mode in 644 444 604; do
    check "mode $mode" "opened" "$(as 12345 12345 m$mode/latest)"
    check "mode $mode, the directory" "opened" "$(as 12345 12345 m$mode)"
done
check "owner" "opened" "$(as 12345 12345 theirs/latest)"
check "group" "opened" "$(as 777 23456 theirs/latest)"
check "supplementary group" "opened" "$(as 777 555,23456 theirs/latest)"
check "neither" "EACCES" "$(as 777 555 theirs/latest)"
check "modes" "dr-x------ -r-------- dr-xr-x--- -r--r-----" \
    "$(echo $(stat -c %A "$mnt/m600" "$mnt/m600/latest" "$mnt/theirs" "$mnt/theirs/field/n"))"
check "owners" "12345:23456 12345:23456" "$(echo $(stat -c %u:%g "$mnt/theirs" "$mnt/theirs/latest"))"
check "the root's owner" "$(stat -c %u:%g "$KYMO_DIR")" "$(stat -c %u:%g "$mnt")"

# ---- as they change: at once, if the file is looked up anew; else after a second ----
opens()
{
    [ "$(as "$1" "$1" "$2")" = "$3" ]
}
chmod 644 "$KYMO_DIR/m600"
succeeds "let in" eventually opens 12345 m600/latest opened
chmod 600 "$KYMO_DIR/m600"
succeeds "shut out" eventually opens 12345 m600/latest EACCES
chown 12345 "$KYMO_DIR/m600"
succeeds "given away" eventually opens 12345 m600/latest opened
"$SEGMENT" make m644 fields=n:u64 count=1 mode=600 existing=replace
check "a new generation with another mode, at once" "EACCES" "$(as 12345 12345 m644/latest)"
"$SEGMENT" make m600 fields=n:u64 count=1 mode=644 existing=replace
succeeds "and the other way round, in a second" eventually opens 777 m600/latest opened

# ---- what mode bits do not say: an access list that lets in one user by name ----
"$SEGMENT" make listed fields=n:u64 count=1 mode=600
python3 - "$KYMO_DIR/listed" <<'END'
import os, struct, sys
undefined = 0xffffffff
entries = [(1, 6, undefined), (2, 4, 777), (4, 0, undefined), (16, 4, undefined), (32, 4, undefined)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
END
check "its mode bits" "644" "$(stat -c %a "$KYMO_DIR/listed")"
check "what is shown" "444" "$(stat -c %a "$mnt/listed/latest")"
check "the user that the list names" "opened" "$(as 777 777 listed/latest)"
check "its owner" "opened" "$(as 0 0 listed/latest)"
check "a group without permission" "EACCES" "$(as 12345 0 listed/latest)"
check "all others" "opened" "$(as 12345 12345 listed/latest)"
python3 - "$KYMO_DIR/listed" <<'END'
import os, struct, sys
undefined = 0xffffffff
entries = [(1, 6, undefined), (2, 4, 777), (4, 0, undefined), (16, 0, undefined), (32, 0, undefined)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
END
check "the mask takes the permission" "EACCES" "$(as 777 777 listed/latest)"
check "others without permission" "EACCES" "$(as 12345 12345 listed/latest)"

# ---- whoever is kept out of the directory is kept out here ----
chmod 700 "$KYMO_DIR"
succeeds "the root" eventually opens 12345 m444/latest EACCES
check "the root's mode" "500" "$(stat -c %a "$mnt")"
chmod 1777 "$KYMO_DIR"
succeeds "the root, open again" eventually opens 12345 m444/latest opened

finish
