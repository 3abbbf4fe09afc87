# The matrix of readers: every method of reading returns the same bytes of every kind of file at every
# size while the writer is stopped, and records that are not torn while it runs. The methods are a table
# in readers.c, the files are tables here: a new kind of file is a row.
. "$(dirname "$0")/mounted.sh"

# Less than a page, more than a page, more than a pipe or a read transfers at once.
make_segment()
{
    "$SEGMENT" make "$1" "fields=n:u64,s:char[$2],x:$3" depth="$4" count=$(($4 + 3)) clock=user \
        time=1000 step=10 || exit 1
}
make_segment small 8 f64 16
make_segment large 100 'f64[700]' 8
make_segment huge 100 'f64[40000]' 4
"$SEGMENT" make bytes size=300001 depth=4 count=7 clock=user time=1000 step=10 || exit 1
"$SEGMENT" make dot image=gray8:33x17 depth=4 count=2 clock=user time=1000 step=10 || exit 1
"$SEGMENT" make frame image=rgb8:1920x1080 depth=4 count=2 clock=user time=1000 step=10 || exit 1
mount_view

# ---- no writer runs ----

reads=0
files=0

# matrix KIND FILE: text and json have lines, raw has none.
matrix()
{
    "$READERS" matrix "$1" "$mnt/$2" "$work/copy" >"$work/matrix" 2>&1
    count=$(tail -n 1 "$work/matrix")
    case $count in
    *[!0-9]* | '') check "the methods of $2 are counted" "a number of methods" "$count" ;;
    *)
        echo "$2" >>"$work/files"
        check "all methods return the same bytes of $2" "" "$(sed '$d' "$work/matrix" | head -n 5)"
        reads=$((reads + count))
        files=$((files + 1))
        ;;
    esac
}

# For each segment, NEWEST is the time of its newest record, and BETWEEN is half a step before it.
for segment in small large huge bytes; do
    newest=$(sed 's/.*"time":\([0-9]*\).*/\1/' "$mnt/$segment/latest")
    while read -r kind file; do
        [ "$segment $file" = "bytes SEGMENT/plot.svg" ] && continue # no field, nothing to draw
        matrix "$kind" "$(echo "$file" |
            sed "s/SEGMENT/$segment/; s/NEWEST/$newest/; s/BETWEEN/$((newest - 5))/")"
    done <<'END'
json SEGMENT/latest
raw  SEGMENT/latest.raw
json SEGMENT/history/1
raw  SEGMENT/history/1.raw
text SEGMENT/history.csv
json SEGMENT/history.ndjson
text SEGMENT/info
json SEGMENT/schema
text SEGMENT/plot.svg
json SEGMENT/closest?t=NEWEST&max=1us
raw  SEGMENT/closest?t=BETWEEN.raw
json SEGMENT/closest/BETWEEN
raw  SEGMENT/closest/NEWEST.raw
json SEGMENT/interp?t=BETWEEN
json SEGMENT/interp/BETWEEN
json SEGMENT/range?from=0&to=NEWEST
text SEGMENT/range?from=0&to=NEWEST&format=csv
json SEGMENT/range/BETWEEN..NEWEST
json at/BETWEEN/SEGMENT/latest
raw  at/BETWEEN/SEGMENT/latest.raw
text at/BETWEEN/SEGMENT/history.csv
json at/BETWEEN/SEGMENT/history.ndjson
text at/BETWEEN/SEGMENT/info
json at/NEWEST/SEGMENT/fresh/1us
raw  at/NEWEST/SEGMENT/fresh?max_age=1us.raw
END
done
# Files that exist once, or are equal for all segments. metrics.prom differs at each read: see the end.
while read -r kind file; do
    matrix "$kind" "$file"
done <<'END'
text README
text small/field/n
text small/field/s
text small/field/x
text huge/field/s
text huge/field/x
raw dot/latest.png
raw frame/latest.png
raw at/1005/frame/latest.png
END

# Methods of Python; one process reads all files.
cat >"$work/methods.py" <<'END'
import os, pathlib, subprocess, sys

def in_parts(path, size):
    with open(path, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(size), b""))

def by_lines(path):
    with open(path, "rb") as file:
        return b"".join(file)

def into_memory(path):
    parts, buffer = [], bytearray(5000)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            parts.append(bytes(buffer[:count]))
    return b"".join(parts)

def by_seeking(path):
    with open(path, "rb") as file:
        file.read(3)
        file.seek(0)
        return file.read()

methods = [lambda path: pathlib.Path(path).read_bytes(), lambda path: in_parts(path, 4093), by_lines,
        into_memory, by_seeking]
paths = [os.path.join(sys.argv[1], line) for line in open(sys.argv[2]).read().splitlines()]
for path in paths:
    expected = subprocess.check_output(["cat", path])
    for number, method in enumerate(methods):
        if method(path) != expected:
            print(path, "differs, Python method", number)
print(len(paths) * len(methods))
END
python3 "$work/methods.py" "$mnt" "$work/files" >"$work/methods" 2>&1
check "all methods of Python return the same bytes" "$((5 * files))" "$(cat "$work/methods")"
reads=$((reads + 5 * files))
echo "count: methods of reading constant files: $reads reads of $files files, $failures wrong"

head -c 300001 /dev/zero | tr '\0' '\006' >"$work/bytes"
succeeds "latest.raw is the published payload" cmp "$work/bytes" "$mnt/bytes/latest.raw"
cat >"$work/python.py" <<'END'
import json, sys
for name, count in (("small", 15), ("large", 7), ("huge", 3)):
    base = f"{sys.argv[1]}/{name}"
    lines = open(f"{base}/history.ndjson").readlines()
    assert len(lines) == count, len(lines)
    assert lines[-1] == open(f"{base}/latest").read()
    assert json.loads(lines[-1]) == json.load(open(f"{base}/history/0"))
    assert open(f"{base}/latest.raw", "rb").read(8)[0] == count + 3
END
succeeds "history.ndjson, latest, history/0 and latest.raw agree" python3 "$work/python.py" "$mnt"

# A file that was read through the page cache is read again with longer content.
"$SEGMENT" make grows 'fields=n:u64,s:char[32],x:f64' count=5
for method in sendfile splice mmap; do
    for count in 1 1 1 1 1; do
        "$SEGMENT" make grows 'fields=n:u64,s:char[32],x:f64' count=$count
        check "$method reads content that became longer" "$(cat "$mnt/grows/history/0")" \
            "$("$READERS" $method "$mnt/grows/history/0")"
    done
done

# ---- the writer runs ----
run_writer fast 'fields=n:u64,s:char[40],x:f64' depth=64 period=20000
run_writer wide 'fields=n:u64,s:char[100],x:f64[700]' depth=64 period=100000
run_writer raw size=200000 depth=8 period=200000

# Checks that what each method read is complete and not torn.
cat >"$work/whole.py" <<'END'
import csv, io, json, sys, xml.etree.ElementTree

def check_data(pos, n, text, values):
    length = 41 if len(values) == 1 else 101
    assert n == pos and set(values) == {pos}, (pos, n, values[:3])
    assert text == chr(ord("a") + pos % 26) * (pos % length), (pos, text)

def check_record(record):
    data = record["data"]
    check_data(record["pos"], data["n"], data["s"],
               data["x"] if isinstance(data["x"], list) else [data["x"]])
    return record["pos"]

def check_order(positions):
    assert positions, "no record"
    assert positions == list(range(positions[0], positions[0] + len(positions))), positions

def records(text):
    lines = [json.loads(line) for line in text.splitlines()]
    if "missed" in lines[-1]:
        assert lines.pop()["missed"] > 0
    check_order([check_record(record) for record in lines])

def table(text):
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:5] == ["pos", "time", "tag", "n", "s"], rows[0]
    if rows[-1][0].startswith("# missed "):
        rows.pop()
    for row in rows[1:]:
        check_data(int(row[0]), int(row[3]), row[4], [float(cell) for cell in row[5:]])
    check_order([int(row[0]) for row in rows[1:]])

def pair(text):
    bracket = json.loads(text)
    before, after = check_record(bracket["before"]), check_record(bracket["after"])
    assert after in (before, before + 1) and before <= bracket["data"]["n"] <= after

def value(text):
    float(text)

def image(text):
    xml.etree.ElementTree.fromstring(text)

blocks = sys.stdin.read().split("--- ")[1:]
for block in blocks:
    method, text = block.split("\n", 1)
    assert text.endswith("\n"), (method, text[-20:])
    globals()[sys.argv[1]](text)
print("whole" if len(blocks) >= int(sys.argv[2]) else f"only {len(blocks)} reads")
END

# The kind, the number of reads that must succeed (records of a time may be overwritten), and the file.
while read -r what least file; do
    check "$file under a running writer is not torn" "whole" \
        "$("$READERS" capture "$mnt/$file" "$work/copy" 2 2>&1 |
            python3 "$work/whole.py" "$what" "$least" 2>&1 | tail -n 1)"
done <<'END'
records 30 fast/latest
records 20 fast/history/3
records 20 fast/history.ndjson
records 30 fast/closest?t=-1ms
records 30 fast/fresh/1h
records 20 fast/range?from=-1h&to=now
records 0 at/-1ms/fast/latest
records 0 at/-1ms/fast/history.ndjson
records 30 wide/latest
records 20 wide/history.ndjson
table 20 fast/history.csv
table 20 fast/range?from=-1h&to=now&format=csv
table 20 wide/history.csv
table 1 at/-1ms/wide/history.csv
pair 1 wide/interp/-3ms
value 30 fast/field/x
image 20 fast/plot.svg
END
check "latest.raw under a running writer is not torn" "" \
    "$("$READERS" uniform "$mnt/raw/latest.raw" "$work/copy" 4 2>&1 | head -n 5)"

# ---- metrics.prom differs at each read: each method returns complete text with the same samples ----
cat >"$work/metrics.py" <<'END'
import re, shutil, subprocess, sys

least, most, methods = (int(word) for word in sys.argv[1:])
sample = re.compile(r'[a-zA-Z_:][\w:]*(\{(\w+="([^"\\\n]|\\[\\n"])*",?)*\})? (NaN|[+-]?Inf|[-+.\de]+)')
blocks = re.split(r"^--- (.*)\n", sys.stdin.read(), flags=re.M)[1:]
blocks = list(zip(blocks[::2], blocks[1::2]))
assert len(blocks) == methods, (len(blocks), "reads of", methods)
names = None
for method, text in blocks:
    assert least <= len(text) < most, (method, len(text))
    assert text.endswith("\n"), (method, text[-20:])
    lines = text.splitlines()
    for line in lines:
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), (method, line)
    # The first request of a kind adds a sample of kymofs_requests.
    found = {line.rsplit(" ", 1)[0] for line in lines if not line.startswith(("#", "kymofs_requests"))}
    assert names in (None, found), (method, sorted(names ^ found)[:3])
    names = found
    if shutil.which("promtool"):
        promtool = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
        assert promtool.returncode == 0 and not promtool.stdout + promtool.stderr, (method, promtool)
print("whole:", len(names))
END
metrics_are_whole()
{
    "$READERS" text "$mnt/metrics.prom" "$work/copy" 1 2>&1 |
        python3 "$work/metrics.py" "$2" "$3" 17 >"$work/metrics" 2>&1
    check "metrics.prom is complete by each method: $1" "whole" "$(tail -n 1 "$work/metrics" | sed 's/^whole: [1-9].*/whole/')"
}
"$SEGMENT" make many fields=n:u64 count=1 many=800 || exit 1
metrics_are_whole "large, while writers run" 131073 100000000
rm -f "$KYMO_DIR"/many*
for pid in $jobs; do
    stop "$pid"
done
rm -f "$KYMO_DIR"/*
metrics_are_whole "small" 1 8192

finish
