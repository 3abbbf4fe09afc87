# Sourced by the scripts of this folder: mounts kymofs for them, counts what they check, and cleans
# up whatever becomes of them. A script ends with `finish`.
#
#   KYMOFS KYMO SEGMENT READERS STREAMS FREEZER   the programs
#   UNIT         the unit
#   KYMO_SMALL   not empty under a sanitizer: do less of everything
#   KYMO_DIR     the test's own
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

# Ends a process that this script started, and waits for it.
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
    # What a writer had not finished when it was ended: `kymo reap` takes that after two seconds.
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

# Remembers a process that was started in the background.
background()
{
    jobs="$jobs $1"
}

# Starts a writer that goes on: run_writer NAME [OPTION...]. Its process id is in $writer.
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

check()
{
    checks=$((checks + 1))
    if [ "$2" != "$3" ]; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
    fi
}

# The command succeeds: succeeds WHAT COMMAND...
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

# The name of the error that opening the file gives, or "opened".
error_of()
{
    "$READERS" open "$1"
}

fails_with()
{
    check "opening $2" "$1" "$(error_of "$mnt/$2")"
}

# Tries until the command succeeds, 10 s at most.
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

# The daemon that serves the mount: with this directory, and the mount point on its command line,
# which others have there, too: an ls that outlives the shell that ran it.
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

# The mount has to answer to the end.
finish()
{
    if grep -q " $mnt fuse" /proc/self/mounts; then
        check "README at the end" "kymofs" "$(head -c 6 "$mnt/README")"
    fi
    echo "$checks checks, $failures failed"
    [ $failures -eq 0 ] && [ $checks -gt 0 ]
    exit
}
