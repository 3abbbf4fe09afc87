# The first commands of README.md, the help texts, and the errors for invalid arguments.
. "$(dirname "$0")/cli.sh"

run kymo pub t --fields x:f64 <<<'{"x":1.5}
{"x":2.5}'
ok "pub publishes two lines"
is "get prints the newest record" '{"x":2.5}' "$(data t)"
is "get --back 1 prints the record before" '{"x":1.5}' "$(data t --back 1)"
is "get --field prints one value" 2.5 "$(kymo get t --field x)"
is "get --raw prints the payload" 0000000000000440 "$(kymo get t --raw | od -An -tx1 | tr -d ' \n')"
run kymo get t
like "get prints pos, time, tag and data" '{"pos":1,"time":[1-9]*,"tag":0,"data":{"x":2.5}}' "$out"
is "info reports CLOSED after pub ended" 'writer: CLOSED' "$(kymo info t | grep ^writer:)"
is "ls lists the segment" t "$(kymo ls)"

run kymo --help
ok "kymo --help succeeds"
for command in pub ls info get watch metrics rm reap host; do
    like "the help lists $command" "*
  $command *" "$out"
    run kymo "$command" --help
    is "$command --help succeeds" 0 "$status"
    like "$command --help shows the usage of $command" "Usage: kymo $command*" "$out"
    run kymo --help
done
is "the help has at most 24 lines" yes "$([ "$(kymo --help | wc -l)" -le 24 ] && echo yes)"
is "the help has at most 80 columns" yes "$([ "$(kymo --help | wc -L)" -le 80 ] && echo yes)"
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
    is "$command rejects a name" 2 "$status"
done
run kymo get t --frobnicate
refused 2 "kymo get: unrecognized option '--frobnicate'*"

# Invalid names are rejected by every command that has a name argument.
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
is "invalid names create no file" t "$(ls -A "$KYMO_DIR")"

for command in info get watch rm; do
    run kymo "$command" nothing
    refused 1 "kymo: nothing: no such segment"
done

# Errors of the standard output: a full device, a closed pipe.
run bash -c 'kymo get t >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'kymo ls -l >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'kymo --help >/dev/full'
refused 1 "kymo: standard output: *"
run bash -c 'sleep 0.1 | true; set -o pipefail; { sleep 0.2; kymo info t; } | true'
ok "a closed pipe is not an error"

# 1000 reads leave the file, its times and its content unchanged.
before=$(stat -c '%i %s %Y %Z' "$KYMO_DIR/t"; sha256sum <"$KYMO_DIR/t")
for _ in {1..1000}; do
    kymo get t >/dev/null || fail "get succeeds"
done
is "1000 reads do not modify the file" "$before" \
    "$(stat -c '%i %s %Y %Z' "$KYMO_DIR/t"; sha256sum <"$KYMO_DIR/t")"

KYMO_DIR=$scratch/missing run kymo ls
refused 1 "kymo: $scratch/missing: *"
finish
