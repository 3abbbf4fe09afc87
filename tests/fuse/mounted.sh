# Sourced by the scripts of this folder: mounts kymofs, counts checks, and cleans up at every exit. A
# script ends with `finish`.
#
#   KYMOFS KYMO SEGMENT READERS STREAMS STOP_WRITER   the programs
#   UNIT         the systemd unit
#   KYMO_SMALL   not empty under a sanitizer: use smaller counts
#   KYMO_DIR     the private segment directory of the test
set -u
export LC_ALL=C

here=$(dirname "$0")
mnt=
jobs=
checks=0
failures=0

if [ ! -w /dev/fuse ]; then
    echo "/dev/fuse is missing or not writable: nothing can be mounted here"
    [ "${CI-}" = true ] && exit 1
    exit 77
fi

# Sends SIGTERM to processes or process groups that this script started, and waits for the processes.
stop()
{
    kill "$@" 2>/dev/null
    for pid in "$@"; do
        case $pid in
        -*) ;;
        *) wait "$pid" 2>/dev/null ;;
        esac
    done
}

clean_up()
{
    for pid in $jobs; do
        kill -CONT "$pid" 2>/dev/null
        stop "$pid"
    done
    # Unfinished files of killed writers, which `kymo reap` removes after 2 s only.
    [ -z "${KYMO_DIR-}" ] || rm -f "$KYMO_DIR"/.kymo-*
    if [ -n "$mnt" ]; then
        while grep -q " $mnt fuse" /proc/self/mounts; do
            fusermount3 -u -z "$mnt" || break
        done
        rm -rf "$work"
        rmdir "$mnt"
    fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

mnt=$(mktemp -d /tmp/kymofs-test-XXXXXX) || exit 1
work=$(mktemp -d /tmp/kymofs-work-XXXXXX) || exit 1

# Registers a background process for clean_up().
background()
{
    jobs="$jobs $1"
}

# Starts a writer that publishes until it is stopped: run_writer NAME [OPTION...]. Sets $writer to its pid.
run_writer()
{
    rm -f "$work/writer.$1"
    "$SEGMENT" run "$@" >"$work/writer.$1" &
    writer=$!
    background $writer
    until [ -s "$work/writer.$1" ]; do
        kill -0 $writer 2>/dev/null || break
        sleep 0.01
    done
}

# count FULL: the repetitions of this run, of FULL in tools/soak: as process_count() in proc/process.h.
count()
{
    awk -v full="$1" -v scale="${KYMO_STRESS_SCALE:-0.01}" \
        'BEGIN { count = int(full * scale + 0.5); print (count > 0 ? count : 1) }'
}

# check TEXT EXPECTED FOUND
check()
{
    checks=$((checks + 1))
    if [ "$2" != "$3" ]; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
    fi
}

# succeeds TEXT COMMAND...
succeeds()
{
    what=$1
    shift
    if "$@" >"$work/succeeds" 2>&1; then
        check "$what" "done" "done"
    else
        check "$what" "done" "status $?: $(head -c 300 "$work/succeeds")"
    fi
}

# Prints the name of the error of open(), or "opened".
error_of()
{
    "$READERS" open "$1"
}

fails_with()
{
    check "opening $2 fails with $1" "$1" "$(error_of "$mnt/$2")"
}

# Retries a command until it succeeds, 1000 times at most (10 s).
eventually()
{
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || return 1
        sleep 0.01
    done
}

mount_view()
{
    "$KYMOFS" "$mnt" "$@" || exit 1
}

unmount_view()
{
    fusermount3 -u "$mnt"
}

# Prints the pid of the kymofs that has this KYMO_DIR, and the mount point on its command line.
find_daemon()
{
    grep -lazs "^KYMO_DIR=$KYMO_DIR\$" /proc/[0-9]*/environ | while read -r environ; do
        [ "$(cat "${environ%environ}comm")" = kymofs ] || continue
        if tr '\0' '\n' 2>/dev/null <"${environ%environ}cmdline" | grep -qx "$mnt"; then
            environ=${environ#/proc/}
            echo "${environ%/environ}"
        fi
    done 2>/dev/null
}

# README must be readable at the end if the mount exists.
finish()
{
    if grep -q " $mnt fuse" /proc/self/mounts; then
        check "README is readable at the end of the test" "kymofs" "$(head -c 6 "$mnt/README")"
    fi
    echo "$checks checks, $failures failed"
    [ $failures -eq 0 ] && [ $checks -gt 0 ]
    exit
}
