# K: opens of different versions of one file, read in turns through read, sendfile, splice and mmap.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make private fields=n:u64 count=3 mode=600 || exit 1
"$SEGMENT" make wide "fields=x:f64[1000]" count=3 || exit 1
# metrics.prom must be longer than a page.
for name in p q r s t u v w; do
    "$SEGMENT" make $name "fields=a:f64[64]" count=1 || exit 1
done
mount_view
for method in read sendfile splice mmap; do
    for file in history.csv history.ndjson 'range?from=0&to=1s' plot.svg latest latest.raw info; do
        check "each open of $file by $method returns one version" "" "$("$VERSIONS" "$mnt" "$mnt/versions/$file" $method 2>&1)"
    done
    check "each open of metrics.prom by $method returns one version" "" "$("$VERSIONS" "$mnt" "$mnt/metrics.prom" $method 2>&1)"
done
unmount_view

# Two users: no open returns samples that its user may not read.
if [ "$(id -u)" -eq 0 ]; then
    mount_view -o allow_other
    for method in read sendfile splice mmap; do
        check "metrics.prom by $method has the samples of its user only" "" \
            "$("$VERSIONS" "$mnt" "$mnt/metrics.prom" $method 12345 2>&1)"
    done
fi

finish
