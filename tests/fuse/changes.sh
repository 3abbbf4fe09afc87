# Segments are created, replaced, removed and truncated while they are mounted.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make steady fields=n:u64 count=3 || exit 1
mount_view

newest()
{
    sed 's/.*"n":\([0-9]*\)}}/\1/' "$mnt/$1/latest" 2>/dev/null
}

# ---- the mount reflects a change when the call that made it has returned ----
rounds=0
full=$(count 2000)
while [ $rounds -lt "$full" ]; do
    rounds=$((rounds + 1))
    "$SEGMENT" make come fields=n:u64 count=$rounds
    check "a created segment is listed at once" "come" "$(ls "$mnt" | grep -x come)"
    check "a created segment is readable at once" "$((rounds - 1))" "$(newest come)"
    inode=$(stat -c %i "$mnt/come/latest")

    "$SEGMENT" make come fields=n:u64 count=$((rounds + 100)) existing=replace
    check "latest shows a new generation at once" "$((rounds + 99))" "$(newest come)"
    check "history shows a new generation at once" "$((rounds + 98))" "$(cat "$mnt/come/history/1" | sed 's/.*"n":\([0-9]*\)}}/\1/')"
    check "st_ino is kept over a replacement" "$inode" "$(stat -c %i "$mnt/come/latest")"

    "$SEGMENT" make come fields=x:f64 count=1 existing=replace
    check "field/ shows another schema at once" "0" "$(cat "$mnt/come/field/x")"
    fails_with ENOENT come/field/n
    check "field/ lists the new fields only" "x" "$(ls "$mnt/come/field")"

    "$SEGMENT" remove come
    fails_with ENOENT come/latest
    # The kernel caches the name of a directory for 0.1 s: until then it is empty.
    check "a removed segment's directory is empty or missing" "" "$(ls "$mnt/come" 2>/dev/null)"
    check "a removed segment is not listed" "" "$(ls "$mnt" | grep -x come)"
done

# ---- changes by programs that do not use the library ----
"$SEGMENT" make one fields=n:u64 count=1
"$SEGMENT" make two fields=n:u64 count=2
check "two segments are readable" "0 1" "$(newest one) $(newest two)"
mv "$KYMO_DIR/two" "$KYMO_DIR/one"
check "a segment that mv put in place of another is shown" "1" "$(newest one)"
eventually sh -c "! [ -e '$mnt/two' ]"
fails_with ENOENT two/latest
cp "$KYMO_DIR/one" "$KYMO_DIR/copy"
check "a segment that cp created is readable" "1" "$(newest copy)"
rm "$KYMO_DIR/copy"
eventually sh -c "! [ -e '$mnt/copy' ]"
check "a segment that rm removed is not listed" "README metrics.prom one steady" "$(echo $(ls "$mnt"))"
echo something else >"$KYMO_DIR/one"
check "an overwritten segment is not listed" "README metrics.prom steady" "$(echo $(ls "$mnt"))"
rm "$KYMO_DIR/one"

# ---- the same without the delay of a new process ----
cat >"$work/next.py" <<'END'
import errno, json, os, sys
mount, rounds = sys.argv[1], int(sys.argv[2])
directory = os.environ["KYMO_DIR"]
images = [open(f"{directory}/{name}", "rb").read() for name in ("three", "four")]

def put(image):
    with open(f"{directory}/.next", "wb") as file:
        file.write(image)

def newest():
    return json.load(open(f"{mount}/next/latest"))["data"]["n"]

def error_of(path):
    try:
        os.close(os.open(f"{mount}/{path}", os.O_RDONLY))
        return "opened"
    except OSError as error:
        return errno.errorcode[error.errno]

def expect(what, expected, got):
    if expected != got:
        print(what, expected, got)

for _ in range(rounds):
    put(images[0])
    os.rename(f"{directory}/.next", f"{directory}/next")
    expect("created: latest", 2, newest())
    expect("created: directory", "opened", error_of("next"))
    put(images[1])
    os.rename(f"{directory}/.next", f"{directory}/next")
    expect("replaced: latest", 3, newest())
    inode = os.stat(f"{mount}/next/latest").st_ino
    expect("replaced: directory", "opened", error_of("next/history"))
    os.unlink(f"{directory}/next")
    expect("removed: latest", "ENOENT", error_of("next/latest"))
    put(images[0])
    os.rename(f"{directory}/.next", f"{directory}/next")
    expect("created again: latest", 2, newest())
    expect("created again: st_ino", inode, os.stat(f"{mount}/next/latest").st_ino)
    os.unlink(f"{directory}/next")
    expect("removed again: latest", "ENOENT", error_of("next/latest"))
END
"$SEGMENT" make three fields=n:u64 count=3
"$SEGMENT" make four fields=n:u64 count=4
python3 "$work/next.py" "$mnt" "$(count 10000)" >"$work/next" 2>&1
check "changes are visible to the next system call" "" "$(sort "$work/next" | uniq -c | head -c 1000)"
"$SEGMENT" remove three
"$SEGMENT" remove four

# ---- a working directory shows the current segment ----
"$SEGMENT" make inside fields=n:u64 count=5
exec 8<"$mnt/inside/latest"
cd "$mnt/inside" || exit 1
"$SEGMENT" make inside fields=n:u64 count=9 existing=replace
check "an open file keeps its content" "4" "$(sed 's/.*"n":\([0-9]*\)}}/\1/' <&8)"
check "an absolute path opens the new generation" "8" "$(newest inside)"
check "a path relative to the working directory opens the new generation" "8 9" "$(echo $(sed 's/.*"n":\([0-9]*\)}}/\1/' latest) $(ls history/? | wc -l))"
"$SEGMENT" make inside fields=x:f64 count=2 existing=replace
check "the working directory shows the new fields" "x 1" "$(echo $(ls field) $(cat field/x))"
"$SEGMENT" make inside fields=n:u64 count=3 existing=replace mode=600
check "the working directory shows a generation of another mode" "2" "$(sed 's/.*"n":\([0-9]*\)}}/\1/' latest)"
check "an absolute path opens a generation of another mode" "2" "$(newest inside)"
"$SEGMENT" remove inside
succeeds "a removed directory can be listed" ls .
check "a removed working directory is empty" "" "$(ls .)"
cd / || exit 1
exec 8<&-

# ---- truncated ----
"$SEGMENT" make short fields=n:u64 count=5
exec 7<"$mnt/short/history/2"
truncate -s 4096 "$KYMO_DIR/short"
check "an open file of a truncated segment is readable" "2" "$(sed 's/.*"n":\([0-9]*\)}}/\1/' <&7)"
exec 7<&-
case $(error_of "$mnt/short/latest") in
ENOENT | EBADMSG) ;;
*) check "opening a truncated segment fails" "an error" "none" ;;
esac
eventually sh -c "! ls '$mnt' | grep -qx short"
check "a truncated segment is not listed" "README metrics.prom steady" "$(echo $(ls "$mnt"))"
fails_with EBADMSG short/latest
rm "$KYMO_DIR/short"

# ---- the same while two readers read every file ----
"$SEGMENT" churn storm fields=n:u64,s:char[40] count=3 many=4 period=1000000 >"$work/churn" &
background $!
churn=$!
run_writer flow fields=n:u64,s:char[40] period=50000

# Reads all files repeatedly; prints unexpected errors and torn records.
cat >"$work/reader.py" <<'END'
import errno, json, os, sys, time
mount, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
allowed = {errno.ENOENT, errno.ENODATA, errno.EBADMSG, errno.EAGAIN}
reads = 0
while time.monotonic() < end:
    for segment in os.listdir(mnt := mount):
        for name in ("latest", "history/1", "latest.raw", "info", "schema", "field/n",
                     "closest?t=now", "field", "history"):
            path = f"{mnt}/{segment}/{name}"
            try:
                if name in ("field", "history"):
                    os.listdir(path)
                    continue
                data = open(path, "rb").read()
            except NotADirectoryError:
                continue
            except OSError as error:
                if error.errno not in allowed:
                    print("unexpected", path, error)
                continue
            reads += 1
            if name in ("latest", "history/1", "closest?t=now"):
                record = json.loads(data)
                if record["pos"] != record["data"]["n"]:
                    print("torn", path, data)
            elif name == "schema":
                json.loads(data)
if reads < 100:
    print("only", reads, "reads")
END
for reader in 1 2; do
    python3 "$work/reader.py" "$mnt" 4 >"$work/reader.$reader" 2>&1 &
    eval "reader$reader=$!"
    background $!
done
rounds=0
while [ $rounds -lt 30 ]; do
    rounds=$((rounds + 1))
    "$SEGMENT" make target fields=n:u64,s:char[40] count=4 existing=replace
    sleep 0.03
    truncate -s $((rounds * 700 % 16384)) "$KYMO_DIR/target"
    sleep 0.03
    rm -f "$KYMO_DIR/target"
done
wait $reader1 $reader2
check "the first reader finds no error" "" "$(head -c 1000 "$work/reader.1")"
check "the second reader finds no error" "" "$(head -c 1000 "$work/reader.2")"
stop $churn

finish
