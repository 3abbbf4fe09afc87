# kymo metrics: the segments that were named, or all, as Prometheus text.
. "$(dirname "$0")/cli.sh"

run kymo metrics
ok "nothing is there"
is "and nothing is printed" "" "$out"

run kymo pub imu --fields 'accel:f32[3],m:f64,steps:u64,ok:bool' --unit accel=m/s^2 --counter steps \
    <<<'{"accel":[1,null,0.1],"m":-2.5,"steps":18446744073709551615,"ok":true}'
ok
printf '\0\0\0\0\0\0\360\177\0\0\0\0\0\0\360\377\0\0\0\0\0\0\370\177' |
    kymo pub ends --fields 'a:f64,z:f64,n:f64' --raw
kymo pub quiet --fields x:f64 </dev/null
echo nonsense >"$KYMO_DIR/nonsense"
run kymo metrics
ok "what is no segment is passed over"
samples=$(python3 "$here/../../exposition.py" <<<"$out") || fail "the text is well-formed" "$samples"
value()
{
    sed -n "s/^$1 //p" <<<"$samples"
}
is "exact integers" 18446744073709551615 "$(value 'kymo_imu_steps_total{segment="imu"}')"
is "floats in their own digits" 0.1 "$(value 'kymo_imu_accel{index="2",segment="imu"}')"
is "null is NaN" NaN "$(value 'kymo_imu_accel{index="1",segment="imu"}')"
is "bools are numbers" 1 "$(value 'kymo_imu_ok{segment="imu"}')"
is "a name that reads like a unit" -2.5 "$(value 'kymo_imu_mvalue{segment="imu"}')"
is "one infinity" +Inf "$(value 'kymo_ends_a{segment="ends"}')"
is "and the other" -Inf "$(value 'kymo_ends_z{segment="ends"}')"
is "NaN" NaN "$(value 'kymo_ends_n{segment="ends"}')"
is "no writer is up" 0 "$(value 'kymo_writer_up{segment="imu"}')"
is "records" "1" "$(value 'kymo_records_total{segment="imu"}')"
is "or none" "0" "$(value 'kymo_records_total{segment="quiet"}')"
like "the age" "[0-9]*" "$(value 'kymo_age_seconds{segment="imu"}')"
like "the unit" '*
# HELP kymo_imu_accel Field accel of segment imu (m/s^2)
# TYPE kymo_imu_accel gauge
*' "$out"

if command -v promtool >/dev/null; then
    is "promtool has nothing to say" "" "$(promtool check metrics <<<"$out" 2>&1)"
    start host kymo host --hz 20
    eventually "the machine's counters are there" says host.mem 'writer: ALIVE'
    is "of the machine's counters, either" "" "$(kymo metrics | promtool check metrics 2>&1)"
    kill "$pid"
    wait "$pid"
elif [ "${CI-}" = true ]; then
    fail "promtool is not there"
fi

run kymo metrics quiet imu
ok
is "those that were named" 'kymo_records_total{segment="quiet"} 0
kymo_records_total{segment="imu"} 1' "$(grep ^kymo_records <<<"$out")"
is "and no others" "" "$(grep ends <<<"$out")"
run kymo metrics nothing imu
refused 1 "kymo: nothing: no such segment*"
like "and the other is printed" '*kymo_imu_ok{segment="imu"} 1*' "$out"
run kymo metrics nonsense
refused 1 "kymo: nonsense: *"
run bash -c 'kymo metrics >/dev/full'
refused 1 "kymo: standard output: *"
KYMO_DIR=$scratch/missing run kymo metrics
refused 1 "kymo: $scratch/missing: *"
finish
