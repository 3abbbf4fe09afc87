# A thousand segments, and ten thousand: mounted, listed and read; and more than there is room for.
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
rm -f "$KYMO_DIR"/again
unmount_view
has_ended()
{
    [ -z "$(find_daemon)" ]
}
succeeds "unmounted" eventually has_ended

# ---- ten thousand ----
many=10000
[ "${KYMO_SMALL-}" ] && many=1000
now()
{
    date +%s%N
}
since()
{
    echo $((($(now) - $1) / 1000000))
}
"$SEGMENT" make t fields=n:u64 depth=2 count=2 many=$many || exit 1
began=$(now)
# The usual soft limit of descriptors is no limit.
(ulimit -S -n 1024 && exec "$KYMOFS" "$mnt") || exit 1
mounted=$(since "$began")
check "$many listed" "$many" "$(ls -l "$mnt" | grep -c '^dr.x')"
listed=$(since "$began")
began=$(now)
check "$many, again" "$many" "$(ls -l "$mnt" | grep -c '^dr.x')"
again=$(since "$began")
check "read here and there" "$((many / 1000))" \
    "$(cat "$mnt"/t*000/latest "$mnt"/t0/latest | grep -c '"n":1}}$')"
daemon=$(find_daemon)
memory=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status")

# One comes and one goes, ten times, and each listing is right.
began=$(now)
wrong=0
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$SEGMENT" make new$i fields=n:u64 depth=2 count=1 || exit 1
    rm "$KYMO_DIR/t$i"
    [ "$(ls "$mnt" | grep -c '^[nt]')" -eq "$many" ] || wrong=$((wrong + 1))
done
check "listings while some come and go" "0" "$wrong"
changes=$(since "$began")
began=$(now)
rm -f "$KYMO_DIR"/t*
check "all but the new ones gone" "10" "$(ls "$mnt" | grep -c '^[nt]')"
echo "count: many segments: $many mounted in $mounted ms and listed (ls -l) after $listed ms, again" \
    "in $again ms; $((memory * 1024 / many)) bytes of memory each; ten changes and listings in" \
    "$changes ms; removed in $(since "$began") ms"
unmount_view

# ---- fewer descriptors than segments: all are shown, and opened in turn ----
"$SEGMENT" make few fields=n:u64 depth=2 count=2 many=300 || exit 1
(ulimit -n 200 && exec "$KYMOFS" "$mnt") || exit 1
check "all are listed" "310" "$(ls "$mnt" | grep -c '^[nf]')"
check "and read" "300" "$(cat "$mnt"/few*/latest | grep -c '"n":1}}$')"
check "metrics of all" "310" "$(grep -c '^kymo_records_total' "$mnt/metrics.prom")"
check "and read again" "300" "$(cat "$mnt"/few*/latest | grep -c '"n":1}}$')"

finish
