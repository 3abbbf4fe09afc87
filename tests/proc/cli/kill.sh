# A writer killed again and again in the middle of its work: readers always get an answer, the next
# writer goes on where the last one was.
. "$(dirname "$0")/cli.sh"

# Endless lines whose fields have to agree.
lines()
{
    awk 'BEGIN { for (i = 0;; i++) printf "[%d,%d,%d,%d]\n", i % 65536, i % 65536, i % 65536, i % 65536 }'
}

kymo pub t --fields a:u32,b:u32[2],c:u32 --depth 16 <<<'[0,0,0,0]'
mkfifo "$scratch/lines"
last=0
for round in {1..40}; do
    lines >"$scratch/lines" 2>/dev/null &
    lines=$!
    background+=("$lines")
    start writer kymo pub t --fields a:u32,b:u32[2],c:u32 --depth 16 <"$scratch/lines"
    writer=$pid
    eventually "round $round publishes" bash -c "[ \$(kymo get t | jq .pos) -gt $last ]"
    kill -9 "$writer"
    wait "$writer" 2>/dev/null
    run kymo get t
    ok "the newest record after a kill"
    is "it is whole" true "$(jq -c '.data | .a == .b[0] and .a == .b[1] and .a == .c' <<<"$out")"
    is "the state" 'writer: DEAD' "$(kymo info t | grep ^writer:)"
    pos=$(jq .pos <<<"$out")
    is "history before it" $((pos - 1)) "$(kymo get t --back 1 | jq .pos)"
    last=$pos
    wait "$lines" 2>/dev/null
done
run kymo pub t --fields a:u32,b:u32[2],c:u32 --depth 16 <<<'[1,1,1,1]'
ok
is "the next writer goes on" $((last + 1)) "$(kymo get t | jq .pos)"
is "with the history" "$last" "$(kymo get t --back 1 | jq .pos)"
is "all of them were writers" 'writers: 42' "$(kymo info t | grep ^writers:)"
finish
