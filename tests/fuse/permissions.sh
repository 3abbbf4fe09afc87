# K: through a daemon of root, a user can read the segments that it can read in the segment directory.
. "$(dirname "$0")/mounted.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can change the user"
    [ "${CI-}" = true ] && exit 1
    exit 77
fi

# error_as UID GROUPS FILE: the error of open() for that user, or "opened".
error_as()
{
    setpriv --reuid="$1" --regid="$1" --groups="$2" -- "$READERS" open "$mnt/$3"
}

for mode in 600 640 644 444 604 400; do
    "$SEGMENT" make m$mode fields=n:u64 count=1 mode=$mode || exit 1
done
"$SEGMENT" make foreign fields=n:u64 count=1 mode=640
chown 12345:23456 "$KYMO_DIR/foreign"

# ---- without allow_other ----
mount_view
check "without allow_other another user cannot open README" "EACCES" "$(error_as 12345 12345 README)"
unmount_view

# ---- with allow_other: by mode ----
mount_view -o allow_other
check "with allow_other another user can open README" "opened" "$(error_as 12345 12345 README)"
for mode in 600 640 400; do
    check "mode $mode: another user cannot open latest" "EACCES" "$(error_as 12345 12345 m$mode/latest)"
    check "mode $mode: another user cannot open a query" "EACCES" "$(error_as 12345 12345 "m$mode/closest?t=now")"
    check "mode $mode: another user cannot open info" "EACCES" "$(error_as 12345 12345 m$mode/info)"
    check "mode $mode: another user cannot open stream" "EACCES" "$(error_as 12345 12345 m$mode/stream)"
    check "mode $mode: another user cannot open the directory" "EACCES" "$(error_as 12345 12345 m$mode)"
done
for mode in 644 444 604; do
    check "mode $mode: another user can open latest" "opened" "$(error_as 12345 12345 m$mode/latest)"
    check "mode $mode: another user can open the directory" "opened" "$(error_as 12345 12345 m$mode)"
done
check "mode 640: the owner can open latest" "opened" "$(error_as 12345 12345 foreign/latest)"
check "mode 640: the group can open latest" "opened" "$(error_as 777 23456 foreign/latest)"
check "mode 640: a supplementary group can open latest" "opened" "$(error_as 777 555,23456 foreign/latest)"
check "mode 640: a user of another group cannot open latest" "EACCES" "$(error_as 777 555 foreign/latest)"
check "stat shows the modes without write permission" "dr-x------ -r-------- dr-xr-x--- -r--r-----" \
    "$(echo $(stat -c %A "$mnt/m600" "$mnt/m600/latest" "$mnt/foreign" "$mnt/foreign/field/n"))"
check "stat shows the owner of the segment" "12345:23456 12345:23456" "$(echo $(stat -c %u:%g "$mnt/foreign" "$mnt/foreign/latest"))"
check "the root of the mount has the owner of the segment directory" "$(stat -c %u:%g "$KYMO_DIR")" "$(stat -c %u:%g "$mnt")"

# ---- changes of permissions: at once after a new lookup; otherwise the kernel caches names for 1 s ----
opens()
{
    [ "$(error_as "$1" "$1" "$2")" = "$3" ]
}
chmod 644 "$KYMO_DIR/m600"
succeeds "chmod 644 permits opening" eventually opens 12345 m600/latest opened
chmod 600 "$KYMO_DIR/m600"
succeeds "chmod 600 prevents opening" eventually opens 12345 m600/latest EACCES
chown 12345 "$KYMO_DIR/m600"
succeeds "chown permits opening by the new owner" eventually opens 12345 m600/latest opened
"$SEGMENT" make m644 fields=n:u64 count=1 mode=600 existing=replace
check "a new generation of mode 600 prevents opening at once" "EACCES" "$(error_as 12345 12345 m644/latest)"
"$SEGMENT" make m600 fields=n:u64 count=1 mode=644 existing=replace
succeeds "a new generation of mode 644 permits opening" eventually opens 777 m600/latest opened

# ---- an access list that grants one user read permission ----
"$SEGMENT" make listed fields=n:u64 count=1 mode=600
python3 - "$KYMO_DIR/listed" <<'END'
import os, struct, sys
undefined = 0xffffffff
entries = [(1, 6, undefined), (2, 4, 777), (4, 0, undefined), (16, 4, undefined), (32, 4, undefined)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
END
check "a segment with an access list has mode 644" "644" "$(stat -c %a "$KYMO_DIR/listed")"
check "a file of a segment with an access list has mode 444" "444" "$(stat -c %a "$mnt/listed/latest")"
check "access list: the named user can open" "opened" "$(error_as 777 777 listed/latest)"
check "access list: the owner can open" "opened" "$(error_as 0 0 listed/latest)"
check "access list: a group without permission cannot open" "EACCES" "$(error_as 12345 0 listed/latest)"
check "access list: other users can open" "opened" "$(error_as 12345 12345 listed/latest)"
python3 - "$KYMO_DIR/listed" <<'END'
import os, struct, sys
undefined = 0xffffffff
entries = [(1, 6, undefined), (2, 4, 777), (4, 0, undefined), (16, 0, undefined), (32, 0, undefined)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
END
check "access list: the mask removes the named user's permission" "EACCES" "$(error_as 777 777 listed/latest)"
check "access list: other users without permission cannot open" "EACCES" "$(error_as 12345 12345 listed/latest)"

# ---- the mode of the segment directory ----
chmod 700 "$KYMO_DIR"
succeeds "mode 700 of the segment directory prevents opening" eventually opens 12345 m444/latest EACCES
check "the root of the mount has mode 500" "500" "$(stat -c %a "$mnt")"
chmod 1777 "$KYMO_DIR"
succeeds "mode 1777 of the segment directory permits opening" eventually opens 12345 m444/latest opened

finish
