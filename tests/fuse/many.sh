# A thousand segments: mounted, listed and read.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make s fields=n:u64 depth=2 count=2 many=1000 || exit 1
mount_view
check "listed" "1002" "$(ls "$mnt" | wc -l)"
check "listed once each" "" "$(ls "$mnt" | sort | uniq -d)"
check "in order" "" "$(find "$mnt" -mindepth 1 -maxdepth 1 -name 's*' | LC_ALL=C sort -c 2>&1)"
check "with attributes" "1000" "$(ls -l "$mnt" | grep -c '^dr.x')"
check "read" "1000" "$(cat "$mnt"/s*/latest | grep -c '"n":1}}$')"
check "a field of each" "1000" "$(cat "$mnt"/s*/field/n | wc -l)"

# More come while it runs, and go: through inotify alone, in one burst.
"$SEGMENT" make more fields=n:u64 depth=2 count=2 many=1000 || exit 1
check "twice as many" "2002" "$(ls "$mnt" | wc -l)"
rm "$KYMO_DIR"/s*
check "half of them gone" "1002" "$(ls "$mnt" | wc -l)"
check "the others" "1000" "$(cat "$mnt"/more*/latest | grep -c '"n":1}}$')"

# More events than inotify keeps while the daemon does not look: a scan finds what was lost.
limit=$(cat /proc/sys/fs/inotify/max_queued_events)
if [ "$limit" -le 100000 ]; then
    daemon=$(find_daemon)
    kill -STOP "$daemon"
    python3 - "$KYMO_DIR" "$limit" <<'END'
import os, sys
for i in range(int(sys.argv[2]) // 2):
    path = f"{sys.argv[1]}/nothing{i % 2}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    os.unlink(path)
END
    "$SEGMENT" make late fields=n:u64 depth=2 count=2 many=100 || exit 1
    rm "$KYMO_DIR"/more*
    kill -CONT "$daemon"
    check "after an overflow" "102" "$(ls "$mnt" | wc -l)"
    check "nothing is left of the others" "0" "$(ls "$mnt" | grep -c more)"
    check "the late ones" "100" "$(cat "$mnt"/late*/latest | grep -c '"n":1}}$')"
fi

# The directory itself goes, and comes back.
mv "$KYMO_DIR" "$KYMO_DIR.moved"
check "without its directory" "README metrics.prom" "$(echo $(ls "$mnt"))"
mkdir "$KYMO_DIR"
"$SEGMENT" make again fields=n:u64 count=1 || exit 1
check "in the new directory" "README again metrics.prom" "$(echo $(ls "$mnt"))"
check "read" "0" "$(cat "$mnt/again/field/n")"
rm -rf "$KYMO_DIR.moved"

finish
