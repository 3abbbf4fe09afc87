# Sourced by the tests of the command line; their first argument is the path of kymo. A failed check
# prints the expected and the actual value, and the test continues; `finish` exits with 1 if any failed.
# shellcheck shell=bash

set -u
PATH=$(dirname "$1"):$PATH
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "$KYMO_DIR/../scratch-XXXXXX")
out= err= status=
failed=0 checks=0
background=()

# Kills the background processes that still run.
end_background()
{
    for pid in "${background[@]}"; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}
trap end_background EXIT

# Runs a command; stores its output in $out and $err, and its exit status in $status.
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
    # Without <&0 the shell redirects the input of a background command from /dev/null.
    "$@" <&0 >"$scratch/$name.out" 2>"$scratch/$name.err" &
    pid=$!
    background+=("$pid")
}

# Starts a command whose input is one line, followed by no end of file: feed NAME LINE command...
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

# bash runs this in a subshell.
command_not_found_handle()
{
    echo "$1" >>"$scratch/missing"
    return 127
}

fail()
{
    failed=$((failed + 1))
    echo "FAILED (line ${BASH_LINENO[1]}): $1"
    shift
    printf '    %s\n' "$@"
}

# is TEXT EXPECTED FOUND: the two values are equal.
is()
{
    checks=$((checks + 1))
    [ "$2" == "$3" ] || fail "$1" "expected: $2" "found:    $3"
}

# like TEXT PATTERN FOUND: the value matches the shell pattern.
like()
{
    checks=$((checks + 1))
    # shellcheck disable=SC2053
    [[ "$3" == $2 ]] || fail "$1" "expected: $2" "found:    $3"
}

# ok [TEXT]: the last command of run() returned 0 and printed nothing on stderr.
ok()
{
    checks=$((checks + 1))
    [ "$status" -eq 0 ] && [ -z "$err" ] || fail "${1:-the command succeeds}" "status $status" "$err"
}

# refused STATUS PATTERN: the last command of run() returned STATUS, and its stderr matches.
refused()
{
    checks=$((checks + 1))
    # shellcheck disable=SC2053
    [ "$status" -eq "$1" ] && [[ "$err" == $2 ]] ||
        fail "the command fails" "expected: $1, $2" "found:    $status, $err"
}

# Retries a command until it succeeds, at most 1000 times: eventually TEXT command...
eventually()
{
    local what=$1 tries=0
    shift
    checks=$((checks + 1))
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 1000 ]; then
            fail "$what" "never succeeded: $*"
            return 1
        fi
        sleep 0.02
    done
}

# has_lines FILE N: the file has at least N lines.
has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

# info_has NAME LINE: kymo info prints that line.
info_has()
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
    [ ! -s "$scratch/missing" ] || fail "every command of the script exists" "$(cat "$scratch/missing")"
    echo "$checks checks, $failed failed"
    [ $failed -eq 0 ] && [ $checks -gt 0 ]
    exit
}
