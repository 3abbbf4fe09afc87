# 1000 and 10000 segments are mounted, listed and read; also more segments than descriptors.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make s fields=n:u64 depth=2 count=2 many=1000 || exit 1
mount_view
check "1000 segments are listed" "1002" "$(ls "$mnt" | wc -l)"
check "each of 1000 segments is listed once" "" "$(ls "$mnt" | sort | uniq -d)"
check "1000 segments are listed in order" "" "$(find "$mnt" -mindepth 1 -maxdepth 1 -name 's*' | LC_ALL=C sort -c 2>&1)"
check "ls -l shows attributes of 1000 segments" "1000" "$(ls -l "$mnt" | grep -c '^dr.x')"
check "latest of 1000 segments is readable" "1000" "$(cat "$mnt"/s*/latest | grep -c '"n":1}}$')"
check "a field of 1000 segments is readable" "1000" "$(cat "$mnt"/s*/field/n | wc -l)"

# 1000 inotify events in one burst.
"$SEGMENT" make more fields=n:u64 depth=2 count=2 many=1000 || exit 1
check "1000 more segments are listed" "2002" "$(ls "$mnt" | wc -l)"
rm "$KYMO_DIR"/s*
check "1000 removed segments are not listed" "1002" "$(ls "$mnt" | wc -l)"
check "latest of the remaining 1000 is readable" "1000" "$(cat "$mnt"/more*/latest | grep -c '"n":1}}$')"

# inotify queue overflow while the daemon is stopped: it scans the directory.
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
    check "after an overflow the current segments are listed" "102" "$(ls "$mnt" | wc -l)"
    check "after an overflow removed segments are not listed" "0" "$(ls "$mnt" | grep -c more)"
    check "after an overflow new segments are readable" "100" "$(cat "$mnt"/late*/latest | grep -c '"n":1}}$')"
fi

# The segment directory is renamed and created again.
mv "$KYMO_DIR" "$KYMO_DIR.moved"
check "without a segment directory README and metrics.prom are listed" "README metrics.prom" "$(echo $(ls "$mnt"))"
mkdir "$KYMO_DIR"
"$SEGMENT" make again fields=n:u64 count=1 || exit 1
check "a segment in the new directory is listed" "README again metrics.prom" "$(echo $(ls "$mnt"))"
check "a segment in the new directory is readable" "0" "$(cat "$mnt/again/field/n")"
rm -rf "$KYMO_DIR.moved"
rm -f "$KYMO_DIR"/again
unmount_view
has_ended()
{
    [ -z "$(find_daemon)" ]
}
succeeds "the daemon ends after unmount" eventually has_ended

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
# The soft limit of descriptors is 1024; kymofs raises it to the hard limit.
(ulimit -S -n 1024 && exec "$KYMOFS" "$mnt") || exit 1
mounted=$(since "$began")
check "$many segments are listed" "$many" "$(ls -l "$mnt" | grep -c '^dr.x')"
listed=$(since "$began")
began=$(now)
check "$many segments are listed again" "$many" "$(ls -l "$mnt" | grep -c '^dr.x')"
again=$(since "$began")
check "every 1000th of $many segments is readable" "$((many / 1000))" \
    "$(cat "$mnt"/t*000/latest "$mnt"/t0/latest | grep -c '"n":1}}$')"
daemon=$(find_daemon)
memory=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status")

# Ten times: create one segment, remove one, and list.
began=$(now)
wrong=0
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$SEGMENT" make new$i fields=n:u64 depth=2 count=1 || exit 1
    rm "$KYMO_DIR/t$i"
    [ "$(ls "$mnt" | grep -c '^[nt]')" -eq "$many" ] || wrong=$((wrong + 1))
done
check "each listing after a change is correct" "0" "$wrong"
changes=$(since "$began")
began=$(now)
rm -f "$KYMO_DIR"/t*
check "$many removed segments are not listed" "10" "$(ls "$mnt" | grep -c '^[nt]')"
echo "count: many segments: $many mounted in $mounted ms and listed (ls -l) after $listed ms, again" \
    "in $again ms; $((memory * 1024 / many)) bytes of memory each; ten changes and listings in" \
    "$changes ms; removed in $(since "$began") ms"
unmount_view

# ---- fewer descriptors than segments ----
"$SEGMENT" make few fields=n:u64 depth=2 count=2 many=300 || exit 1
(ulimit -n 200 && exec "$KYMOFS" "$mnt") || exit 1
check "310 segments are listed with 200 descriptors" "310" "$(ls "$mnt" | grep -c '^[nf]')"
check "300 segments are read with 200 descriptors" "300" "$(cat "$mnt"/few*/latest | grep -c '"n":1}}$')"
check "metrics.prom has 310 segments with 200 descriptors" "310" "$(grep -c '^kymo_records_total' "$mnt/metrics.prom")"
check "300 segments are read again with 200 descriptors" "300" "$(cat "$mnt"/few*/latest | grep -c '"n":1}}$')"

finish
