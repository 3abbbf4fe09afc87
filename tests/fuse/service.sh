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
succeeds "kymofs mounts without the manager's socket" eventually test -e "$mnt/README"
succeeds "a missing manager's socket is reported" eventually grep -q '^kymofs: NOTIFY_SOCKET: ' "$work/err"
fusermount3 -u "$mnt"
wait $daemon

# ---- messages: in the foreground on stderr, with priorities if it is the journal ----

: >"$work/err"
JOURNAL_STREAM=$(stat -c %d:%i "$work/err") "$KYMOFS" -f "$mnt" 2>>"$work/err" &
daemon=$!
background $daemon
succeeds "messages for the journal have priorities" eventually grep -q '^<6>text: skipped: .' "$work/err"
fusermount3 -u "$mnt"
wait $daemon

# At most ten lines per minute, then a count (after 1 min: see test_skip_log.c).
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    echo "no segment" >"$KYMO_DIR/text$i"
done
"$KYMOFS" -f "$mnt" 2>"$work/err" &
daemon=$!
background $daemon
succeeds "kymofs mounts beside 16 skipped files" eventually test -e "$mnt/README"
check "at most 10 skipped files are logged" "10" "$(grep -c ': skipped: ' "$work/err")"
fusermount3 -u "$mnt"
wait $daemon
rm "$KYMO_DIR"/text?*

# In the background to syslog. If no syslog daemon runs, the test receives the messages.
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
    succeeds "the test listens on /dev/log" eventually test -e "$work/listening"
    mount_view
    echo "no segment" >"$KYMO_DIR/later"
    wait $logger
    for name in text later; do
        check "$name is logged to syslog" "1" "$(grep -c "kymofs\[[0-9]*\]: $name: skipped: ." "$work/syslog")"
    done
    unmount_view
    rm "$KYMO_DIR/later"
fi

# ---- the unit ----

if command -v systemd-analyze >/dev/null; then
    # systemd-analyze needs the name of the unit and an existing program.
    sed "s|^ExecStart=[^ ]*/kymofs|ExecStart=$KYMOFS|" "$UNIT" >"$work/kymofs@test.service"
    check "systemd-analyze accepts the unit" "" "$(systemd-analyze verify --man=no "$work/kymofs@test.service" 2>&1 |
        grep -F 'kymofs@')"
fi
check "the unit runs kymofs -f -o allow_other" "-f -o allow_other %f" "$(sed -n 's/^ExecStart=[^ ]*kymofs //p' "$UNIT")"

# ---- fstab ----

# mount(8) runs kymofs with the default PATH of the shell, so it must be in /usr/local/bin.
if [ "$(id -u)" -eq 0 ] && [ ! -e /usr/local/bin/kymofs ]; then
    ln -s "$KYMOFS" /usr/local/bin/kymofs
    chmod 755 "$mnt"
    echo "kymofs $mnt fuse.kymofs allow_other 0 0" >"$work/fstab"
    succeeds "mount mounts an entry of fstab" mount -T "$work/fstab" "$mnt"
    rm /usr/local/bin/kymofs
    check "a mount by fstab serves requests" "README metrics.prom t" "$(echo $(ls "$mnt"))"
    check "a mount by fstab serves other users" "README metrics.prom t" "$(echo $(setpriv --reuid=12345 --regid=12345 --clear-groups ls "$mnt"))"
    succeeds "umount unmounts an entry of fstab" umount "$mnt"
fi

finish
