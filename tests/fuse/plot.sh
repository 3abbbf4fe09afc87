# plot.svg: the drawn lines are the published values.
. "$(dirname "$0")/mounted.sh"

cat >"$work/records.py" <<'END'
import sys
kind = sys.argv[1]
def line(t, *values):
    print(t, *values)
if kind == "basic":
    for i in range(101):
        line(10**8 * i, i, 101325, "nan" if 40 <= i <= 60 else 0.5 * i)
elif kind == "one":
    line(5, 1.5, 1)
elif kind == "nothing":
    for i in range(5):
        line(i, "nan")
elif kind == "deep":
    for i in range(100000):
        line(i, 1000 if i == 70000 else 1 + i % 2)
elif kind == "mixed":
    for i in range(50):
        line(i, 0.001, i / 10, 2.5, i, 5e9, i % 2)
elif kind == "close":
    for i in range(100):
        line(i, 1700000000 + i * 0.004)
elif kind == "ends":
    for i in range(100):
        line(i, (-1) ** i * 1.7e308, 5e-324 * i)
elif kind == "odd":
    line(1, 1)
END

# publish NAME FIELDS [OPTION...]: publishes the records that records.py prints for NAME.
publish()
{
    name=$1 fields=$2
    shift 2
    python3 "$work/records.py" $name |
        "$SEGMENT" values $name "fields=$fields" clock=user depth=131072 "$@" || exit 1
}
publish basic ramp:f64,flat:f64,hole:f32 unit=Pa
publish one a:f64,b:u8
publish nothing x:f64
publish deep n:f64
publish mixed 'a:f64[2],c:f32,b:i16,big:f64,ok:bool'
publish close x:f64
publish ends x:f64,y:f64
# Invalid UTF-8, a noncharacter, a control character, markup.
publish odd x:f64 "unit=$(printf '<&\377\302\260\357\277\276\001')"
many=$(python3 -c 'print(",".join(f"field_with_a_long_name_that_goes_on_and_on_{i}:f64" for i in range(1000)))')
"$SEGMENT" make wide "fields=$many" count=20 || exit 1
"$SEGMENT" make bytes size=100 count=5
"$SEGMENT" make text "fields=s:char[20]" count=5
"$SEGMENT" make empty fields=x:f64
mount_view

fails_with ENODATA empty/plot.svg
fails_with ENOENT bytes/plot.svg
fails_with ENOENT text/plot.svg
check "plot.svg is listed if a field is a number" "$mnt/basic/plot.svg $mnt/empty/plot.svg" \
    "$(echo $(ls -d "$mnt"/*/plot.svg | grep -E 'basic|empty|bytes|text'))"
succeeds "plots show the published values" python3 "$here/plot.py" "$mnt"
check "st_size of plot.svg is the length of its content" "$(wc -c <"$mnt/deep/plot.svg")" "$(stat -c %s "$mnt/deep/plot.svg")"

# A writer at 1 MHz overwrites a ring of 64 records while it is drawn.
run_writer fast fields=n:u64 depth=64 period=1000
complete=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    cat "$mnt/fast/plot.svg" >"$work/svg" 2>/dev/null && [ "$(tail -n 1 "$work/svg")" = "</svg>" ] &&
        complete=$((complete + 1))
done
check "plots of a running writer are complete" "20" "$complete"
finish
