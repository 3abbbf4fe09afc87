# kymo pub --raw and kymo get --raw: payloads are copied unchanged.
. "$(dirname "$0")/cli.sh"

head -c 160000 /dev/urandom >"$scratch/bytes"
run kymo pub t --raw --size 1000 --depth 256 <"$scratch/bytes"
ok "pub --raw succeeds"
is "160000 bytes are 160 records of 1000" 'records: 160' "$(kymo info t | grep ^records:)"
for ((pos = 0; pos < 160; pos++)); do
    kymo get t --pos $pos --raw
done >"$scratch/copy"
is "get --raw prints the published bytes" "$(sha256sum <"$scratch/bytes")" "$(sha256sum <"$scratch/copy")"
like "data without fields is printed as hexadecimal" '"????????*"' "$(data t)"

# Input in parts of 77 bytes.
run kymo pub t --replace --raw --size 1000 --depth 256 \
    < <(dd if="$scratch/bytes" obs=77 status=none)
ok "pub --raw reads parts of records"
is "the last record of partial input is complete" "$(tail -c 1000 "$scratch/bytes" | sha256sum)" "$(kymo get t --raw | sha256sum)"

# An incomplete record at the end is reported and not published.
run kymo pub t --replace --raw --size 1000 < <(head -c 3003 "$scratch/bytes")
refused 1 'kymo: t: incomplete record at the end: 3 of 1000 bytes'
is "complete records before an incomplete one are published" 'records: 3' "$(kymo info t | grep ^records:)"

# --raw with --fields: the payload has the layout of the fields; --time reads a field.
run kymo pub t --replace --raw --fields n:u16,t:u64 --time t --clock user \
    < <(printf '\001\0______\005\0\0\0\0\0\0\0\002\0______\004\0\0\0\0\0\0\0\003\0______\006\0\0\0\0\0\0\0')
refused 1 'kymo: t: record 2: time 4 is before the newest record'"'"'s, 5*'
is "the record after a rejected one is published" '{"n":3,"t":6}' "$(data t)"
is "the record before a rejected one is published" '{"n":1,"t":5}' "$(data t --back 1)"
is "--time reads a field of the payload" 5 "$(kymo get t --back 1 | jq .time)"
run kymo pub copy --raw --fields n:u16,t:u64 < <(kymo get t --raw)
ok "pub --raw reads the output of get --raw"
is "a copy through --raw has the same data" '{"n":3,"t":6}' "$(data copy)"

run kymo pub t --raw </dev/null
ok "pub --raw resumes an existing segment"
run kymo pub bytes --raw --size 4 <<<'abc'
ok "pub --raw creates a segment without fields"
run kymo pub bytes <<<'[1]'
refused 2 'kymo: bytes: the records have no fields: use --raw'
run kymo pub bytes --raw --time x </dev/null
refused 2 'kymo: bytes: --time x: no such field'
is "failed options do not change the segment" '"6162630a"' "$(data bytes)"
for size in 0 -1 x 1073741825 ''; do
    run kymo pub u --raw --size "$size" </dev/null
    refused 2 "kymo pub: --size $size: must be a number of bytes from 1 to 1073741824*"
done
run kymo pub u --size 4 </dev/null
refused 2 'kymo pub: --size: requires --raw*'
run kymo pub u --raw --size 4 --fields x:u8 </dev/null
refused 2 'kymo pub: --fields and --size: use only one of them*'
run kymo pub u --raw --csv --fields x:u8 </dev/null
refused 2 'kymo pub: --csv and --raw: use only one of them*'
finish
