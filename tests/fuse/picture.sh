# latest.png: each pixel of each format; no other file contains pixels as text.
. "$(dirname "$0")/mounted.sh"

# image NAME FORMAT WIDTH HEIGHT PADDING [STEP]
image()
{
    "$SEGMENT" make "$1" "image=$2:$3x$4+$5" count=3 depth=4 || exit 1
}
image gray gray8 33 17 0
image padded gray8 33 17 31
image deep gray16 20 9 12
image colour rgb8 31 7 5
image turned bgr8 31 7 0
image clear rgba8 16 16 0
image turned_clear bgra8 15 13 4
image camera yuyv 34 10 6
image planes nv12 34 18 2
image dot gray8 1 1 0
image long gray8 9000 3 0
image tall rgb8 1 4097 0
"$SEGMENT" make cut image=rgb8:32x8 count=1 short=1
"$SEGMENT" make none image=rgb8:32x8
"$SEGMENT" make plain 'fields=x:f64' count=1
mount_view

"$SEGMENT" make gray image=gray8:33x17 count=1 depth=4
check "all pixels of all formats equal the published ones" "8189" "$(python3 "$here/picture.py" <<END
$mnt/gray/latest.png gray8 33 17 0 3 1
$mnt/padded/latest.png gray8 33 17 31 2 1
$mnt/deep/latest.png gray16 20 9 12 2 1
$mnt/colour/latest.png rgb8 31 7 5 2 1
$mnt/turned/latest.png bgr8 31 7 0 2 1
$mnt/clear/latest.png rgba8 16 16 0 2 1
$mnt/turned_clear/latest.png bgra8 15 13 4 2 1
$mnt/camera/latest.png yuyv 34 10 6 2 1
$mnt/planes/latest.png nv12 34 18 2 2 1
$mnt/dot/latest.png gray8 1 1 0 2 1
$mnt/long/latest.png gray8 9000 3 0 2 3
$mnt/tall/latest.png rgb8 1 4097 0 2 2
END
)"
fails_with ENODATA cut/latest.png
fails_with ENODATA none/latest.png
fails_with ENOENT plain/latest.png
check "latest.png is listed for images only" "1 0 0 1" "$(for name in gray plain; do
    ls "$mnt/$name" | grep -c '^latest.png$'; ls "$mnt/$name" | grep -c '^plot.svg$'; done | xargs)"
check "st_size of latest.png is the length of its content" "$(wc -c <"$mnt/padded/latest.png")" "$(stat -c %s "$mnt/padded/latest.png")"

# ---- text files do not contain pixels ----
check "latest of an image has no pixels" '"data":null}' "$(sed 's/.*,"data"/"data"/' "$mnt/padded/latest")"
check "history/1 of an image has no pixels" '"data":null}' "$(sed 's/.*,"data"/"data"/' "$mnt/padded/history/1")"
check "history.ndjson of an image has no pixels" "3" "$(grep -c '"data":null}$' "$mnt/padded/history.ndjson")"
check "history.csv of an image has no pixels" "pos,time,tag,data 3" "$(head -n 1 "$mnt/padded/history.csv") $(grep -c ',$' "$mnt/padded/history.csv")"
check "metrics.prom of an image has no pixels" "" \
    "$(grep '^kymo_field.*segment="padded"' "$mnt/metrics.prom")"
check "latest.raw of an image has all bytes" "$(((33 + 31) * 17))" "$(wc -c <"$mnt/padded/latest.raw")"
if [ -n "${KYMO-}" ]; then
    check "kymo get of an image prints no pixels" '"data":null}' "$("$KYMO" get padded | sed 's/.*,"data"/"data"/')"
    check "kymo metrics of an image prints no pixels" "" "$("$KYMO" metrics padded | grep '^kymo_field')"
fi

# ---- a running writer of images ----
run_writer film image=rgb8:64x48 depth=4 period=100000
for i in 1 2 3 4 5 6 7 8; do
    cat "$mnt/film/latest.png" >"$work/film.$i.png"
    echo "$work/film.$i.png rgb8 64 48 0 any 1"
done >"$work/films"
check "images of a running writer are not torn" "$((8 * 64 * 48))" \
    "$(python3 "$here/picture.py" <"$work/films" 2>&1 | tail -n 1)"
finish
