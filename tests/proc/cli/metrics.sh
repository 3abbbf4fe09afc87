# kymo metrics: all segments, or the given ones, as Prometheus text.
. "$(dirname "$0")/cli.sh"

run kymo metrics
ok "metrics succeeds without segments"
is "metrics prints nothing without segments" "" "$out"

run kymo pub imu --fields 'accel:f32[3],m:f64,steps:u64,ok:bool' --unit accel=m/s^2 --counter steps \
    <<<'{"accel":[1,null,0.1],"m":-2.5,"steps":18446744073709551615,"ok":true}'
ok "pub creates a segment with a counter" "pub creates a segment with a counter"
printf '\0\0\0\0\0\0\360\177\0\0\0\0\0\0\360\377\0\0\0\0\0\0\370\177' |
    kymo pub ends --fields 'a:f64,z:f64,n:f64' --raw
kymo pub quiet --fields x:f64 </dev/null
echo nonsense >"$KYMO_DIR/nonsense"
run kymo metrics
ok "metrics skips files that are not segments"
samples=$(python3 "$here/../../exposition.py" <<<"$out") || fail "the text is well-formed" "$samples"
value()
{
    sed -n "s/^$1 //p" <<<"$samples"
}
is "u64 values are exact" 18446744073709551615 "$(value 'kymo_field_total{field="steps",segment="imu"}')"
is "f32 values have the shortest digits" 0.1 "$(value 'kymo_field{field="accel",index="2",segment="imu",unit="m.s^2"}')"
is "a null value is NaN" NaN "$(value 'kymo_field{field="accel",index="1",segment="imu",unit="m.s^2"}')"
is "a bool is 0 or 1" 1 "$(value 'kymo_field{field="ok",segment="imu"}')"
is "a field's name is a label" -2.5 "$(value 'kymo_field{field="m",segment="imu"}')"
is "positive infinity is +Inf" +Inf "$(value 'kymo_field{field="a",segment="ends"}')"
is "negative infinity is -Inf" -Inf "$(value 'kymo_field{field="z",segment="ends"}')"
is "NaN is NaN" NaN "$(value 'kymo_field{field="n",segment="ends"}')"
is "kymo_writer_state is closed without a writer" 1 "$(value 'kymo_writer_state{segment="imu",state="closed"}')"
is "kymo_writer_state is not alive without a writer" 0 "$(value 'kymo_writer_state{segment="imu",state="alive"}')"
is "kymo_rate_hertz is 0 without a writer" 0 "$(value 'kymo_rate_hertz{segment="imu"}')"
is "kymo_records_total counts records" "1" "$(value 'kymo_records_total{segment="imu"}')"
is "kymo_records_total of an empty segment is 0" "0" "$(value 'kymo_records_total{segment="quiet"}')"
like "kymo_age_seconds is a number" "[0-9]*" "$(value 'kymo_age_seconds{segment="imu"}')"
is "kymo_field_info has the unit" 1 "$(value 'kymo_field_info{field="accel",help="",segment="imu",unit="m.s^2"}')"

if command -v promtool >/dev/null; then
    is "promtool accepts all segments" "" "$(promtool check metrics <<<"$out" 2>&1)"
    start host kymo host --hz 20
    eventually "kymo host is alive" info_has host.mem 'writer: ALIVE'
    is "promtool accepts the segments of kymo host" "" "$(kymo metrics | promtool check metrics 2>&1)"
    kill "$pid"
    wait "$pid"
elif [ "${CI-}" = true ]; then
    fail "promtool is installed"
fi

run kymo metrics quiet imu
ok "metrics of two names succeeds"
is "given segments are printed in the given order" 'kymo_records_total{segment="quiet"} 0
kymo_records_total{segment="imu"} 1' "$(grep ^kymo_records <<<"$out")"
is "other segments are not printed" "" "$(grep ends <<<"$out")"
run kymo metrics nothing imu
refused 1 "kymo: nothing: no such segment*"
like "valid names are printed beside an invalid one" '*kymo_field{segment="imu",field="ok"} 1*' "$out"
run kymo metrics nonsense
refused 1 "kymo: nonsense: *"
run bash -c 'kymo metrics >/dev/full'
refused 1 "kymo: standard output: *"
KYMO_DIR=$scratch/missing run kymo metrics
refused 1 "kymo: $scratch/missing: *"
finish
