# kymofs as a service: notifications of the service manager, messages, the unit, fstab.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make t fields=n:u64 count=3 || exit 1
echo "no segment" >"$KYMO_DIR/text"

# ---- Type=notify: the mount serves requests when READY=1 arrives ----

cat >"$work/manager.py" <<'END'
import os, signal, socket, subprocess, sys
address, mount, command = sys.argv[1], sys.argv[2], sys.argv[3:]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + address[1:] if address[0] == "@" else address)
manager.settimeout(60)
daemon = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": address})
print(manager.recv(256).decode(), *sorted(os.listdir(mount)))
daemon.send_signal(signal.SIGTERM)
print(manager.recv(256).decode(), "status", daemon.wait(60), "mounted", os.path.ismount(mount))
END
for address in "$work/notify" "@kymofs-test-$$"; do
    check "a service manager at $address receives" "READY=1 README metrics.prom t
STOPPING=1 status 0 mounted False" \
        "$(python3 "$work/manager.py" "$address" "$mnt" "$KYMOFS" -f "$mnt" 2>"$work/err")"
done
NOTIFY_SOCKET=$work/missing "$KYMOFS" -f "$mnt" 2>"$work/err" &
daemon=$!
background $daemon
succeeds "mounts without the manager's socket" eventually test -e "$mnt/README"
succeeds "and reports that" eventually grep -q '^kymofs: NOTIFY_SOCKET: ' "$work/err"
fusermount3 -u "$mnt"
wait $daemon

# ---- messages: on stderr in the foreground, with priorities if that is the journal ----

: >"$work/err"
JOURNAL_STREAM=$(stat -c %d:%i "$work/err") "$KYMOFS" -f "$mnt" 2>>"$work/err" &
daemon=$!
background $daemon
succeeds "priorities for the journal" eventually grep -q '^<6>text: skipped: .' "$work/err"
fusermount3 -u "$mnt"
wait $daemon

# At most ten lines a minute, then a count (after a minute: see test_skip_log.c).
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    echo "no segment" >"$KYMO_DIR/text$i"
done
"$KYMOFS" -f "$mnt" 2>"$work/err" &
daemon=$!
background $daemon
succeeds "mounts" eventually test -e "$mnt/README"
check "lines about files that are not shown" "10" "$(grep -c ': skipped: ' "$work/err")"
fusermount3 -u "$mnt"
wait $daemon
rm "$KYMO_DIR"/text?*

# In the background to the system's log. If this machine has none, the test receives it.
if [ "$(id -u)" -eq 0 ] && [ ! -e /dev/log ]; then
    python3 - "$work/syslog" "$work/listening" <<'END' &
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
log.settimeout(60)
open(sys.argv[2], "w").close()
try:
    with open(sys.argv[1], "w") as file:
        while "later" not in (line := log.recv(1024).decode()):
            print(line, file=file, flush=True)
        print(line, file=file, flush=True)
finally:
    os.unlink("/dev/log")
END
    logger=$!
    background $logger
    succeeds "a log" eventually test -e "$work/listening"
    mount_view
    echo "no segment" >"$KYMO_DIR/later"
    wait $logger
    for name in text later; do
        check "$name in the system's log" "1" "$(grep -c "kymofs\[[0-9]*\]: $name: skipped: ." "$work/syslog")"
    done
    unmount_view
    rm "$KYMO_DIR/later"
fi

# ---- the unit ----

if command -v systemd-analyze >/dev/null; then
    # systemd reads units by their name, and looks for what they start.
    sed "s|^ExecStart=[^ ]*/kymofs|ExecStart=$KYMOFS|" "$UNIT" >"$work/kymofs@test.service"
    check "systemd-analyze verify" "" "$(systemd-analyze verify --man=no "$work/kymofs@test.service" 2>&1 |
        grep -F 'kymofs@')"
fi
check "the unit's command" "-f -o allow_other %f" "$(sed -n 's/^ExecStart=[^ ]*kymofs //p' "$UNIT")"

# ---- fstab ----

# mount(8) runs us with no PATH but the shell's own: the line is for an installed kymofs.
if [ "$(id -u)" -eq 0 ] && [ ! -e /usr/local/bin/kymofs ]; then
    ln -s "$KYMOFS" /usr/local/bin/kymofs
    chmod 755 "$mnt"
    echo "kymofs $mnt fuse.kymofs allow_other 0 0" >"$work/fstab"
    succeeds "mount by fstab" mount -T "$work/fstab" "$mnt"
    rm /usr/local/bin/kymofs
    check "is there" "README metrics.prom t" "$(echo $(ls "$mnt"))"
    check "for others" "README metrics.prom t" "$(echo $(setpriv --reuid=12345 --regid=12345 --clear-groups ls "$mnt"))"
    succeeds "umount" umount "$mnt"
fi

finish
