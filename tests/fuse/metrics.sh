# metrics.prom: its samples, its content per caller (K), its mtime; promtool and node_exporter accept it.
. "$(dirname "$0")/mounted.sh"

promtool=$(command -v promtool) exporter=$(command -v prometheus-node-exporter)
if [ -z "$promtool" ] || [ -z "$exporter" ]; then
    echo "prometheus and prometheus-node-exporter are not installed: they are not run"
    [ "${CI-}" != true ] || exit 1
fi

# parse TEXT FILE: writes the samples as "NAME{LABELS} VALUE" lines into $work/samples.
parse()
{
    succeeds "$1 is well-formed" sh -c "python3 '$here/../exposition.py' <'$2' >'$work/samples'"
}

sample()
{
    sed -n "s/^$1 //p" "$work/samples"
}

# approved TEXT FILE: promtool prints nothing on stdout and stderr.
approved()
{
    [ -z "$promtool" ] || check "promtool accepts $1" "" "$("$promtool" check metrics <"$2" 2>&1)"
}

segments_in()
{
    sed -n 's/^kymo_records_total{segment="\([^"]*\)".*/\1/p' "$@" | sort
}

# ---- no segments: metrics of the daemon ----
mount_view
cat "$mnt/metrics.prom" >"$work/prom"
parse "metrics.prom without segments" "$work/prom"
approved "metrics.prom without segments" "$work/prom"
check "kymofs_segments is 0 without segments" "0" "$(sample 'kymofs_segments{}')"
check "without segments there are metrics of the daemon only" "" "$(grep -v '^kymofs_' "$work/samples")"
check "without segments mtime is that of the directory" "$(stat -c %Y "$KYMO_DIR")" "$(stat -c %Y "$mnt/metrics.prom")"

# ---- mtime: the time of the newest record ----
"$SEGMENT" make old fields=n:u64 clock=realtime time=1000000000000000000 count=1 || exit 1
check "mtime is the time of the newest record" "1000000000" "$(stat -c %Y "$mnt/metrics.prom")"
"$SEGMENT" make older fields=n:u64 clock=realtime time=900000000000000000 count=1
check "an older record in another segment does not change mtime" "1000000000" "$(stat -c %Y "$mnt/metrics.prom")"
"$SEGMENT" make newer fields=n:u64 clock=realtime time=1100000000000000000 count=1
check "a newer record changes mtime at once" "1100000000" "$(stat -c %Y "$mnt/metrics.prom")"
"$SEGMENT" make now fields=n:u64 count=1
before=$(stat -c %.Y "$mnt/metrics.prom")
sleep 0.05
cat "$mnt/metrics.prom" >"$work/prom"
check "reading does not change mtime" "$before" "$(stat -c %.Y "$mnt/metrics.prom")"

# ---- labels, long arrays, special characters ----
q='"' backslash='\'
"$SEGMENT" make ugly "fields=m:f64,accelX:f64[3],a_count:i64,text:char[8],big:f32[65],grid:i16[2][3]" count=3 \
    "help=says $q$backslash$q, $backslash and
second line: °C" 'unit=m/s^2 "x"' || exit 1
"$SEGMENT" make count fields=n:u64,n_total:u64,hits:u32 metric=counter first=9007199254740993 count=1
for name in a.x a-x a_x; do
    "$SEGMENT" make $name fields=y:u8,x_y:u8 count=2
done
"$SEGMENT" make quiet fields=x:u8
"$SEGMENT" make mine fields=x:u8 clock=user count=2
"$SEGMENT" make bytes size=100 count=2
head -c 5000 /dev/urandom >"$KYMO_DIR/junk"
cat "$mnt/metrics.prom" >"$work/prom"
parse metrics.prom "$work/prom"
approved metrics.prom "$work/prom"
unit="unit=${q}m/s^2 $backslash${q}x$backslash$q$q"
labelled()
{
    grep -F "$1" "$work/samples" | sed 's/.* //'
}
check "a counter beyond 2^53 is exact" "9007199254740993" "$(sample 'kymo_field_total{field="n",segment="count"}')"
check "an array element has an index" "2" \
    "$(labelled "kymo_field{field=${q}accelX$q,index=${q}2$q,segment=${q}ugly$q,$unit}")"
check "a matrix element has two indices" "2" \
    "$(labelled "kymo_field{field=${q}grid$q,index=${q}1.2$q,segment=${q}ugly$q,$unit}")"
for name in 'a\.x' a-x a_x; do
    check "segment $name has its own label" "1" "$(sample "kymo_field{field=\"y\",segment=\"$name\"}")"
done
check "text and long arrays are not exported" "" "$(grep -E 'field="(text|big)"' "$work/samples")"
check "a segment without records has kymo_records_total 0" "0" "$(sample 'kymo_records_total{segment="quiet"}')"
check "a segment without records has no values" "" "$(grep 'kymo_field{.*quiet' "$work/samples")"
check "a segment without a writer has the rate 0" "0" "$(sample 'kymo_rate_hertz{segment="quiet"}')"
check "a segment on the clock user has no age" "" "$(sample 'kymo_age_seconds{segment="mine"}')"
check "kymofs_segments_skipped counts files that are not segments" "1" "$(sample 'kymofs_segments_skipped{}')"
check "kymofs_segments counts segments" "$(ls -d "$mnt"/*/ | wc -l)" "$(sample 'kymofs_segments{}')"
check "kymo_field_info contains the description and the unit, escaped" "1" \
    "$(labelled "help=${q}says $backslash$q$backslash$backslash$backslash$q, $backslash$backslash and${backslash}nsecond line: °C$q,segment=${q}ugly$q,$unit}" | sort -u)"
if [ -n "${KYMO-}" ]; then
    # The ages differ, and the metrics of the daemon are missing.
    "$KYMO" metrics >"$work/command"
    approved "kymo metrics" "$work/command"
    grep -v -e kymo_age_seconds "$work/command" >"$work/expected"
    grep -v -e kymo_age_seconds -e kymofs_ "$work/prom" >"$work/got"
    succeeds "kymo metrics prints the same samples" cmp "$work/expected" "$work/got"
fi

# ---- methods of reading a long file ----
many=$(python3 -c 'print(",".join(f"field{i}:f64" for i in range(1000)))')
"$SEGMENT" make wide "fields=$many" count=1 many=3 || exit 1
lines=$(grep -vc kymofs_requests_total "$mnt/metrics.prom")
for method in sendfile fstat-sendfile splice mmap; do
    "$READERS" $method "$mnt/metrics.prom" >"$work/prom"
    parse "metrics.prom by $method" "$work/prom"
    check "metrics.prom by $method is complete" "$lines" "$(grep -vc kymofs_requests_total "$work/prom")"
done
cp "$mnt/metrics.prom" "$work/prom"
parse "metrics.prom by cp" "$work/prom"
check "metrics.prom by cp is complete" "$lines" "$(grep -vc kymofs_requests_total "$work/prom")"
cat >"$work/size.py" <<'END'
import os, sys
with open(sys.argv[1], "rb") as file:
    size = os.fstat(file.fileno()).st_size
    print(size > 300000, size - len(file.read()))
END
check "st_size of a long metrics.prom is the length of its content" "True 0" "$(python3 "$work/size.py" "$mnt/metrics.prom")"

# ---- retried reads: a writer at full speed ----
run_writer hasty size=1000000 depth=2 period=0
retries()
{
    cat "$mnt/hasty/latest.raw" >"$work/raw" 2>/dev/null
    [ "$(sed -n 's/^kymofs_retries_total //p' "$mnt/metrics.prom")" -gt 0 ]
}
succeeds "kymofs_retries_total counts retried reads" eventually retries
stop $writer
rm "$KYMO_DIR/hasty"

# ---- more samples than the limit: the user with the most is left out ----
most=$(python3 -c 'print(",".join(f"f{i}:u8[64]" for i in range(1024)))')
before=$(grep -c '^kymo_' "$mnt/metrics.prom")
"$SEGMENT" make big "fields=$most" count=1 depth=2 many=17 || exit 1
cat "$mnt/metrics.prom" >"$work/prom"
check "kymofs_segments_left_out counts segments beyond the limit" "kymofs_segments_left_out 17" "$(grep '^kymofs_segments_left_out' "$work/prom")"
check "segments within the limit are exported" "$before" "$(grep -c '^kymo_' "$work/prom")"
rm "$KYMO_DIR"/big*

# ---- node_exporter and a running writer ----
run_writer live fields=n:u64,temp:f64 unit=degC period=1000000
if [ -n "$exporter" ]; then
    cat >"$work/port.py" <<'END'
import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    print(probe.getsockname()[1])
END
    cat >"$work/scrape.py" <<'END'
import sys, urllib.request
with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=20) as answer:
    sys.stdout.buffer.write(answer.read())
END
    port=$(python3 "$work/port.py")
    "$exporter" --web.listen-address=127.0.0.1:$port --collector.disable-defaults \
        --collector.textfile --collector.textfile.directory="$mnt" >"$work/exporter" 2>&1 &
    background $!
    scrape()
    {
        python3 "$work/scrape.py" $port >"$work/scraped"
    }
    live()
    {
        sed -n 's/^kymo_field{field="n".*segment="live".*} //p' "$work/scraped"
    }
    succeeds "node_exporter can be scraped" eventually scrape
    value=$(live)
    scrape
    succeeds "node_exporter exports a field of a running writer: $value, then $(live)" [ "$(live)" -gt "$value" ]
    check "node_exporter reports no error" "node_textfile_scrape_error 0" \
        "$(grep '^node_textfile_scrape_error' "$work/scraped")"
    check "node_exporter exports the unit" "1" \
        "$(sed -n 's/^kymo_field_info{field="temp",help="",segment="live",unit="degC"} //p' "$work/scraped")"
    check "node_exporter reports an mtime of the last 60 s" "recent" \
        "$(awk -v now="$(date +%s.%N)" '/^node_textfile_mtime_seconds.*metrics.prom/ {
            print $2 <= now && now - $2 < 60 ? "recent" : $2 }' "$work/scraped")"
    check "node_exporter exports all samples, and 18 of the new writer" "$(grep -c '^kymo_' "$work/prom")" \
        "$(($(grep -c '^kymo_' "$work/scraped") - 18))"
fi
unmount_view

# ---- K: the content is limited to segments that the caller may open ----
if [ "$(id -u)" -ne 0 ]; then
    echo "only root can change the user: the rest is not run"
    [ "${CI-}" != true ] || exit 1
    finish
fi
stop $writer
rm "$KYMO_DIR"/*
for mode in 600 640 644 444 604 400 040 004 000; do
    "$SEGMENT" make m$mode fields=secret:u64 count=1 || exit 1
    chmod $mode "$KYMO_DIR/m$mode"
    "$SEGMENT" make t$mode fields=secret:u64 count=1
    chown 12345:23456 "$KYMO_DIR/t$mode"
    chmod $mode "$KYMO_DIR/t$mode"
done
mount_view -o allow_other

cat >"$work/open-each" <<'END'
cd "$1" && for name in [mt][0-9]*; do
    cat "$name/latest" >/dev/null && echo "$name"
done
END

# compare_for OPTION...: under setpriv OPTION..., metrics.prom has the segments whose latest can be opened.
compare_for()
{
    setpriv "$@" sh "$work/open-each" "$mnt" 2>/dev/null | sort >"$work/expected"
    setpriv "$@" cat "$mnt/metrics.prom" >"$work/prom"
    segments_in "$work/prom" >"$work/got"
    count=$(wc -l <"$work/expected")
    check "metrics.prom has the segments that can be opened under $*" "$(echo $(cat "$work/expected"))" "$(echo $(cat "$work/got"))"
    check "metrics.prom has the fields of these segments under $*" "$count" "$(grep -c '^kymo_field{' "$work/prom")"
    check "kymofs_segments counts these segments under $*" "kymofs_segments $count" "$(grep '^kymofs_segments ' "$work/prom")"
}
chmod 711 "$work" && chmod 644 "$work/open-each"
compare_for --reuid=0
check "root sees all segments" "18" "$(wc -l <"$work/got")"
compare_for --reuid=12345 --regid=12345 --clear-groups
compare_for --reuid=777 --regid=777 --clear-groups
check "other users see segments that are readable by all" "m004 m444 m604 m644 t004 t444 t604 t644" \
    "$(echo $(cat "$work/got"))"
compare_for --reuid=777 --regid=23456 --clear-groups
compare_for --reuid=777 --regid=777 --groups=555,23456
check "a supplementary group has the group's permissions" "m004 m444 m604 m644 t040 t444 t640 t644" \
    "$(echo $(cat "$work/got"))"
compare_for --reuid=777 --regid=777 --groups=0
compare_for --reuid=12345 --regid=12345 --groups=0,23456
compare_for --bounding-set=-dac_override,-dac_read_search
check "root without CAP_DAC_OVERRIDE has the permissions of the mode" "" "$(grep -x t600 "$work/got")"
compare_for --reuid=777 --regid=777 --clear-groups --inh-caps=+dac_read_search \
    --ambient-caps=+dac_read_search
check "another user with CAP_DAC_READ_SEARCH sees all segments" "18" "$(wc -l <"$work/got")"

# Capabilities in another user namespace have no effect.
others="setpriv --reuid=777 --regid=777 --clear-groups"
if $others unshare -Ur true 2>/dev/null; then
    $others unshare -Ur cat "$mnt/metrics.prom" >"$work/prom"
    check "root of a user namespace sees segments that are readable by all" "m004 m444 m604 m644 t004 t444 t604 t644" \
        "$(echo $(segments_in "$work/prom"))"
fi

# mtime does not depend on segments that the caller may not read.
theirs=$($others stat -c %.Y "$mnt/metrics.prom")
"$SEGMENT" make m111 fields=secret:u64 count=1 mode=600
check "an unreadable record does not change mtime for another user" "$theirs" "$($others stat -c %.Y "$mnt/metrics.prom")"
check "a readable record changes mtime for root" "later" "$([ "$(stat -c %.Y "$mnt/metrics.prom")" != "$theirs" ] && echo later)"

# Two users read concurrently, also through the page cache, which all callers share.
cat >"$work/read-often" <<'END'
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$1" sendfile "$2/metrics.prom"
    cat "$2/metrics.prom"
    "$1" mmap "$2/metrics.prom"
done
END
cp "$READERS" "$work/readers" # others can't reach into the build
chmod 755 "$work/readers" "$work/read-often"
$others sh "$work/read-often" "$work/readers" "$mnt" >"$work/others" &
pid=$!
sh "$work/read-often" "$work/readers" "$mnt" >"$work/roots"
wait $pid
check "another user beside root sees its own segments only" "240 8" \
    "$(segments_in "$work/others" | wc -l) $(segments_in "$work/others" | uniq | wc -l)"
check "root beside another user sees all segments" "570 19" \
    "$(segments_in "$work/roots" | wc -l) $(segments_in "$work/roots" | uniq | wc -l)"

# An O_PATH descriptor of root is opened after a change of user.
cat >"$work/reopen.py" <<'END'
import os, sys
node = os.open(sys.argv[1], os.O_PATH)
os.fstat(node)
os.setgroups([])
os.setgid(777)
os.setuid(777)
with open(f"/proc/self/fd/{node}") as file:
    print(file.read().count("kymo_records_total{"))
END
check "opening a descriptor of root checks the new user" "8" "$(python3 "$work/reopen.py" "$mnt/metrics.prom")"

# A removed permission takes effect at once.
chmod 600 "$KYMO_DIR/m644"
compare_for --reuid=777 --regid=777 --clear-groups
check "a segment is not exported after its permission was removed" "" "$(grep m644 "$work/got")"
finish
