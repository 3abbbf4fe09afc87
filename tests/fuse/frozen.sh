# A writer that stops anywhere in an operation, for ever: every file answers at once, and what it says
# is whole. No request waits for a segment.
. "$(dirname "$0")/mounted.sh"

mount_view

# Reads all files of a segment, listed or not, each within ten seconds of a slow machine.
cat >"$work/reader.py" <<'END'
import errno, json, os, signal, sys

COUNT = 12  # freezer.c
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
        print(name, "does not answer")
        continue
    except OSError as error:
        # The oldest record may be the one that is being overwritten; a moment ago is after the newest.
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
    "$FREEZER" list $operation >"$work/points" || exit 1
    visit=0
    for point in $(cat "$work/points"); do
        "$FREEZER" stop $operation $visit w >"$work/out" &
        writer=$!
        background $writer
        succeeds "$operation stops at $point" eventually stopped $writer
        check "where it should" "$point" "$(cat "$work/out")"
        # Between two generations, or after the last, there may be no such name, or no record yet.
        case $operation in
        replace | remove)
            check "$operation, at $point" "" "$(timeout 60 find "$mnt" -name '*.raw' -prune -o -type f -print |
                while read -r file; do timeout 10 cat "$file" >/dev/null 2>&1 || [ $? -ne 124 ] || echo "$file"; done)"
            ;;
        *) check "$operation, at $point" "" "$(python3 "$work/reader.py" "$mnt/w" $operation)" ;;
        esac
        visit=$((visit + 1))
        points=$((points + 1))
        kill -CONT $writer
        wait $writer
        check "it goes on, and ends well" "0" $?
        rm -f "$KYMO_DIR/w"
    done
done
check "some points" "some" "$([ $points -gt 15 ] && echo some)"
echo "count: frozen writers: every file read at $points test points of publish, commit, resume, replace and remove"

finish
