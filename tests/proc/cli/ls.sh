# kymo ls in a directory with other files: segments are listed, other files are skipped with a reason.
. "$(dirname "$0")/cli.sh"

is "ls of an empty directory prints nothing" '' "$(kymo ls)"
is "ls -l of an empty directory prints the titles" 1 "$(kymo ls -l | wc -l)"
is "ls --json of an empty directory prints an empty array" '[]' "$(kymo ls --json)"

kymo pub zeta --fields x:f64 --clock user --depth 8 --mode 0600 < <(seq 20)
kymo pub alpha --fields x:u8 --depth 1024 < <(seq 3)
kymo pub empty --fields x:u8 </dev/null
feed live '[1]' kymo pub live --fields x:u8
eventually "the segment live has a record" kymo get live

is "ls prints sorted names" 'alpha empty live zeta' "$(kymo ls | xargs)"
run kymo ls -l
ok "ls -l succeeds"
is "ls -l prints the titles" 'NAME KIND DEPTH SIZE CLOCK RECORDS AGE RATE WRITER MODE OWNER' \
    "$(head -n 1 <<<"$out" | xargs)"
is "ls -l has a row per segment" 'NAME alpha empty live zeta' "$(awk '{print $1}' <<<"$out" | xargs)"
owner=$(stat -c %U:%G "$KYMO_DIR/zeta")
is "the row of a closed segment" "zeta ring 8 8 user 20 unknown unknown CLOSED 0600 $owner" "$(grep ^zeta <<<"$out" | xargs)"
like "the row of a live segment" 'live ring 64 1 monotonic 1 * ALIVE 0??? *' "$(grep ^live <<<"$out" | xargs)"
like "the row of a segment without records" 'empty * 0 none 0 CLOSED *' "$(grep ^empty <<<"$out" | xargs)"
# Columns are aligned.
is "the column WRITER is aligned" 1 \
    "$(awk '{ i = match($0, /(WRITER|ALIVE|CLOSED) /); print i }' <<<"$out" | sort -u | wc -l)"
is "ls -l and info print the same rate" "$(kymo info zeta | grep ^rate_hertz: | cut -d' ' -f2)" \
    "$(grep ^zeta <<<"$out" | awk '{print $8}')"

# Files that are not segments.
echo 'some text' >"$KYMO_DIR/text"
: >"$KYMO_DIR/nothing"
mkdir "$KYMO_DIR/folder"
mkfifo "$KYMO_DIR/fifo"
ln -s alpha "$KYMO_DIR/link"
ln -s /etc/passwd "$KYMO_DIR/outside"
ln -s missing "$KYMO_DIR/dangling"
echo x >"$KYMO_DIR/.hidden"
echo x >"$KYMO_DIR/$(printf 'line\nend\033[31m')"
echo x >"$KYMO_DIR/$(printf 'x%.0s' {1..250})"
cp "$KYMO_DIR/alpha" "$KYMO_DIR/metrics.prom"
head -c 3000 "$KYMO_DIR/alpha" >"$KYMO_DIR/truncated"
head -c 20000 /dev/urandom >"$KYMO_DIR/noise"
size=$(stat -c %s "$KYMO_DIR/alpha")
head -c "$size" /dev/zero >"$KYMO_DIR/zeros"
cp "$KYMO_DIR/alpha" "$KYMO_DIR/longer" && echo >>"$KYMO_DIR/longer"
skipped='dangling fifo folder link longer metrics.prom noise nothing outside text truncated zeros'
run kymo ls -l
ok "ls -l succeeds beside files that are not segments"
for name in $skipped; do
    like "$name is skipped with a reason" "skipped $name: ?*" "$(grep "^skipped $name:" <<<"$out")"
done
is "control characters of a name are replaced" 1 "$(grep -c '^skipped line?end?\[31m: ' <<<"$out")"
is "ls -l prints printable ASCII only" '' "$(LC_ALL=C tr -d '\n -~' <<<"$out")"
is "skipped files follow the table" skipped "$(tail -n 1 <<<"$out" | cut -d' ' -f1)"
is "hidden files are not listed" 0 "$(grep -c hidden <<<"$out")"
is "ls prints segments only" 'alpha empty live zeta' "$(kymo ls | xargs)"
for name in $skipped; do
    [ $name = metrics.prom ] && continue
    for command in info get watch rm; do
        run kymo $command $name
        is "kymo $command $name fails" 1 "$status"
        like "kymo $command $name reports the reason" "kymo: $name: ?*" "$err"
    done
done
is "the target of a link is not removed" yes "$([ -s /etc/passwd ] && echo yes)"
is "kymo reap removes no other files" '' "$(kymo reap)"
for name in $skipped; do
    is "$name is not removed" yes "$([ -e "$KYMO_DIR/$name" ] || [ -L "$KYMO_DIR/$name" ] && echo yes)"
done

# The same properties as JSON.
run kymo ls --json
ok "ls --json succeeds" "ls --json succeeds"
is "ls --json prints one array" array "$(jq -r type <<<"$out")"
is "ls --json lists the segments" 'alpha empty live zeta' "$(jq -r '.[] | select(.skipped == null).name' <<<"$out" | xargs)"
is "ls --json lists the skipped files" "$skipped" \
    "$(jq -r '.[] | select(.skipped).name' <<<"$out" | grep -v '^line\|^end\|^xxx' | xargs)"
is "ls --json escapes control characters of a name" 1 "$(jq '[.[] | select(.name == "line\nend\u001b[31m")] | length' <<<"$out")"
is "ls --json prints the properties of a segment" \
    '["zeta","ring",8,8,"user",20,null,null,"CLOSED","0600"]' \
    "$(jq -c '.[] | select(.name == "zeta") | [.name,.kind,.depth,.size,.clock,.records,.age,.rate,.writer,.mode]' <<<"$out")"
is "ls --json prints the age as a number" number "$(jq -r '.[] | select(.name == "alpha").age | type' <<<"$out")"
is "ls --json prints the rate as a number" number "$(jq -r '.[] | select(.name == "alpha").rate | type' <<<"$out")"
is "ls --json prints uid and gid" "$(stat -c '%u %g' "$KYMO_DIR/zeta")" \
    "$(jq -r '.[] | select(.name == "zeta") | "\(.uid) \(.gid)"' <<<"$out")"

# The head is larger than the positions in the slots.
cp "$KYMO_DIR/alpha" "$KYMO_DIR/counts"
control=$(od -An -t u8 -j 88 -N 8 "$KYMO_DIR/alpha")
printf '\x70' | dd of="$KYMO_DIR/counts" bs=1 seek=$((control + 1)) conv=notrunc status=none
for command in get "get --back 5" "get --closest 5" "watch --from oldest"; do
    # shellcheck disable=SC2086
    run timeout 20 kymo $command counts
    is "kymo $command fails if the head exceeds the slots" 1 "$status"
    like "kymo $command reports a head that exceeds the slots" "kymo: counts: ?*" "$err"
done
rm "$KYMO_DIR/counts"

# 100 files of random bytes, and 100 segments with one changed byte.
for i in {1..100}; do
    head -c $((RANDOM % 9000)) /dev/urandom >"$KYMO_DIR/random$i"
    cp "$KYMO_DIR/alpha" "$KYMO_DIR/flipped$i"
    printf "\\x$(printf %02x $((RANDOM % 256)))" |
        dd of="$KYMO_DIR/flipped$i" bs=1 seek=$((RANDOM % (i % 2 ? 512 : size))) conv=notrunc status=none
done
run kymo ls -l
is "ls -l succeeds beside corrupt segments" 0 "$status"
is "valid segments are listed beside corrupt ones" 4 "$(grep -cE '^(alpha|empty|live|zeta) ' <<<"$out")"
is "files of random bytes are skipped" 100 "$(grep -c '^skipped random' <<<"$out")"
is "each corrupt segment is listed or skipped" 100 "$(grep -cE '^(skipped )?flipped' <<<"$out")"
for i in {1..100}; do
    for command in info "get --back 1" "get --closest 5" "watch --from oldest --timeout 1ms"; do
        # shellcheck disable=SC2086
        run timeout 20 kymo $command flipped$i
        [ "$status" -le 1 ] || fail "kymo $command flipped$i" "status $status" "$err"
    done
done
finish
