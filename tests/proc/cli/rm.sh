# kymo rm and kymo reap: what may be removed, and by which user.
. "$(dirname "$0")/cli.sh"

for name in a b c; do
    kymo pub $name --fields x:u8 <<<'[1]'
done
run kymo rm a
ok
is "a is gone" 'b c' "$(kymo ls | xargs)"
run kymo rm a b nothing c
refused 1 'kymo: a: no such segment
kymo: nothing: no such segment'
is "the others are gone" '' "$(kymo ls)"

# A living writer's segment stays; a killed one's can be removed or reaped, a closed one's is not.
mkfifo "$scratch/pipe"
exec 3<>"$scratch/pipe"
start live kymo pub live --fields x:u8 <"$scratch/pipe" 3>&-
live=$pid
echo '[1]' >&3
eventually "it publishes" kymo get live
run kymo rm live
refused 1 "kymo: live: another writer is alive, process $live: *"
is "it is still there" live "$(kymo ls)"
kymo pub closed --fields x:u8 <<<'[1]'
run kymo reap
ok
is "nothing to reap" '' "$out"

for name in dead1 dead2; do
    feed $name '[7]' kymo pub $name --fields x:u8
    eventually "it publishes" kymo get $name
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    is "it reads DEAD" 'writer: DEAD' "$(kymo info $name | grep ^writer:)"
    is "its record is there" '{"x":7}' "$(data $name)"
done
run kymo rm dead1
ok
run kymo reap
ok
is "what was reaped" 'removed dead2' "$out"
is "what was not" 'closed live' "$(kymo ls | xargs)"
exec 3>&-
wait "$live"

# Leftovers of creators that were killed half-way.
: >"$KYMO_DIR/.kymo-1-leftover"
eventually "a leftover is reaped, once it is too old to be a creator at work" \
    bash -c 'kymo reap | grep -x "removed 1 unfinished"'
is "it is gone" 0 "$(find "$KYMO_DIR" -name '.kymo-*' | wc -l)"

KYMO_DIR=$scratch/missing run kymo reap
refused 1 "kymo: $scratch/missing: *"

# Another user may read what the mode lets it, and remove nothing.
if [ "$(id -u)" -eq 0 ]; then
    copy=$(mktemp -d /tmp/kymo-test-XXXXXX)
    chmod 755 "$copy"
    cp "$(command -v kymo)" "$copy/kymo"
    cp -P "$(dirname "$(command -v kymo)")"/../lib/libkymo.so* "$copy/"
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups
        env "LD_LIBRARY_PATH=$copy" "$copy/kymo")
    kymo pub open --mode 0444 --fields x:u8 <<<'[1]'
    kymo pub shut --mode 0600 --fields x:u8 <<<'[1]'
    run "${nobody[@]}" get open
    ok "another user reads"
    run "${nobody[@]}" get shut
    refused 1 'kymo: shut: permission denied*'
    run "${nobody[@]}" pub open --fields x:u8 </dev/null
    refused 1 'kymo: open: permission denied*'
    run "${nobody[@]}" rm open
    is "another user removes nothing" 1 "$status"
    is "it is still there" '{"x":1}' "$(data open)"
    run "${nobody[@]}" ls -l
    is "it lists" 0 "$status"
    like "what it may not read is skipped" '*skipped shut: *' "$out"

    # It also blocks, without permission to write the bell.
    start nobody "${nobody[@]}" watch open
    watch=$pid
    sleep 0.2
    kymo pub open --fields x:u8 < <(seq 2 6)
    eventually "it sees what comes" has_lines "$scratch/nobody.out" 5
    kill "$watch"
    rm -rf "$copy"
fi
finish
