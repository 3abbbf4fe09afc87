# F: a directory with files that are not valid segments: they are not shown, no link is followed, no file
# blocks, each has a reason, and the valid segments are shown.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make good fields=n:u64,s:char[16] count=9 || exit 1
"$SEGMENT" make model fields=n:u64,s:char[16] count=9 || exit 1

outside=$work/outside
mkdir "$outside"
cp "$KYMO_DIR/good" "$outside/segment"
echo secret >"$outside/secret"

cd "$KYMO_DIR" || exit 1
echo "no segment" >text
mkdir directory
cp good directory/inner
mkfifo fifo
: >empty
ln -s "$outside/segment" outside
ln -s "$outside/secret" secret
ln -s good inside
ln -s nowhere dangling
ln -s /dev/zero endless
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
head -c 3000 model >cut-in-header
head -c 9000 model >cut-in-records
cp model longer && echo >>longer
cp model "with space"
cp model "$(printf 'forged\nkymofs: good: skipped: by\033[31m kymofs')"
cp model .hidden
chmod 000 model
python3 - <<'END'
import os, random
random.seed(7)
model = open("good", "rb").read()
for i in range(300):
    with open(f"random{i}", "wb") as file:
        head = model[:random.choice((0, 8, 16, 64, 511))]
        file.write(head + random.randbytes(random.randrange(20000)))
# 1, 2 or 8 inverted bits in the header or anywhere.
for i in range(300):
    flipped = bytearray(model)
    for flip in range(random.choice((1, 1, 2, 8))):
        where = random.randrange(1024 if i % 2 else len(flipped))
        flipped[where] ^= 1 << random.randrange(8)
    with open(f"flipped{i}", "wb") as file:
        file.write(flipped)
END
cd / || exit 1

"$KYMOFS" "$mnt" -f 2>"$work/log" &
daemon=$!
background $daemon
succeeds "kymofs mounts a directory with invalid files" eventually test -e "$mnt/README"

# ---- files that exist at the mount ----
not_shown="text directory fifo empty outside secret inside dangling endless socket cut-in-header
    cut-in-records longer"
for name in $not_shown 'with space' .hidden; do
    check "$name is not listed" "" "$(ls -a "$mnt" | grep -xF "$name")"
    check "$name has no files" "no" "$(cat "$mnt/$name/latest" 2>/dev/null || echo no)"
done
# The log has ten names per minute; kymo ls -l prints all reasons.
check "ten files are logged with a reason" "10" "$(grep -c "^kymofs: .*: skipped: ..*" "$work/log")"
"$KYMO" ls -l >"$work/list" 2>&1
for name in $not_shown; do
    check "kymo ls -l prints a reason for $name" "1" "$(grep -c "^skipped $name: ..*" "$work/list")"
done
check "kymo ls -l prints a name on one line without control characters" \
    "skipped forged?kymofs: good: skipped: by?[31m kymofs: name: \"forged?kymofs: good: skipped: by?[31m kymofs\" is" \
    "$(grep -a forged "$work/list" | sed "s/ is reserved, .*/ is/")"
check "a name with a newline does not forge a line of the log" "" "$(grep -a "^kymofs: good" "$work/log")"
check "a valid segment is readable" "8" "$(cat "$mnt/good/field/n")"
check "a segment of mode 000 is readable by root only" "$([ "$(id -u)" -eq 0 ] && echo 8 || echo)" "$(cat "$mnt/model/field/n" 2>/dev/null)"
fails_with EBADMSG text/latest
fails_with EBADMSG text
fails_with EBADMSG fifo
fails_with EBADMSG outside
fails_with ENOENT "with space"

# All listed files are readable within the time limits.
read_all()
{
    timeout 250 find "$mnt" -type f -exec cat {} + >/dev/null 2>"$work/errors"
    [ $? -ne 124 ] || echo "cat took longer than 250 s"
    timeout 250 find "$mnt" -name latest -exec "$READERS" sendfile {} \; >/dev/null 2>>"$work/errors"
    [ $? -ne 124 ] || echo "sendfile took longer than 250 s"
    grep -vE 'No such file|No data available|Bad message|Resource temporarily' "$work/errors" | head -3
}
check "all listed files are readable, or fail with an expected error" "" "$(read_all)"
shown=$(ls "$mnt" | grep -c flipped)
check "some segments with inverted bits are listed" "some" "$([ "$shown" -gt 0 ] && [ "$shown" -lt 300 ] && echo some)"
check "files of random bytes are not listed" "0" "$(ls "$mnt" | grep -c random)"

# ---- files that are created later ----
for name in text2 fifo2 link2; do
    case $name in
    text2) echo "no segment" >"$KYMO_DIR/$name" ;;
    fifo2) mkfifo "$KYMO_DIR/$name" ;;
    link2) ln -s "$outside/segment" "$KYMO_DIR/$name" ;;
    esac
    check "$name is not listed" "" "$(ls "$mnt" | grep -x $name)"
    check "kymo ls -l prints a reason for $name" "1" "$("$KYMO" ls -l 2>&1 | grep -c "^skipped $name: ..*")"
done
rm "$KYMO_DIR/text2" "$KYMO_DIR/fifo2" "$KYMO_DIR/link2"
"$SEGMENT" make text2 fields=n:u64 count=1
check "a segment in place of a text file is readable" "0" "$(cat "$mnt/text2/field/n")"
rm "$KYMO_DIR/text2"
ln -s good "$KYMO_DIR/text2"
check "a link in place of a segment is not listed" "" "$(ls "$mnt" | grep -x text2)"
fails_with EBADMSG text2/latest

# ---- records that change while they are read ----
"$SEGMENT" make noise fields=n:u64,s:char[16] count=9
python3 - "$KYMO_DIR/noise" <<'END' &
import os, random, sys, time
random.seed(11)
size = os.path.getsize(sys.argv[1])
end = time.monotonic() + 5
with open(sys.argv[1], "r+b", buffering=0) as file:
    while time.monotonic() < end:
        file.seek(random.randrange(4096, size))
        file.write(random.randbytes(random.choice((1, 8, 64))))
END
noise=$!
background $noise
while kill -0 $noise 2>/dev/null; do
    for name in noise/latest noise/latest.raw noise/info noise/schema noise/field/n noise/history/1 \
        'noise/closest?t=now' noise/closest/-1s.raw noise/history.csv noise/history.ndjson \
        noise/range/-1h..now noise/interp/now noise/fresh/1h noise/plot.svg at/now/noise/latest \
        at/now/noise/history.csv at/now/noise/closest/-1s at/now/noise/info; do
        timeout 100 cat "$mnt/$name" >/dev/null 2>"$work/errors"
        [ $? -ne 124 ] || check "$name of a changing segment is readable" "within 100 s" "time limit"
    done
    timeout 100 ls -lR "$mnt/noise" >/dev/null 2>"$work/errors"
    [ $? -ne 124 ] || check "a changing segment can be listed" "within 100 s" "time limit"
done
check "a valid segment is readable beside a changing one" "8" "$(cat "$mnt/good/field/n")"

succeeds "the daemon still runs" kill -0 $daemon
fusermount3 -u "$mnt"
wait $daemon
check "the daemon's exit status is 0" "0" "$?"
chmod 644 "$KYMO_DIR/model"

finish
