# A full file system: creation fails with the sizes; existing segments are not affected.
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
is "the error states the needed and the free bytes" yes "$([ "$needed" -gt $((64 * 65536)) ] && [ "$free" -le 1048576 ] && [ "$free" -gt 0 ] && echo yes)"
is "a failed creation leaves no file" t "$(ls -A "$small")"
is "a failed creation does not affect other segments" '{"x":1}' "$(data t)"
run kymo pub t --fields x:u8 <<<'[2]'
ok "an existing segment can be resumed"

# A replacement needs space for both generations.
run kymo pub half --raw --size 600000 --depth 2 <"/dev/null"
is "a segment larger than the free space fails" 1 "$status"
run kymo pub t --replace --fields 'x:u8[65536]' --depth 64 <<<'[1]'
refused 1 'kymo: t: needs *'
is "a failed replacement keeps the old generation" '{"x":2}' "$(data t)"

# A file with holes, as tar and cp restore it, is allocated when it is resumed.
kymo pub sparse --fields x:u8 --depth 4096 <<<'[1]'
fallocate -d "$small/sparse"
head -c 2000000 /dev/zero >"$small/filler" 2>/dev/null
run kymo pub sparse <<<'[2]'
refused 1 "kymo: sparse: depth, size: the segment needs * bytes, and $small has * free"
is "a failed resumption keeps the history" '{"x":1}' "$(data sparse)"
rm "$small/filler"
run kymo pub sparse <<<'[2]'
ok "a segment with holes is resumed when there is space"
kymo rm sparse

# Publishing needs no new blocks: they are allocated at creation.
head -c 2000000 /dev/zero >"$small/filler" 2>/dev/null
run kymo pub t --fields x:u8 < <(seq 100 | sed 's/.*/[3]/')
ok "pub succeeds on a full file system"
is "records are published on a full file system" '{"x":3}' "$(data t)"
run kymo pub new --fields x:u8 </dev/null
refused 1 "kymo: new: needs * bytes, and $small has 0 free: *"
finish
