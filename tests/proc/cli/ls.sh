# kymo ls in a directory of all sorts: segments are listed, everything else is skipped with a reason.
. "$(dirname "$0")/cli.sh"

is "an empty directory" '' "$(kymo ls)"
is "an empty table has its titles" 1 "$(kymo ls -l | wc -l)"
is "an empty array" '[]' "$(kymo ls --json)"

kymo pub zeta --fields x:f64 --clock user --depth 8 --mode 0600 < <(seq 20)
kymo pub alpha --fields x:u8 --depth 1024 < <(seq 3)
kymo pub empty --fields x:u8 </dev/null
feed live '[1]' kymo pub live --fields x:u8
eventually "the live one is there" kymo get live

is "names, sorted" 'alpha empty live zeta' "$(kymo ls | xargs)"
run kymo ls -l
ok
is "the titles" 'NAME KIND DEPTH SIZE CLOCK RECORDS AGE RATE WRITER MODE OWNER' \
    "$(head -n 1 <<<"$out" | xargs)"
is "all of them" 'NAME alpha empty live zeta' "$(awk '{print $1}' <<<"$out" | xargs)"
owner=$(stat -c %U:%G "$KYMO_DIR/zeta")
is "a row" "zeta ring 8 8 user 20 unknown unknown CLOSED 0600 $owner" "$(grep ^zeta <<<"$out" | xargs)"
like "the live one" 'live ring 64 1 monotonic 1 * ALIVE 0??? *' "$(grep ^live <<<"$out" | xargs)"
like "the empty one" 'empty * 0 none 0 CLOSED *' "$(grep ^empty <<<"$out" | xargs)"
# Columns are aligned: every title begins or ends where its cells do.
is "the writers stand below their title" 1 \
    "$(awk '{ i = match($0, /(WRITER|ALIVE|CLOSED) /); print i }' <<<"$out" | sort -u | wc -l)"
is "ages say what info says" "$(kymo info zeta | grep ^rate_hertz: | cut -d' ' -f2)" \
    "$(grep ^zeta <<<"$out" | awk '{print $8}')"

# Everything that is not a segment.
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
ok "a directory of all sorts"
for name in $skipped; do
    like "$name is skipped with a reason" "skipped $name: ?*" "$(grep "^skipped $name:" <<<"$out")"
done
is "a name can't break the line or paint the terminal" 1 "$(grep -c '^skipped line?end?\[31m: ' <<<"$out")"
is "no other bytes than text" '' "$(LC_ALL=C tr -d '\n -~' <<<"$out")"
is "skipped ones follow the table" skipped "$(tail -n 1 <<<"$out" | cut -d' ' -f1)"
is "hidden ones are not looked at" 0 "$(grep -c hidden <<<"$out")"
is "plain ls shows segments alone" 'alpha empty live zeta' "$(kymo ls | xargs)"
for name in $skipped; do
    [ $name = metrics.prom ] && continue
    for command in info get watch rm; do
        run kymo $command $name
        is "kymo $command $name" 1 "$status"
        like "says why" "kymo: $name: ?*" "$err"
    done
done
is "the file outside is as it was" yes "$([ -s /etc/passwd ] && echo yes)"
is "kymo reap leaves them alone" '' "$(kymo reap)"
for name in $skipped; do
    is "$name is still there" yes "$([ -e "$KYMO_DIR/$name" ] || [ -L "$KYMO_DIR/$name" ] && echo yes)"
done

# As JSON: the same facts, as numbers.
run kymo ls --json
ok
is "one array" array "$(jq -r type <<<"$out")"
is "segments" 'alpha empty live zeta' "$(jq -r '.[] | select(.skipped == null).name' <<<"$out" | xargs)"
is "skipped ones" "$skipped" \
    "$(jq -r '.[] | select(.skipped).name' <<<"$out" | grep -v '^line\|^end\|^xxx' | xargs)"
is "any name" 1 "$(jq '[.[] | select(.name == "line\nend\u001b[31m")] | length' <<<"$out")"
is "an object" \
    '["zeta","ring",8,8,"user",20,null,null,"CLOSED","0600"]' \
    "$(jq -c '.[] | select(.name == "zeta") | [.name,.kind,.depth,.size,.clock,.records,.age,.rate,.writer,.mode]' <<<"$out")"
is "an age is a number" number "$(jq -r '.[] | select(.name == "alpha").age | type' <<<"$out")"
is "a rate is a number" number "$(jq -r '.[] | select(.name == "alpha").rate | type' <<<"$out")"
is "who owns it" "$(stat -c '%u %g' "$KYMO_DIR/zeta")" \
    "$(jq -r '.[] | select(.name == "zeta") | "\(.uid) \(.gid)"' <<<"$out")"

# A head that counts records which the slots do not hold.
cp "$KYMO_DIR/alpha" "$KYMO_DIR/counts"
control=$(od -An -t u8 -j 88 -N 8 "$KYMO_DIR/alpha")
printf '\x70' | dd of="$KYMO_DIR/counts" bs=1 seek=$((control + 1)) conv=notrunc status=none
for command in get "get --back 5" "get --closest 5" "watch --from oldest"; do
    # shellcheck disable=SC2086
    run timeout 20 kymo $command counts
    is "kymo $command of a head that lies" 1 "$status"
    like "is refused" "kymo: counts: ?*" "$err"
done
rm "$KYMO_DIR/counts"

# Hundreds of files of random and of flipped bytes.
for i in {1..100}; do
    head -c $((RANDOM % 9000)) /dev/urandom >"$KYMO_DIR/random$i"
    cp "$KYMO_DIR/alpha" "$KYMO_DIR/flipped$i"
    printf "\\x$(printf %02x $((RANDOM % 256)))" |
        dd of="$KYMO_DIR/flipped$i" bs=1 seek=$((RANDOM % (i % 2 ? 512 : size))) conv=notrunc status=none
done
run kymo ls -l
is "it lists" 0 "$status"
is "the good ones are there" 4 "$(grep -cE '^(alpha|empty|live|zeta) ' <<<"$out")"
is "random ones are skipped" 100 "$(grep -c '^skipped random' <<<"$out")"
is "all flipped ones are one or the other" 100 "$(grep -cE '^(skipped )?flipped' <<<"$out")"
for i in {1..100}; do
    for command in info "get --back 1" "get --closest 5" "watch --from oldest --timeout 1ms"; do
        # shellcheck disable=SC2086
        run timeout 20 kymo $command flipped$i
        [ "$status" -le 1 ] || fail "kymo $command flipped$i" "status $status" "$err"
    done
done
finish
