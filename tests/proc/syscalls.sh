#!/bin/sh
# The system calls of publishing (promise D): none while no reader waits, and one futex call for
# each record that a reader waits for. strace counts the calls of the whole program, with and
# without records; the difference is the cost of the records.
#   PUBLISHER: the program
#   KYMO: the command line, or empty: kymo pub reads blocks, not lines
set -u

if ! command -v strace >/dev/null; then
    echo "strace is not installed"
    [ "${CI-}" != true ] || exit 1
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
records=1000000
sleeps=500

# Writes "calls name" for each call, in the order of names.
count_calls()
{
    out=$1
    shift
    if ! strace -c -o "$folder/table" "$PUBLISHER" "$@"; then
        echo "$* fails, or cannot be traced"
        exit 1
    fi
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $4, $NF }' "$folder/table" | sort -k2 >"$folder/$out"
}

if [ -n "${KYMO-}" ]; then
    yes '{"x":1.5}' | head -n 100000 >"$folder/lines"
    strace -c -o "$folder/table" "$KYMO" pub lines --fields x:f64 <"$folder/lines" || exit 1
    calls=$(awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { sum += $4 } END { print sum }' "$folder/table")
    if [ "$calls" -gt 300 ]; then
        echo "kymo pub takes $calls system calls for 100000 lines, must be at most 300"
        exit 1
    fi
fi

count_calls none alone 0
count_calls alone alone $records
if ! cmp -s "$folder/none" "$folder/alone"; then
    echo "$records publishes without a waiter enter the kernel:"
    diff "$folder/none" "$folder/alone"
    exit 1
fi
calls=$(awk '{ sum += $1 } END { print sum }' "$folder/alone")
[ "$calls" -gt 20 ] || { echo "strace counted no calls"; exit 1; }

futex_calls()
{
    awk '$2 == "futex" { calls = $1 } END { print calls + 0 }' "$folder/$1"
}

count_calls quiet blocked 0
count_calls woken blocked $sleeps
wakes=$(($(futex_calls woken) - $(futex_calls quiet)))
if [ $wakes -ne $sleeps ]; then
    echo "$sleeps publishes with one sleeping reader take $wakes futex calls"
    exit 1
fi
# The program's other calls are yields until its reader sleeps.
for file in quiet woken; do
    grep -v -e ' futex$' -e ' sched_yield$' -e ' rt_sigreturn$' "$folder/$file" >"$folder/$file.rest"
done
if ! cmp -s "$folder/quiet.rest" "$folder/woken.rest"; then
    echo "publishing to a sleeping reader makes other calls than futex:"
    diff "$folder/quiet.rest" "$folder/woken.rest"
    exit 1
fi
echo "count: system calls: 0 in $records publishes without a waiter; $wakes futex calls in $sleeps publishes, each with one sleeping reader"
