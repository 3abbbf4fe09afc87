# Error messages that state the cause.
. "$(dirname "$0")/cli.sh"

kymo pub imu --fields x:f64,temp:f64 <<<'[1,2]
[3,4]'

# ---- missing and misspelt names ----

for command in get info watch rm metrics; do
    run kymo $command imv
    refused 1 "kymo: imv: no such segment; did you mean 'imu'?"
done
run kymo pub imv </dev/null
refused 2 "kymo: imv: no such segment: use --fields to create it; did you mean 'imu'?"
run kymo wacth imu
refused 2 "kymo: wacth: unknown command: *; did you mean 'watch'?"
run kymo get imu --field tmep
refused 1 "kymo: imu: no field 'tmep': *; did you mean 'temp'?"
run kymo get imu --field pressure
refused 1 "kymo: imu: no field 'pressure': kymo info lists the fields"
run kymo pub imu <<<'{"x":1,"tmp":2}'
refused 1 "kymo: imu: line 1: no field tmp; did you mean 'temp'?"
run kymo pub imu --csv <<<'x,Temp'
refused 1 "kymo: imu: line 1: no field for the column \"Temp\"; did you mean 'temp'?"
run kymo pub new --fields speed:f64 --unit sped=m/s </dev/null
refused 2 "kymo: new: sped=m/s: no such field *; did you mean 'speed'?"
run kymo pub imu --time tmp </dev/null
refused 2 "kymo: imu: --time tmp: no such field; did you mean 'temp'?"
run kymo pub new --fields x:f64,y:u8,x:u8 </dev/null
refused 2 "kymo: new: --fields 'x:f64,y:u8,x:u8': duplicate field at 'x:u8': use each name once"

# ---- positions that do not exist ----

run kymo get imu --back 5
refused 1 'kymo: imu: --back 5: must be below the number of published records, 2'
run kymo get imu --pos 99
refused 1 'kymo: imu: --pos 99: the newest record is at 1'

# ---- standard descriptors ----

run timeout 10 bash -c 'kymo pub closed --fields x:u8 <&-'
refused 1 'kymo: standard input: Bad file descriptor'
run timeout 10 bash -c 'kymo get imu >&-'
refused 1 'kymo: standard output: Bad file descriptor'
run timeout 10 bash -c 'kymo get imu <&- >&- 2>&-'
is "without any standard descriptor" 1 "$status"
run bash -c 'kymo get imu >/dev/full'
refused 1 'kymo: standard output: No space left on device'

# ---- the directory and its file system ----

for command in 'get imu' 'info imu' 'rm imu' 'pub imu --fields x:u8'; do
    # shellcheck disable=SC2086
    KYMO_DIR=$scratch/missing run kymo $command </dev/null
    refused 1 "kymo: imu: the directory $scratch/missing is missing: create it, or change KYMO_DIR"
done
run bash -c 'ulimit -f 4; exec kymo pub big --fields x:u8 </dev/null'
refused 1 'kymo: big: needs [0-9]* bytes, and the limit of file sizes is 4096: *ulimit -f*'
# Limits of a file system, as the kernel reports them.
if command -v strace >/dev/null; then
    for error in EFBIG EDQUOT; do
        ASAN_OPTIONS=detect_leaks=0 run strace -f -o /dev/null -e inject=fallocate:error=$error \
            kymo pub big --fields x:u8 </dev/null
        refused 1 "kymo: big: cannot allocate [0-9]* bytes in $KYMO_DIR: see the quota, and the largest file *"
    done
fi
if [ "$(id -u)" -eq 0 ]; then
    small=$(mktemp -d /tmp/kymo-test-XXXXXX)
    if mount -t tmpfs -o nr_inodes=2 kymo-test "$small" 2>/dev/null; then
        touch "$small/file"
        KYMO_DIR=$small run kymo pub t --fields x:u8 </dev/null
        refused 1 "kymo: t: $small has no free inodes: remove files there"
        umount "$small"
    fi
    copy=$small/bin
    mkdir "$copy" && chmod 755 "$small"
    cp "$(command -v kymo)" "$copy/"
    cp -P "$(dirname "$(command -v kymo)")"/../lib/libkymo.so* "$copy/"
    kymo pub sticky --mode 0666 --fields x:u8 <<<'[1]'
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        env "LD_LIBRARY_PATH=$copy" "$copy/kymo" rm sticky
    refused 1 "kymo: sticky: not permitted: in $KYMO_DIR, a sticky directory, only the owner *"
    rm -rf "$small"
fi

# ---- a lease on the file, and a missing /proc ----

run python3 -c '
import fcntl, os, signal, subprocess, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
sys.exit(subprocess.run(["kymo", "get", "imu"]).returncode)' "$KYMO_DIR/imu"
refused 1 'kymo: imu: the file is under a lease, or is being replaced: try again'
if unshare -m mount -t tmpfs kymo-test /proc 2>/dev/null; then
    run unshare -m sh -c 'mount -t tmpfs kymo-test /proc && kymo pub new --fields x:u8 </dev/null'
    # Sanitizers report the missing /proc, too.
    refused 1 '*kymo: new: /proc is missing: mount it*'
    hidden='mount -t tmpfs kymo-test /proc'
    if unshare -m sh -c "$hidden && kymo --version" >/dev/null 2>&1; then
        run unshare -m sh -c "$hidden && kymo get imu && kymo watch imu --from oldest --count 1"
        ok "reading does not need /proc"
    fi
fi
finish
