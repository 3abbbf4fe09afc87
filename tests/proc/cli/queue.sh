# kymo pub to a queue: a full queue blocks it as a pipe does, and records are never lost.
. "$(dirname "$0")/cli.sh"

"$QUEUE" make q 4
run kymo pub q < <(seq 4)
ok "pub fills a queue"

# ---- a full queue ----

run timeout 20 kymo pub q --no-wait < <(seq 5 6)
refused 1 'kymo: q: line 1: the queue is full: its 4 records wait for the consumer
kymo: q: line 2: the queue is full: its 4 records wait for the consumer'
start pub kymo pub q < <(seq 5 12)
eventually "pub waits for the consumer" info_has q 'writer: ALIVE'
is "the consumer receives every record in order" "$(seq 10)" "$("$QUEUE" take q 10)"
wait "$pid"
is "pub ends when its last record is in the queue" 0 $?
is "no record is lost" "$(seq 11 12)" "$("$QUEUE" take q 2)"

run timeout 20 kymo pub q < <(seq 5)
refused 1 'kymo: q: the other end of the queue no longer exists'
is "records before the end of the consumer are in the queue" "$(seq 4)" "$("$QUEUE" take q 4)"

"$QUEUE" make new 2
start pub kymo pub new < <(seq 3)
eventually "the queue is full" info_has new 'records: 2'
kill "$pid"
wait "$pid"
is "a signal ends pub at a full queue" 0 $?
is "the writer is CLOSED after the signal" 'writer: CLOSED' "$(kymo info new | grep ^writer:)"

# ---- a queue with records is not replaced ----

run kymo pub new --replace --fields n:u64 <<<'[1]'
refused 1 'kymo: new: the queue holds 2 records: *'
run kymo pub new --replace <<<'[1]'
refused 1 'kymo: new: the queue holds 2 records: *'
is "the records remain" "$(seq 2)" "$("$QUEUE" take new 2)"
run kymo pub new --replace --depth 8 <<<'[7]'
ok "an empty queue is replaced"
is "the new generation is a queue of the same records" 'kind: queue
depth: 8
schema: n:u64' "$(kymo info new | grep -E '^(kind|depth|schema):')"
finish
