# Sourced by the tests of the command line, which get kymo's path as their first argument. Each check
# says what it expected; a test goes on after a failed one, and `finish` returns whether any was.
# shellcheck shell=bash

set -u
PATH=$(dirname "$1"):$PATH
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "$KYMO_DIR/../scratch-XXXXXX")
out= err= status=
failed=0 checks=0
background=()

# Ends what the test started and is still there.
end_background()
{
    for pid in "${background[@]}"; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}
trap end_background EXIT

# Runs a command and keeps what it printed in $out and $err, and its $status.
run()
{
    "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

# Starts a command in the background, with its output in $scratch/NAME.out and NAME.err: start NAME
# command... Sets $pid.
start()
{
    local name=$1
    shift
    # Without <&0 the shell would give it /dev/null.
    "$@" <&0 >"$scratch/$name.out" 2>"$scratch/$name.err" &
    pid=$!
    background+=("$pid")
}

# Starts a command whose input is one line and then stays open: feed NAME LINE command...
feed()
{
    local name=$1 line=$2 input
    shift 2
    rm -f "$scratch/$name.in"
    mkfifo "$scratch/$name.in"
    exec {input}<>"$scratch/$name.in"
    echo "$line" >&"$input"
    start "$name" "$@" <"$scratch/$name.in"
}

fail()
{
    failed=$((failed + 1))
    echo "FAILED (line ${BASH_LINENO[1]}): $1"
    shift
    printf '    %s\n' "$@"
}

# is WHAT EXPECTED FOUND
is()
{
    checks=$((checks + 1))
    [ "$2" == "$3" ] || fail "$1" "expected: $2" "found:    $3"
}

# like WHAT PATTERN FOUND: a shell pattern
like()
{
    checks=$((checks + 1))
    # shellcheck disable=SC2053
    [[ "$3" == $2 ]] || fail "$1" "expected: $2" "found:    $3"
}

# ok: the last command that was run returned 0 and said nothing on stderr.
ok()
{
    checks=$((checks + 1))
    [ "$status" -eq 0 ] && [ -z "$err" ] || fail "${1:-it works}" "status $status" "$err"
}

# refused STATUS PATTERN: the last command failed so, and said that on stderr.
refused()
{
    checks=$((checks + 1))
    # shellcheck disable=SC2053
    [ "$status" -eq "$1" ] && [[ "$err" == $2 ]] ||
        fail "it is refused" "expected: $1, $2" "found:    $status, $err"
}

# Waits until a command succeeds, but not for ever: eventually WHAT command...
eventually()
{
    local what=$1 tries=0
    shift
    checks=$((checks + 1))
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 1000 ]; then
            fail "$what" "never became true: $*"
            return 1
        fi
        sleep 0.02
    done
}

# Whether a file has at least N lines.
has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

# Whether a segment's info has a line like that.
says()
{
    kymo info "$1" | grep -qx "$2"
}

# The data of one record as JSON, byte for byte: data NAME [option...]
data()
{
    kymo get "$@" | sed -E 's/.*"tag":[0-9]*,"data":(.*)\}$/\1/'
}

finish()
{
    echo "$checks checks, $failed failed"
    [ $failed -eq 0 ] && [ $checks -gt 0 ]
    exit
}
