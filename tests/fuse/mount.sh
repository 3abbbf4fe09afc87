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
check "--help is one screen" "yes" "$([ "$("$KYMOFS" --help | wc -l)" -le 24 ] && echo yes)"
check "--help is no wider" "" "$("$KYMOFS" --help | grep -E '.{81}')"
"$KYMOFS" >"$work/out" 2>"$work/err"
check "no mount point" "2" "$?"
check "is reported" "kymofs: missing mount point; see kymofs --help" "$(cat "$work/err")"
"$KYMOFS" a b c >"$work/out" 2>"$work/err"
check "more than one mount point" "2" "$?"
"$KYMOFS" "$mnt" -o nonsense=1 >"$work/out" 2>"$work/err"
check "an unknown option" "2" "$?"
succeeds "is named" grep -q nonsense "$work/err"
"$KYMOFS" "$mnt/nowhere" >"$work/out" 2>"$work/err"
check "no such mount point" "1" "$?"
check "is named" "kymofs: $mnt/nowhere: No such file or directory" "$(cat "$work/err")"
KYMO_DIR=$work/nowhere "$KYMOFS" "$mnt" >"$work/out" 2>"$work/err"
check "no such segment directory" "1" "$?"
succeeds "is named, too" grep -q "$work/nowhere" "$work/err"
"$KYMOFS" "$work/nowhere/" "$mnt" >"$work/out" 2>"$work/err"
check "a source directory that does not exist" "1" "$?"
check "is named" "kymofs: $work/nowhere/: No such file or directory" "$(cat "$work/err")"
"$KYMOFS" "$work/err" >"$work/out" 2>"$work/err2"
check "a mount point that is a file" "1" "$?"
check "is named" "kymofs: $work/err: Not a directory" "$(cat "$work/err2")"
check "nothing is mounted" "no" "$(is_mounted || echo no)"

# ---- few resources: an error, or a mount that works ----
if [ -z "${KYMO_SMALL-}" ]; then
    for kilobytes in 12000 16000 20000 24000; do
        (ulimit -v $kilobytes && timeout 100 "$KYMOFS" "$mnt") >"$work/out" 2>"$work/err"
        check "with $kilobytes KiB of address space" "failed" "$([ $? -ne 0 ] && echo failed)"
        check "nothing is mounted" "no" "$(is_mounted || echo no)"
    done
fi
for closed in '<&-' '>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
    eval "timeout 100 \"\$KYMOFS\" \"\$mnt\" $closed"
    check "started with $closed" "0" "$?"
    check "serves" "README metrics.prom t" "$(echo $(ls "$mnt"))"
    daemon=$(find_daemon)
    check "with 0, 1, 2 open" "/dev/null" "$(readlink /proc/$daemon/fd/0 /proc/$daemon/fd/1 \
        /proc/$daemon/fd/2 | sort -u)"
    fusermount3 -u "$mnt"
    ends "$daemon"
done

# ---- it serves requests when it returns, and uses nothing of its caller's ----
out=$("$KYMOFS" "$mnt" && ls "$mnt")
check "at once" "README metrics.prom t" "$(echo $out)"
check "type and source" "kymofs $mnt fuse.kymofs" "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1-3)"
check "options" "ro nosuid nodev noatime" \
    "$(echo $(grep " $mnt " /proc/self/mounts | cut -d' ' -f4 | tr , '\n' |
        grep -xE 'ro|nosuid|nodev|noatime|default_permissions'))"
daemon=$(find_daemon)
check "in a directory that can be unmounted" "/" "$(readlink "/proc/$daemon/cwd")"
"$KYMOFS" "$mnt" 2>"$work/err"
check "twice" "1" "$?"
check "twice is refused" "kymofs: $mnt: a kymofs is mounted there: first run fusermount3 -u" "$(cat "$work/err")"
check "and the first continues" "README metrics.prom t" "$(echo $(ls "$mnt"))"
kill -STOP "$daemon"
timeout 100 "$KYMOFS" "$mnt" 2>"$work/err"
check "over one that does not reply" "1" "$?"
check "is refused, too" "kymofs: $mnt: the file system there does not reply: first run fusermount3 -u -z" \
    "$(cat "$work/err")"
kill -CONT "$daemon"

# ---- ends ----
fusermount3 -u "$mnt"
succeeds "fusermount3 -u ends it" ends "$daemon"
for signal in TERM INT HUP; do
    "$KYMOFS" "$mnt"
    daemon=$(find_daemon)
    kill -$signal "$daemon"
    succeeds "SIG$signal ends it" ends "$daemon"
    check "SIG$signal unmounts" "no" "$(is_mounted || echo no)"
done

# It ends although files and a working directory are in use.
"$KYMOFS" "$mnt"
exec 8<"$mnt/t/latest"
cd "$mnt/t" || exit 1
daemon=$(find_daemon)
kill "$daemon"
succeeds "SIGTERM with files open" eventually sh -c "! grep -q ' $mnt fuse' /proc/self/mounts"
cd / || exit 1
exec 8<&-
succeeds "and it ends" ends "$daemon"

# Under load, while segments are created and removed.
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
    succeeds "SIGTERM while it is busy" ends "$daemon"
    stop $walker
done
stop $churn
rm -f "$KYMO_DIR"/storm*

# ---- killed, and started again over the mount it left ----
"$KYMOFS" "$mnt"
daemon=$(find_daemon)
ls -l "$mnt" >"$work/out" # fills the kernel's caches
kill -9 "$daemon"
ends "$daemon"
"$KYMOFS" "$mnt"
check "started again" "0" "$?"
check "and answers" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "once" "1" "$(grep -c " $mnt fuse" /proc/self/mounts)"
fusermount3 -u "$mnt"

# It sends no notification that takes locks of the kernel (see fuse/): a thread that holds one while it
# waits for a reply would hang if kymofs were killed. code=1 is the notification of poll.
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
succeeds "requests are printed" grep -q '^unique: .*READDIR' "$work/debug"
check "no notification but for polls" "" "$(grep 'NOTIFY: code=' "$work/debug" | grep -v 'code=1 ')"

# Killed while long directories are listed, segments are created and removed, and files are read through
# the page cache: neither its threads nor its callers hang.
long=1000
[ -z "${KYMO_SMALL-}" ] || long=200
"$SEGMENT" make long fields=n:u64 count=1 many=$long
"$SEGMENT" churn storm fields=n:u64 count=3 many=3 period=500000 >"$work/churn" &
churn=$!
background $churn
rounds=0
kills=20
[ -z "${KYMO_SMALL-}" ] || kills=8
while [ $rounds -lt $kills ]; do
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
    succeeds "SIGKILL while it is busy" ends "$daemon"
    succeeds "the lister ends" ends $lister
    succeeds "the reader ends" ends $sender
done
stop $churn
echo "count: killed under load: $rounds times, no caller hung"
rm -f "$KYMO_DIR"/storm* "$KYMO_DIR"/long*
umount -l "$mnt" 2>/dev/null || fusermount3 -u -z "$mnt"

# ---- other ways to start it ----
cd "$(dirname "$mnt")" || exit 1
(cd "$KYMO_DIR/.." && KYMO_DIR=./segments "$KYMOFS" "$mnt")
check "a relative directory" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "a link that leads there" "$KYMO_DIR/t" "$(readlink "$mnt/t/raw")"
fusermount3 -u "$mnt"
mkdir "$work/other"
"$KYMOFS" "$work/other/" "$mnt"
check "a source with a slash is the segment directory" "README metrics.prom" "$(echo $(ls "$mnt"))"
check "and the source" "$work/other/" "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1)"
fusermount3 -u "$mnt"
"$KYMOFS" other "$mnt"
check "one without is a name" "README metrics.prom t" "$(echo $(ls "$mnt"))"
fusermount3 -u "$mnt"
"$KYMOFS" "./$(basename "$mnt")" -s
check "a relative mount point, one thread" "README metrics.prom t" "$(echo $(ls "$mnt"))"
for method in sendfile splice mmap; do
    check "$method with one thread" '"n":2}}' "$("$READERS" $method "$mnt/t/latest" | cut -d'{' -f3)"
done
fusermount3 -u "$mnt"
"$KYMOFS" here "$mnt" -o rw,noexec,dev,suid
check "as mount.fuse3 calls it" "here fuse.kymofs ro" \
    "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1,3,4 | sed 's/,.*//')"
fusermount3 -u "$mnt"
if [ "$(id -u)" -eq 0 ] && command -v mount.fuse3 >/dev/null; then
    PATH=$(dirname "$KYMOFS"):$PATH mount.fuse3 from-fstab "$mnt" -o rw,allow_other -t fuse.kymofs
    check "by mount.fuse3" "from-fstab README metrics.prom t" \
        "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1) $(echo $(ls "$mnt"))"
    fusermount3 -u "$mnt"
fi

finish
