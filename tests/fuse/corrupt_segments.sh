# F: segments are truncated, replaced, removed, enlarged, corrupted and filled with random bytes 10000
# times while they are read through the mount. No read blocks; no descriptor or mapping leaks.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make good fields=n:u64,s:char[16] count=9 || exit 1
"$SEGMENT" make model fields=n:u64,x:f64[3],s:char[16] count=40 depth=32 || exit 1
mv "$KYMO_DIR/model" "$work/model"
run_writer flow fields=n:u64,s:char[40] period=100000

"$KYMOFS" "$mnt" -f 2>"$work/log" &
daemon=$!
background $daemon
succeeds "kymofs mounts" eventually test -e "$mnt/README"

cat >"$work/corruption.py" <<'END'
import errno, json, multiprocessing, os, random, signal, sys

mount, segments, model_path, rounds = sys.argv[1], os.environ["KYMO_DIR"], sys.argv[2], int(sys.argv[3])
model = open(model_path, "rb").read()
targets = ["target0", "target1"]
chance = random.Random(5)
allowed = {errno.ENOENT, errno.ENODATA, errno.EBADMSG, errno.EAGAIN, errno.EDOM, errno.EPROTONOSUPPORT,
           errno.ESTALE, errno.ERANGE, errno.EFBIG}
names = ["latest", "latest.raw", "history/3", "history/9.raw", "info", "schema", "field/n", "field/x.1",
         "closest?t=now", "closest/-1s", "interp?t=-1ms", "history.csv", "history.ndjson", "plot.svg",
         "range?from=-1h&to=now"]
done = multiprocessing.Event()
errors = []


def put(target):
    """Creates a new generation atomically."""
    fresh = os.path.join(segments, ".fresh-" + target)
    with open(fresh, "wb") as file:
        file.write(model)
    os.rename(fresh, os.path.join(segments, target))


def truncate(path):
    os.truncate(path, chance.randrange(len(model)))


def corrupt(path):
    with open(path, "r+b", buffering=0) as file:
        for _ in range(chance.choice((1, 4, 64))):
            file.seek(chance.randrange(len(model)))
            file.write(chance.randbytes(chance.choice((1, 8, 100))))


def corrupt_records(path):
    with open(path, "r+b", buffering=0) as file:
        file.seek(chance.randrange(4096, len(model)))
        file.write(chance.randbytes(64))


def fill(path):
    with open(path, "r+b", buffering=0) as file:
        file.write(chance.randbytes(len(model)))


def enlarge(path):
    os.truncate(path, len(model) + chance.randrange(1, 100000))


faults = [truncate, truncate, corrupt, corrupt_records, corrupt_records, fill, os.unlink, enlarge]


def read_until_done(which, results):
    errors = []
    pick = random.Random(which)
    count = 0
    while not done.is_set():
        segment = pick.choice(targets + ["good", "flow"])
        name = pick.choice(names)
        try:
            with open(f"{mount}/{segment}/{name}", "rb") as file:
                data = file.read()
        except OSError as error:
            if error.errno not in allowed or (segment == "good" and name in ("latest", "info")):
                errors.append(f"{segment}/{name}: {error}")
            continue
        count += 1
        if segment in ("good", "flow") and name in ("latest", "history/3"):
            record = json.loads(data)
            if record["pos"] != record["data"]["n"]:
                errors.append(f"{segment}/{name}: {data}")
    results.put((count, errors))


signal.alarm(250 + rounds // 100)  # the limit if a request hangs
results = multiprocessing.Queue()
readers = [multiprocessing.Process(target=read_until_done, args=(i, results)) for i in range(2)]
for reader in readers:
    reader.start()
for number in range(rounds):
    target = chance.choice(targets)
    path = os.path.join(segments, target)
    try:
        put(target)
        if number % 4 == 0:  # kymofs maps it before the fault
            os.stat(f"{mount}/{target}/latest")
            open(f"{mount}/{target}/latest").close()
        chance.choice(faults)(path)
    except OSError as error:
        if error.errno not in allowed:
            errors.append(f"{target}: {error}")
done.set()
counts = []
for reader in readers:
    count, found = results.get()
    counts.append(count)
    errors += found
for reader in readers:
    reader.join()
for target in targets:
    if os.path.exists(os.path.join(segments, target)):
        os.unlink(os.path.join(segments, target))
print(f"count: corrupt segments: {rounds} faults under {sum(counts)} reads through the mount, {len(errors)} wrong")
print("\n".join(errors[:5]))
sys.exit(bool(errors) or min(counts) < 100)
END

descriptors()
{
    ls "/proc/$daemon/fd" | wc -l
}

rounds=$(count 1000000)
[ -z "${KYMO_SMALL-}" ] || rounds=1000
before=$(descriptors)
succeeds "reads of corrupt segments succeed or fail with an expected error" python3 "$work/corruption.py" "$mnt" "$work/model" "$rounds"
cat "$work/succeeds"
check "a valid segment is readable after the faults" "8" "$(cat "$mnt/good/field/n")"
check "the mount lists the remaining segments" "README flow good" "$(echo $(ls "$mnt" | grep -v metrics.prom))"
descriptors_closed()
{
    [ "$(descriptors)" -le $((before + 2)) ]
}
succeeds "descriptors of removed segments are closed" eventually descriptors_closed
unmapped()
{
    ! grep -qs '/target' "/proc/$daemon/maps"
}
succeeds "mappings of removed segments are unmapped" eventually unmapped

# 4000 different query names with contents of 200 kB: the daemon does not cache them.
"$SEGMENT" make large size=100000 count=3 depth=4
resident()
{
    sed -n 's/^VmRSS: *\([0-9]*\) kB/\1/p' "/proc/$daemon/status"
}
before=$(resident)
python3 - "$mnt" <<'END'
import sys
for number in range(4000):
    with open(f"{sys.argv[1]}/large/closest?t={number}", "rb") as file:
        assert len(file.read()) > 200000
END
after=$(resident)
succeeds "4000 queries of 200 kB need $(((after - before) / 1024)) MB" test $((after - before)) -lt 250000

succeeds "the daemon still runs" kill -0 $daemon
fusermount3 -u "$mnt"
wait $daemon
check "the daemon's exit status is 0" "0" "$?"

finish
