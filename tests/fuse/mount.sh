# The daemon itself: options, background, signals, what an earlier one left behind.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make t fields=n:u64 count=3 || exit 1

is_mounted()
{
    grep -q " $mnt fuse.kymofs" /proc/self/mounts
}

# No thread of it is left; whoever ought to wait for it may take his time.
has_ended()
{
    ! grep -qsv ') [ZX] ' /proc/$1/task/*/stat
}

ends()
{
    eventually has_ended "$1"
}

# ---- told without a mount ----
check "--version" "kymofs" "$("$KYMOFS" --version | cut -d' ' -f1)"
check "--help is one screen" "yes" "$([ "$("$KYMOFS" --help | wc -l)" -le 24 ] && echo yes)"
check "--help is no wider" "" "$("$KYMOFS" --help | grep -E '.{81}')"
"$KYMOFS" >"$work/out" 2>"$work/err"
check "no mount point" "2" "$?"
"$KYMOFS" a b c >"$work/out" 2>"$work/err"
check "too many" "2" "$?"
"$KYMOFS" "$mnt" -o nonsense=1 >"$work/out" 2>"$work/err"
check "an option that there is not" "2" "$?"
succeeds "is named" grep -q nonsense "$work/err"
"$KYMOFS" "$mnt/nowhere" >"$work/out" 2>"$work/err"
check "no such mount point" "1" "$?"
check "is named" "kymofs: $mnt/nowhere: No such file or directory" "$(cat "$work/err")"
KYMO_DIR=$work/nowhere "$KYMOFS" "$mnt" >"$work/out" 2>"$work/err"
check "no such segment directory" "1" "$?"
succeeds "is named, too" grep -q "$work/nowhere" "$work/err"
check "nothing is mounted" "no" "$(is_mounted || echo no)"

# ---- it answers when it returns, and holds nothing of its caller's ----
out=$("$KYMOFS" "$mnt" && ls "$mnt")
check "at once" "README metrics.prom t" "$(echo $out)"
check "type and source" "kymofs $mnt fuse.kymofs" "$(grep " $mnt " /proc/self/mounts | cut -d' ' -f1-3)"
check "options" "ro nosuid nodev noatime default_permissions" \
    "$(echo $(grep " $mnt " /proc/self/mounts | cut -d' ' -f4 | tr , '\n' |
        grep -xE 'ro|nosuid|nodev|noatime|default_permissions'))"
daemon=$(find_daemon)
check "in a directory that can be unmounted" "/" "$(readlink "/proc/$daemon/cwd")"
"$KYMOFS" "$mnt" 2>"$work/err"
check "twice" "1" "$?"
check "twice is refused" "kymofs: $mnt: a kymofs is mounted there; fusermount3 -u it first" "$(cat "$work/err")"
check "and the first goes on" "README metrics.prom t" "$(echo $(ls "$mnt"))"
kill -STOP "$daemon"
timeout 100 "$KYMOFS" "$mnt" 2>"$work/err"
check "over one that is silent" "1" "$?"
check "is refused, too" "kymofs: $mnt: the file system there does not answer; fusermount3 -u -z it first" \
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

# With somebody inside, it ends all the same.
"$KYMOFS" "$mnt"
exec 8<"$mnt/t/latest"
cd "$mnt/t" || exit 1
daemon=$(find_daemon)
kill "$daemon"
succeeds "SIGTERM with files open" eventually sh -c "! grep -q ' $mnt fuse' /proc/self/mounts"
cd / || exit 1
exec 8<&-
succeeds "and it ends" ends "$daemon"

# While it is busy, and names come and go.
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

# ---- killed, and started again on what it left ----
"$KYMOFS" "$mnt"
daemon=$(find_daemon)
ls -l "$mnt" >"$work/out" # the kernel remembers what it was told, for a second
kill -9 "$daemon"
ends "$daemon"
"$KYMOFS" "$mnt"
check "started again" "0" "$?"
check "and answers" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "once" "1" "$(grep -c " $mnt fuse" /proc/self/mounts)"
fusermount3 -u "$mnt"

# It never asks the kernel to forget anything, which would wait for whoever waits for it; not even what
# has gone, nor what is read through the page cache. (code=1 wakes who polls, and waits for nobody.)
"$SEGMENT" make once fields=n:u64 count=1
"$KYMOFS" -d "$mnt" 2>"$work/debug" &
daemon=$!
background $daemon
eventually test -e "$mnt/README"
ls -lR "$mnt" >"$work/out"
"$READERS" sendfile "$mnt/once/latest" >"$work/out"
"$SEGMENT" remove once
sleep 1.5 # it is seen to after a second
fails_with ENOENT once/latest
fusermount3 -u "$mnt"
wait $daemon
succeeds "requests are printed" grep -q '^unique: .*READDIR' "$work/debug"
check "nothing is taken back" "" "$(grep 'NOTIFY: code=' "$work/debug" | grep -v 'code=1 ')"

# While long lists are read, names come and go, and files are read through the page cache for the first
# time: whoever waits for it, and its own threads, are let go.
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
    [ $rounds -gt 4 ] || sleep 1 # names that have gone are seen to a second later
    kill -9 "$daemon"
    succeeds "SIGKILL while it is busy" ends "$daemon"
    succeeds "whoever listed is let go" ends $lister
    succeeds "whoever read is let go" ends $sender
done
stop $churn
echo "count: killed while it is busy: $rounds times, nobody waited for ever"
rm -f "$KYMO_DIR"/storm* "$KYMO_DIR"/long*
umount -l "$mnt" 2>/dev/null || fusermount3 -u -z "$mnt"

# ---- the other ways to start it ----
cd "$(dirname "$mnt")" || exit 1
(cd "$KYMO_DIR/.." && KYMO_DIR=./segments "$KYMOFS" "$mnt")
check "a relative directory" "README metrics.prom t" "$(echo $(ls "$mnt"))"
check "a link that leads there" "$KYMO_DIR/t" "$(readlink "$mnt/t/raw")"
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
