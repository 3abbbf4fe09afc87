# C: a writer is killed 40 times while it publishes. The newest record stays readable, and the next
# writer continues after it.
. "$(dirname "$0")/cli.sh"

# Unlimited lines whose four values are equal.
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
    eventually "writer $round publishes" bash -c "[ \$(kymo get t | jq .pos) -gt $last ]"
    kill -9 "$writer"
    wait "$writer" 2>/dev/null
    run kymo get t
    ok "the newest record is readable after SIGKILL"
    is "the newest record is not torn" true "$(jq -c '.data | .a == .b[0] and .a == .b[1] and .a == .c' <<<"$out")"
    is "the writer is DEAD after SIGKILL" 'writer: DEAD' "$(kymo info t | grep ^writer:)"
    pos=$(jq .pos <<<"$out")
    is "the record before is readable after SIGKILL" $((pos - 1)) "$(kymo get t --back 1 | jq .pos)"
    last=$pos
    wait "$lines" 2>/dev/null
done
run kymo pub t --fields a:u32,b:u32[2],c:u32 --depth 16 <<<'[1,1,1,1]'
ok "a writer resumes after 40 kills" "a writer resumes after 40 kills"
is "the next writer continues the positions" $((last + 1)) "$(kymo get t | jq .pos)"
is "the next writer keeps the history" "$last" "$(kymo get t --back 1 | jq .pos)"
is "the count of writers is 42" 'writer_opens: 42' "$(kymo info t | grep ^writer_opens:)"
finish
