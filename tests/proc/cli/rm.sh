# kymo rm and kymo reap: what may be removed, and by which user.
. "$(dirname "$0")/cli.sh"

for name in a b c; do
    kymo pub $name --fields x:u8 <<<'[1]'
done
run kymo rm a
ok "rm succeeds"
is "rm removes the segment" 'b c' "$(kymo ls | xargs)"
run kymo rm a b nothing c
refused 1 'kymo: a: no such segment
kymo: nothing: no such segment'
is "rm removes valid names beside invalid ones" '' "$(kymo ls)"

# ALIVE: rm and reap keep the segment. DEAD: both remove it. CLOSED: reap keeps it.
mkfifo "$scratch/pipe"
exec 3<>"$scratch/pipe"
start live kymo pub live --fields x:u8 <"$scratch/pipe" 3>&-
live=$pid
echo '[1]' >&3
eventually "the writer of live publishes" kymo get live
run kymo rm live
refused 1 "kymo: live: another writer is alive, process $live: *"
is "rm keeps the segment of a live writer" live "$(kymo ls)"
kymo pub closed --fields x:u8 <<<'[1]'
run kymo reap
ok "reap succeeds"
is "reap keeps segments that are ALIVE or CLOSED" '' "$out"

for name in dead1 dead2; do
    feed $name '[7]' kymo pub $name --fields x:u8
    eventually "the writer of $name publishes" kymo get $name
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    is "the killed writer of $name is DEAD" 'writer: DEAD' "$(kymo info $name | grep ^writer:)"
    is "the record of $name is readable after SIGKILL" '{"x":7}' "$(data $name)"
done
run kymo rm dead1
ok "rm removes the segment of a dead writer"
run kymo reap
ok "reap succeeds beside a dead writer"
is "reap removes the segment of a dead writer" 'removed dead2' "$out"
is "reap keeps the other segments" 'closed live' "$(kymo ls | xargs)"
exec 3>&-
wait "$live"

# Unfinished files of killed creators.
: >"$KYMO_DIR/.kymo-1-leftover"
eventually "reap removes an unfinished file after its minimum age" \
    bash -c 'kymo reap | grep -x "removed 1 unfinished"'
is "no unfinished file remains" 0 "$(find "$KYMO_DIR" -name '.kymo-*' | wc -l)"

KYMO_DIR=$scratch/missing run kymo reap
refused 1 "kymo: $scratch/missing: *"

# Another user reads if the mode permits it, and removes nothing.
if [ "$(id -u)" -eq 0 ]; then
    copy=$(mktemp -d /tmp/kymo-test-XXXXXX)
    chmod 755 "$copy"
    cp "$(command -v kymo)" "$copy/kymo"
    cp -P "$(dirname "$(command -v kymo)")"/../lib/libkymo.so* "$copy/"
    other=(setpriv --reuid 65534 --regid 65534 --clear-groups
        env "LD_LIBRARY_PATH=$copy" "$copy/kymo")
    kymo pub open --mode 0444 --fields x:u8 <<<'[1]'
    kymo pub shut --mode 0600 --fields x:u8 <<<'[1]'
    run "${other[@]}" get open
    ok "another user reads a segment of mode 0444"
    run "${other[@]}" get shut
    refused 1 'kymo: shut: permission denied*'
    run "${other[@]}" pub open --fields x:u8 </dev/null
    refused 1 'kymo: open: permission denied*'
    run "${other[@]}" reap
    ok "reap by another user has nothing to do beside a CLOSED segment"
    run "${other[@]}" rm open
    is "rm by another user fails" 1 "$status"
    is "a segment remains after rm by another user" '{"x":1}' "$(data open)"
    run "${other[@]}" ls -l
    is "ls -l by another user succeeds" 0 "$status"
    like "ls -l skips segments that another user may not read" '*skipped shut: *' "$out"

    # A blocking read without write permission for the bell.
    start other "${other[@]}" watch open
    watch=$pid
    sleep 0.2
    kymo pub open --fields x:u8 < <(seq 2 6)
    eventually "watch by another user prints new records" has_lines "$scratch/other.out" 5
    kill "$watch"
    rm -rf "$copy"
fi
finish
