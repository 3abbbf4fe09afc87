# A writer is stopped at each test point of an operation: every file is readable within 10 s, and no
# record is torn. No request waits for a segment.
. "$(dirname "$0")/mounted.sh"

mount_view

# Reads all files of a segment, listed or not, each within 10 s.
cat >"$work/reader.py" <<'END'
import errno, json, os, signal, sys

COUNT = 12  # stop_writer.c
folder, operation = sys.argv[1:]
signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
unlisted = ["closest?t=now", "closest/-1s", "interp?t=-1ns", "fresh?max_age=1h", "fresh/1h",
            "range?from=-1h&to=now", "range/-1h..now"]
listed = []
for path, folders, files in os.walk(folder):
    listed += [os.path.relpath(os.path.join(path, file), folder) for file in files]
read = 0
for name in listed + unlisted:
    signal.alarm(10)
    try:
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
    except TimeoutError:
        print(name, "blocks for 10 s")
        continue
    except OSError as error:
        # ENOENT: the oldest record is being overwritten. EDOM: the instant is after the newest record.
        if error.errno not in (errno.ENOENT, errno.EDOM) or name in ("latest", "info"):
            print(name, error)
        continue
    finally:
        signal.alarm(0)
    read += 1
    if name == "latest" or name.startswith(("history/", "closest")) and not name.endswith(".raw"):
        record = json.loads(data)
        if record["pos"] != record["data"]["n"] or record["tag"] != record["pos"]:
            print(name, "is torn:", data)
    if name == "latest" and record["pos"] not in (COUNT - 1, COUNT):
        print(name, "is neither the last record nor the next:", data)
if operation in ("publish", "commit") and read < COUNT:
    print("only", read, "files")
END

stopped()
{
    grep -qs '^State:.T' "/proc/$1/status"
}

points=0
for operation in publish commit resume replace remove; do
    "$STOP_WRITER" list $operation >"$work/points" || exit 1
    visit=0
    for point in $(cat "$work/points"); do
        "$STOP_WRITER" stop $operation $visit w >"$work/out" &
        writer=$!
        background $writer
        succeeds "$operation stops at $point" eventually stopped $writer
        check "$operation stops at the given test point" "$point" "$(cat "$work/out")"
        # Between two generations, or after the last, the name or the records may be missing.
        case $operation in
        replace | remove)
            check "$operation stopped at $point: no file blocks" "" "$(timeout 60 find "$mnt" -name '*.raw' -prune -o -type f -print |
                while read -r file; do timeout 10 cat "$file" >/dev/null 2>&1 || [ $? -ne 124 ] || echo "$file"; done)"
            ;;
        *) check "$operation stopped at $point: files are readable and not torn" "" "$(python3 "$work/reader.py" "$mnt/w" $operation)" ;;
        esac
        visit=$((visit + 1))
        points=$((points + 1))
        kill -CONT $writer
        wait $writer
        check "$operation continued after $point succeeds" "0" $?
        rm -f "$KYMO_DIR/w"
    done
done
check "more than 15 test points are tested" "some" "$([ $points -gt 15 ] && echo some)"
echo "count: stopped writers: every file read at $points test points of publish, commit, resume, replace and remove"

finish
