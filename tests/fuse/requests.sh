# The requests of a command: two round trips for open, read and close, four for cat, no flush or xattr.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make still 'fields=n:u64,v:f32[20]' count=100 depth=128 || exit 1
"$SEGMENT" make large size=40000 count=3 || exit 1
"$KYMOFS" "$mnt" -d 2>"$work/log" &
daemon=$!
background $daemon
eventually grep -q " $mnt fuse" /proc/self/mounts || exit 1

releases()
{
    grep -c "opcode: RELEASE" "$work/log"
}

released_more_than()
{
    [ "$(releases)" -gt "$1" ]
}

# The opcodes, in order, of the requests of a command that reads one file.
requests_of()
{
    lines=$(wc -l <"$work/log")
    before=$(releases)
    "$@" >/dev/null || echo "failed"
    eventually released_more_than "$before"
    echo $(tail -n "+$((lines + 1))" "$work/log" | sed -n 's/.*opcode: \([A-Z_]*\) .*/\1/p' |
        grep -v FORGET)
}

# requests EXPECTED COMMAND...: the command sends these requests. The kernel looks up names again after
# 1 s, so a slow run has an additional LOOKUP: up to 20 attempts.
requests()
{
    expected=$1
    shift
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        got=$(requests_of "$@")
        [ "$got" != "$expected" ] || break
    done
    check "$* sends $expected" "$expected" "$got"
}

for file in still/latest still/info; do
    requests "OPEN GETATTR READ READ RELEASE" cat "$mnt/$file"
    requests "OPEN READ RELEASE" head -c 5 "$mnt/$file"
done
requests "ACCESS OPEN GETATTR READ READ RELEASE" \
    sh -c "test -r '$mnt/still/latest' && cat '$mnt/still/latest'"
# A file that may exceed a page is looked up for each open, so that st_size is its length.
requests "LOOKUP OPEN GETATTR READ READ RELEASE" cat "$mnt/large/latest.raw"

# Requests that kymofs does not implement: the kernel sends them once.
ls -l "$mnt/still" "$mnt/large" >/dev/null
for opcode in FLUSH GETXATTR LISTXATTR; do
    n=$(grep -c "opcode: $opcode " "$work/log")
    check "$opcode is sent once at most" "yes" "$([ "$n" -le 1 ] && echo yes || echo "$n times")"
done

# ---- an idle daemon uses no CPU time ----
switches()
{
    cat /proc/"$daemon"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'
}
stays_idle()
{
    before=$(switches)
    sleep 1
    [ $(($(switches) - before)) -le 3 ]
}
succeeds "an idle daemon has at most 3 context switches in 1 s" eventually stays_idle

echo "count: round trips of latest: 2 for open, read and close; 4 for cat (OPEN, GETATTR, READ, READ); RELEASE is asynchronous"
finish
