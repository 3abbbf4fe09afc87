# The matrix of readers: every way to read, on every size of file, gives the same bytes while the
# writer pauses, and whole records while it runs.
. "$(dirname "$0")/mounted.sh"

ways_to_read="cat head tail tail-c cp cp-sparse dd-7 dd-512 dd-4095 dd-4097 dd-100000 python
    sendfile fstat-sendfile splice pread lseek poll"

# Writes the file to stdout in that way.
read_by()
{
    case $1 in
    cat) cat "$mnt/$2" ;;
    head) head -c 100000000 "$mnt/$2" ;;
    tail) tail -n 1 "$mnt/$2" ;;
    tail-c) tail -c 100000000 "$mnt/$2" ;;
    cp) cp "$mnt/$2" "$work/copy" && cat "$work/copy" ;;
    cp-sparse) cp --sparse=always "$mnt/$2" "$work/copy" && cat "$work/copy" ;;
    dd-*) dd if="$mnt/$2" bs="${1#dd-}" 2>/dev/null ;;
    python) python3 -c 'import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read())' "$mnt/$2" ;;
    grep) grep -rh '' "$mnt/$2" ;;
    jq) jq -c . "$mnt/$2" ;;
    *) "$READERS" "$1" "$mnt/$2" ;;
    esac
}

"$SEGMENT" make small 'fields=n:u64,s:char[32],x:f64' count=500 || exit 1
"$SEGMENT" make large 'fields=n:u64,s:char[100],x:f64[700]' count=500 depth=8 || exit 1
"$SEGMENT" make page size=4096 count=3 || exit 1
"$SEGMENT" make pages size=4097 count=3 || exit 1
"$SEGMENT" make huge size=300001 count=300 depth=4 || exit 1
mount_view

# ---- the writer pauses ----
head -c 300001 /dev/zero | tr '\0' '\053' >"$work/huge" # 299 modulo 256
succeeds "raw, what was published" cmp "$work/huge" "$mnt/huge/latest.raw"

for file in README small/latest small/latest.raw small/field/x small/schema 'small/closest?t=now' \
    page/latest page/latest.raw pages/latest.raw large/latest large/history/2.raw huge/latest \
    huge/latest.raw; do
    cat "$mnt/$file" >"$work/expected"
    size=$(wc -c <"$work/expected")
    check "size of $file" "$size" "$(wc -c "$mnt/$file" | cut -d' ' -f1)"
    check "lines of $file" "$(wc -l <"$work/expected")" "$(wc -l "$mnt/$file" | cut -d' ' -f1)"
    for way in $ways_to_read; do
        [ $way = dd-7 ] && [ "$size" -gt 10000 ] && continue
        # tail shows the last line only, and does not know lines in bytes.
        if [ $way = tail ]; then
            case $file in README | *raw) continue ;; esac
        fi
        read_by $way "$file" >"$work/got"
        succeeds "$file by $way" cmp "$work/expected" "$work/got"
    done
    case $file in
    *raw) continue ;;
    esac
    for way in grep bytes mmap; do
        [ $way = bytes ] && [ "$size" -gt 10000 ] && continue
        read_by $way "$file" >"$work/got"
        succeeds "$file by $way" cmp "$work/expected" "$work/got"
    done
    check "the first 5 bytes of $file" "$(head -c 5 "$work/expected")" "$(head -c 5 "$mnt/$file")"
    check "the last 5 bytes of $file" "$(tail -c 5 "$work/expected")" "$(tail -c 5 "$mnt/$file")"
    check "from byte 3 of $file" "$(tail -c +4 "$work/expected" | cksum)" \
        "$(tail -c +4 "$mnt/$file" | cksum)"
done

# Sizes that are true, where the content may be longer than a page.
for file in large/latest huge/latest huge/latest.raw README small/schema; do
    check "stat of $file" "$(wc -c <"$mnt/$file")" "$(stat -c %s "$mnt/$file")"
done

# A file that was once read through the page cache shows longer content all the same.
for way in sendfile splice mmap; do
    for count in 1 1 1 1 1 1 1 1; do
        "$SEGMENT" make small 'fields=n:u64,s:char[32],x:f64' count=$count
        check "by $way, after growing" "$(cat "$mnt/small/history/0")" \
            "$(read_by $way small/history/0)"
    done
done

# ---- the writer runs ----
run_writer fast 'fields=n:u64,s:char[40],x:f64' depth=64 period=20000
run_writer wide 'fields=n:u64,s:char[100],x:f64[700]' depth=64 period=20000
run_writer raw size=200000 depth=8 period=200000

# Every line is one record, whole.
cat >"$work/whole.py" <<'END'
import json, sys
lines = 0
for line in open(sys.argv[1]):
    record = json.loads(line)
    pos, data = record["pos"], record["data"]
    text = data["s"]
    length = 41 if isinstance(data["x"], (int, float)) else 101
    values = data["x"] if isinstance(data["x"], list) else [data["x"]]
    assert line.endswith("}\n"), line
    assert data["n"] == pos and set(values) == {pos}, line[:200]
    assert text == chr(ord("a") + pos % 26) * (pos % length), line[:200]
    lines += 1
print(lines)
END

for file in fast/latest 'fast/closest?t=-1ms' wide/latest; do
    : >"$work/lines"
    rounds=0
    while [ $rounds -lt 6 ]; do
        rounds=$((rounds + 1))
        for way in cat head tail cp dd-512 dd-4097 grep jq sendfile fstat-sendfile splice pread; do
            read_by $way "$file" >>"$work/lines"
        done
    done
    check "$file under a running writer" "72" "$(python3 "$work/whole.py" "$work/lines" 2>&1)"
done

rounds=0
while [ $rounds -lt 6 ]; do
    rounds=$((rounds + 1))
    for way in cat cp dd-4097 sendfile fstat-sendfile splice; do
        read_by $way raw/latest.raw >"$work/got"
        check "raw by $way under a running writer" "200000 1" \
            "$(echo $(wc -c <"$work/got") $(od -An -v -tx1 -w1 "$work/got" | sort -u | wc -l))"
    done
done

finish
