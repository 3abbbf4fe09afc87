# The daemon: options, background, signals, the mount of a killed daemon.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make t fields=n:u64 count=3 || exit 1

is_mounted()
{
    grep -q " $mnt fuse.kymofs" /proc/self/mounts
}

# No thread is left; the process may still be a zombie.
has_ended()
{
    ! grep -qsv ') [ZX] ' /proc/$1/task/*/stat
}

ends()
{
    eventually has_ended "$1"
}

# ---- without a mount ----
check "--version" "kymofs" "$("$KYMOFS" --version | cut -d' ' -f1)"
check "--help has at most 24 lines" "yes" "$([ "$("$KYMOFS" --help | wc -l)" -le 24 ] && echo yes)"
check "--help has at most 80 columns" "" "$("$KYMOFS" --help | grep -E '.{81}')"
"$KYMOFS" >"$work/out" 2>"$work/err"
check "without a mount point the status is 2" "2" "$?"
check "a missing mount point is reported" "kymofs: missing mount point; see kymofs --help" "$(cat "$work/err")"
"$KYMOFS" a b c >"$work/out" 2>"$work/err"
check "with two mount points the status is 2" "2" "$?"
"$KYMOFS" "$mnt" -o nonsense=1 >"$work/out" 2>"$work/err"
check "with an unknown option the status is 2" "2" "$?"
succeeds "an unknown option is named" grep -q nonsense "$work/err"
"$KYMOFS" "$mnt/nowhere" >"$work/out" 2>"$work/err"
check "with a mount point that does not exist the status is 1" "1" "$?"
check "a mount point that does not exist is named" "kymofs: $mnt/nowhere: No such file or directory" "$(cat "$work/err")"
KYMO_DIR=$work/nowhere "$KYMOFS" "$mnt" >"$work/out" 2>"$work/err"
check "with a segment directory that does not exist the status is 1" "1" "$?"
succeeds "a segment directory that does not exist is named" grep -q "$work/nowhere" "$work/err"
"$KYMOFS" "$work/nowhere/" "$mnt" >"$work/out" 2>"$work/err"
check "with a source directory that does not exist the status is 1" "1" "$?"
check "a source directory that does not exist is named" "kymofs: $work/nowhere/: No such file or directory" "$(cat "$work/err")"
"$KYMOFS" "$work/err" >"$work/out" 2>"$work/err2"
check "with a mount point that is a file the status is 1" "1" "$?"
check "a mount point that is a file is named" "kymofs: $work/err: Not a directory" "$(cat "$work/err2")"
check "after invalid arguments nothing is mounted" "no" "$(is_mounted || echo no)"

# ---- too little address space; closed standard descriptors ----
if [ -z "${KYMO_SMALL-}" ]; then
    for kilobytes in 12000 16000 20000 24000; do
        (ulimit -v $kilobytes && timeout 100 "$KYMOFS" "$mnt") >"$work/out" 2>"$work/err"
        check "with $kilobytes KiB of address space kymofs fails" "failed" "$([ $? -ne 0 ] && echo failed)"
        check "with $kilobytes KiB of address space nothing is mounted" "no" "$(is_mounted || echo no)"
    done
fi
for closed in '<&-' '>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
    eval "timeout 100 \"\$KYMOFS\" \"\$mnt\" $closed"
    check "with $closed kymofs starts" "0" "$?"
    check "with $closed the mount serves requests" "README metrics.prom t" "$(echo $(ls "$mnt"))"
    daemon=$(find_daemon)
    check "with $closed descriptors 0, 1, 2 are /dev/null" "/dev/null" "$(readlink /proc/$daemon/fd/0 /proc/$daemon/fd/1 \
        /proc/$daemon/fd/2 | sort -u)"
    fusermount3 -u "$mnt"
    ends "$daemon"
done

# ---- background: the mount serves requests when kymofs returns; stdout and directory are released ----
out=$("$KYMOFS" "$mnt" && ls "$mnt")
check "the mount serves requests when kymofs returns" "README metrics.prom t" "$(echo $out)"
check "the mount has source kymofs and type fuse.kymofs" "kymofs $mnt fuse.kymofs" "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1-3)"
check "the mount is ro, nosuid, nodev, noatime" "ro nosuid nodev noatime" \
    "$(echo $(grep " $mnt " /proc/self/mounts | cut -d' ' -f4 | tr , '\n' |
        grep -xE 'ro|nosuid|nodev|noatime|default_permissions'))"
daemon=$(find_daemon)
check "the working directory of the daemon is /" "/" "$(readlink "/proc/$daemon/cwd")"
"$KYMOFS" "$mnt" 2>"$work/err"
check "a second mount on the same mount point fails" "1" "$?"
check "a second mount is reported" "kymofs: $mnt: a kymofs is mounted there: first run fusermount3 -u" "$(cat "$work/err")"
check "the first mount serves requests after a second failed" "README metrics.prom t" "$(echo $(ls "$mnt"))"
kill -STOP "$daemon"
timeout 100 "$KYMOFS" "$mnt" 2>"$work/err"
check "a mount over one that does not reply fails" "1" "$?"
check "a mount that does not reply is reported" "kymofs: $mnt: the file system there does not reply: first run fusermount3 -u -z" \
    "$(cat "$work/err")"
kill -CONT "$daemon"

# ---- unmount and signals ----
fusermount3 -u "$mnt"
succeeds "fusermount3 -u ends it" ends "$daemon"
for signal in TERM INT HUP; do
    "$KYMOFS" "$mnt"
    daemon=$(find_daemon)
    kill -$signal "$daemon"
    succeeds "SIG$signal ends it" ends "$daemon"
    check "SIG$signal unmounts" "no" "$(is_mounted || echo no)"
done

# SIGTERM while a file is open and a directory is in use.
"$KYMOFS" "$mnt"
exec 8<"$mnt/t/latest"
cd "$mnt/t" || exit 1
daemon=$(find_daemon)
kill "$daemon"
succeeds "SIGTERM unmounts while files are open" eventually sh -c "! grep -q ' $mnt fuse' /proc/self/mounts"
cd / || exit 1
exec 8<&-
succeeds "SIGTERM ends the daemon while files are open" ends "$daemon"

# SIGTERM under load, while segments are created and removed.
"$SEGMENT" churn storm fields=n:u64 count=3 many=3 period=500000 >"$work/churn" &
background $!
churn=$!
rounds=0
while [ $rounds -lt 10 ]; do
    rounds=$((rounds + 1))
    "$KYMOFS" "$mnt"
    daemon=$(find_daemon)
    (while ls -lR "$mnt"; do :; done) >"$work/out" 2>&1 &
    walker=$!
    background $walker
    sleep 0.1
    kill "$daemon"
    succeeds "SIGTERM under load ends the daemon" ends "$daemon"
    stop $walker
done
stop $churn
rm -f "$KYMO_DIR"/storm*

# ---- SIGKILL, and a new daemon on the remaining mount ----
"$KYMOFS" "$mnt"
daemon=$(find_daemon)
ls -l "$mnt" >"$work/out" # fills the kernel's caches
kill -9 "$daemon"
ends "$daemon"
"$KYMOFS" "$mnt"
check "kymofs replaces the mount of a killed one" "0" "$?"
check "the new mount serves requests" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "the old mount is removed" "1" "$(grep -c " $mnt fuse" /proc/self/mounts)"
fusermount3 -u "$mnt"

# No notification that takes inode or page locks (see fusefs/fuse/): a thread that holds such a lock while
# it waits for a reply would hang if kymofs were killed. code=1 is the notification of poll.
"$SEGMENT" make once fields=n:u64 count=1
"$KYMOFS" -d "$mnt" 2>"$work/debug" &
daemon=$!
background $daemon
eventually test -e "$mnt/README"
ls -lR "$mnt" >"$work/out"
"$READERS" sendfile "$mnt/once/latest" >"$work/out"
"$SEGMENT" remove once
fails_with ENOENT once/latest
fusermount3 -u "$mnt"
wait $daemon
succeeds "-d prints requests" grep -q '^unique: .*READDIR' "$work/debug"
check "no notification except those of poll is sent" "" "$(grep 'NOTIFY: code=' "$work/debug" | grep -v 'code=1 ')"

# SIGKILL while long directories are listed, segments are created and removed, and files are read through
# the page cache: no thread of the daemon and no caller hangs.
long=1000
[ -z "${KYMO_SMALL-}" ] || long=200
"$SEGMENT" make long fields=n:u64 count=1 many=$long
"$SEGMENT" churn storm fields=n:u64 count=3 many=3 period=500000 >"$work/churn" &
churn=$!
background $churn
rounds=0
kills=$(count 2000)
[ -z "${KYMO_SMALL-}" ] || kills=8
while [ $rounds -lt "$kills" ]; do
    rounds=$((rounds + 1))
    "$KYMOFS" "$mnt"
    daemon=$(find_daemon)
    (while ls -l "$mnt"; do :; done) >"$work/out" 2>&1 &
    lister=$!
    background $lister
    (while head -c 6 "$mnt/README"; do "$READERS" sendfile "$mnt/storm0/latest"; done) \
        >"$work/sent" 2>&1 &
    sender=$!
    background $sender
    sleep 0.0$((rounds * 7 % 10))
    [ $rounds -gt 4 ] || sleep 1
    kill -9 "$daemon"
    succeeds "SIGKILL under load ends the daemon" ends "$daemon"
    succeeds "a caller in readdir does not hang after SIGKILL" ends $lister
    succeeds "a caller in sendfile does not hang after SIGKILL" ends $sender
done
stop $churn
echo "count: killed under load: $rounds times, no caller hung"
rm -f "$KYMO_DIR"/storm* "$KYMO_DIR"/long*
umount -l "$mnt" 2>/dev/null || fusermount3 -u -z "$mnt"

# ---- forms of the command line ----
cd "$(dirname "$mnt")" || exit 1
(cd "$KYMO_DIR/.." && KYMO_DIR=./segments "$KYMOFS" "$mnt")
check "a relative KYMO_DIR is served" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "with a relative KYMO_DIR the link raw is absolute" "$KYMO_DIR/t" "$(readlink "$mnt/t/raw")"
fusermount3 -u "$mnt"
mkdir "$work/other"
"$KYMOFS" "$work/other/" "$mnt"
check "a source with a slash is the segment directory" "README metrics.prom" "$(echo $(ls "$mnt"))"
check "a source with a slash is shown by mount" "$work/other/" "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1)"
fusermount3 -u "$mnt"
"$KYMOFS" other "$mnt"
check "a source without a slash does not change the segment directory" "README metrics.prom t" "$(echo $(ls "$mnt"))"
fusermount3 -u "$mnt"
"$KYMOFS" "./$(basename "$mnt")" -s
check "a relative mount point with one thread is served" "README metrics.prom t" "$(echo $(ls "$mnt"))"
for method in sendfile splice mmap; do
    check "$method works with one thread" '"n":2}}' "$("$READERS" $method "$mnt/t/latest" | cut -d'{' -f3)"
done
fusermount3 -u "$mnt"
"$KYMOFS" here "$mnt" -o rw,noexec,dev,suid
check "options of mount.fuse3 are accepted, and the mount is ro" "here fuse.kymofs ro" \
    "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1,3,4 | sed 's/,.*//')"
fusermount3 -u "$mnt"
if [ "$(id -u)" -eq 0 ] && command -v mount.fuse3 >/dev/null; then
    PATH=$(dirname "$KYMOFS"):$PATH mount.fuse3 from-fstab "$mnt" -o rw,allow_other -t fuse.kymofs
    check "mount.fuse3 mounts" "from-fstab README metrics.prom t" \
        "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1) $(echo $(ls "$mnt"))"
    fusermount3 -u "$mnt"
fi

finish
