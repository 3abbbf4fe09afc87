# What the README shows first, the help, and how mistakes in the arguments are answered.
. "$(dirname "$0")/cli.sh"

run kymo pub t --fields x:f64 <<<'{"x":1.5}
{"x":2.5}'
ok "publishing two lines"
is "the newest" '{"x":2.5}' "$(data t)"
is "the one before" '{"x":1.5}' "$(data t --back 1)"
is "one field" 2.5 "$(kymo get t --field x)"
is "the bytes" 0000000000000440 "$(kymo get t --raw | od -An -tx1 | tr -d ' \n')"
run kymo get t
like "a whole record" '{"pos":1,"time":[1-9]*,"tag":0,"data":{"x":2.5}}' "$out"
is "the state of the writer" 'writer: CLOSED' "$(kymo info t | grep ^writer:)"
is "the list" t "$(kymo ls)"

run kymo --help
ok
for command in pub ls info get watch metrics rm reap host; do
    like "the help lists $command" "*
  $command *" "$out"
    run kymo "$command" --help
    is "$command has a help" 0 "$status"
    like "of its own" "Usage: kymo $command*" "$out"
    run kymo --help
done
is "the help fits a screen" yes "$([ "$(kymo --help | wc -l)" -le 24 ] && echo yes)"
is "and its width" yes "$([ "$(kymo --help | wc -L)" -le 80 ] && echo yes)"
run kymo --version
ok
like "the version" "kymo [0-9]*.[0-9]*.[0-9]* (segment layout 2.*)" "$out"

run kymo
refused 2 "*Usage: kymo COMMAND*"
run kymo frobnicate
refused 2 "kymo: frobnicate: unknown command: kymo --help lists the commands"
for command in pub info get watch rm; do
    run kymo "$command"
    refused 2 "kymo $command: missing argument: NAME of a segment*"
done
for command in pub info get watch; do
    run kymo "$command" one two
    refused 2 "kymo $command: two: unexpected argument: only one NAME is allowed*"
done
for command in ls reap host; do
    run kymo "$command" name
    is "$command takes no name" 2 "$status"
done
run kymo get t --frobnicate
refused 2 "kymo get: unrecognized option '--frobnicate'*"

# A name that no segment can have, in every command that takes one.
for name in a/b ../t .hidden '' -t 'a b' README at metrics.prom; do
    for command in info get watch rm; do
        run kymo "$command" -- "$name"
        refused 1 "kymo: $name: invalid segment name: *"
    done
    run kymo pub --fields x:f64 -- "$name" </dev/null
    refused 1 "kymo: $name: invalid segment name: *"
done
run kymo info "$(printf 'x%.0s' {1..201})"
refused 1 "kymo: xxx*: the name is longer than 200 bytes"
is "nothing came of that" t "$(ls -A "$KYMO_DIR")"

for command in info get watch rm; do
    run kymo "$command" nothing
    refused 1 "kymo: nothing: no such segment"
done

# Full and closed outputs.
run bash -c 'kymo get t >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'kymo ls -l >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'kymo --help >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'sleep 0.1 | true; set -o pipefail; { sleep 0.2; kymo info t; } | true'
ok "a reader that has gone is no failure"

# A thousand readers change nothing.
before=$(stat -c '%i %s %Y %Z' "$KYMO_DIR/t"; sha256sum <"$KYMO_DIR/t")
for _ in {1..1000}; do
    kymo get t >/dev/null || fail "reading"
done
is "a thousand readers changed nothing" "$before" \
    "$(stat -c '%i %s %Y %Z' "$KYMO_DIR/t"; sha256sum <"$KYMO_DIR/t")"

KYMO_DIR=$scratch/missing run kymo ls
refused 1 "kymo: $scratch/missing: *"
finish
