# A full file system: said when the segment is made, with figures, and nothing else suffers.
. "$(dirname "$0")/cli.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can mount a small file system"
    exit 77
fi
small=$(mktemp -d /tmp/kymo-test-XXXXXX)
mount -t tmpfs -o size=1m kymo-test "$small" || exit 1
end_mount()
{
    end_background
    umount "$small" && rmdir "$small"
}
trap end_mount EXIT
export KYMO_DIR=$small

kymo pub t --fields x:u8 <<<'[1]'
run kymo pub big --fields 'x:u8[65536]' --depth 64 <<<'[1]'
refused 1 "kymo: big: needs 4* bytes, and $small has * free: use a smaller --depth, *"
needed=$(sed 's/.*needs \([0-9]*\) bytes.*/\1/' <<<"$err")
free=$(sed 's/.* has \([0-9]*\) free.*/\1/' <<<"$err")
is "the figures" yes "$([ "$needed" -gt $((64 * 65536)) ] && [ "$free" -le 1048576 ] && [ "$free" -gt 0 ] && echo yes)"
is "nothing was left behind" t "$(ls -A "$small")"
is "what was published is still there" '{"x":1}' "$(data t)"
run kymo pub t --fields x:u8 <<<'[2]'
ok "it can be continued"

# Replacing needs room for both.
run kymo pub half --raw --size 600000 --depth 2 <"/dev/null"
is "too large" 1 "$status"
run kymo pub t --replace --fields 'x:u8[65536]' --depth 64 <<<'[1]'
refused 1 'kymo: t: needs *'
is "a failed replacement leaves the old generation" '{"x":2}' "$(data t)"

# Once all blocks are taken, records still fit: their room was taken at the beginning.
head -c 2000000 /dev/zero >"$small/filler" 2>/dev/null
run kymo pub t --fields x:u8 < <(seq 100 | sed 's/.*/[3]/')
ok "publishing on a full file system"
is "the newest" '{"x":3}' "$(data t)"
run kymo pub new --fields x:u8 </dev/null
refused 1 "kymo: new: needs * bytes, and $small has 0 free: *"
finish
