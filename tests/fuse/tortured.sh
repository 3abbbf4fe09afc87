# Segments that are truncated, replaced, removed, corrupted and filled with random bytes while they are
# read through the mount, ten thousand times: an answer each time, and nothing is left of it.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make good fields=n:u64,s:char[16] count=9 || exit 1
"$SEGMENT" make model fields=n:u64,x:f64[3],s:char[16] count=40 depth=32 || exit 1
mv "$KYMO_DIR/model" "$work/model"
run_writer flow fields=n:u64,s:char[40] period=100000

"$KYMOFS" "$mnt" -f 2>"$work/log" &
daemon=$!
background $daemon
succeeds "mounts" eventually test -e "$mnt/README"

cat >"$work/torture.py" <<'END'
import errno, json, multiprocessing, os, random, signal, sys

mount, segments, model_path, rounds = sys.argv[1], os.environ["KYMO_DIR"], sys.argv[2], int(sys.argv[3])
model = open(model_path, "rb").read()
victims = ["victim0", "victim1"]
chance = random.Random(5)
allowed = {errno.ENOENT, errno.ENODATA, errno.EBADMSG, errno.EAGAIN, errno.EDOM, errno.EPROTONOSUPPORT,
           errno.ESTALE, errno.ERANGE, errno.EFBIG}
names = ["latest", "latest.raw", "history/3", "history/9.raw", "info", "schema", "field/n", "field/x.1",
         "closest?t=now", "closest/-1s", "interp?t=-1ms", "history.csv", "history.ndjson", "plot.svg",
         "range?from=-1h&to=now"]
done = multiprocessing.Event()
faults = []


def put(victim):
    """A new generation, complete from the first instant."""
    fresh = os.path.join(segments, ".fresh-" + victim)
    with open(fresh, "wb") as file:
        file.write(model)
    os.rename(fresh, os.path.join(segments, victim))


def cut(path):
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


def grow(path):
    os.truncate(path, len(model) + chance.randrange(1, 100000))


deeds = [cut, cut, corrupt, corrupt_records, corrupt_records, fill, os.unlink, grow]


def read_on(which, answers):
    faults = []
    pick = random.Random(which)
    count = 0
    while not done.is_set():
        segment = pick.choice(victims + ["good", "flow"])
        name = pick.choice(names)
        try:
            with open(f"{mount}/{segment}/{name}", "rb") as file:
                data = file.read()
        except OSError as error:
            if error.errno not in allowed or (segment == "good" and name in ("latest", "info")):
                faults.append(f"{segment}/{name}: {error}")
            continue
        count += 1
        if segment in ("good", "flow") and name in ("latest", "history/3"):
            record = json.loads(data)
            if record["pos"] != record["data"]["n"]:
                faults.append(f"{segment}/{name}: {data}")
    answers.put((count, faults))


signal.alarm(250)  # whatever hangs
answers = multiprocessing.Queue()
readers = [multiprocessing.Process(target=read_on, args=(i, answers)) for i in range(2)]
for reader in readers:
    reader.start()
for number in range(rounds):
    victim = chance.choice(victims)
    path = os.path.join(segments, victim)
    try:
        put(victim)
        if number % 4 == 0:  # certainly mapped
            os.stat(f"{mount}/{victim}/latest")
            open(f"{mount}/{victim}/latest").close()
        chance.choice(deeds)(path)
    except OSError as error:
        if error.errno not in allowed:
            faults.append(f"{victim}: {error}")
done.set()
counts = []
for reader in readers:
    count, found = answers.get()
    counts.append(count)
    faults += found
for reader in readers:
    reader.join()
for victim in victims:
    if os.path.exists(os.path.join(segments, victim)):
        os.unlink(os.path.join(segments, victim))
print(f"count: tortured segments: {rounds} deeds under {sum(counts)} reads through the mount, {len(faults)} wrong")
print("\n".join(faults[:5]))
sys.exit(bool(faults) or min(counts) < 100)
END

descriptors()
{
    ls "/proc/$daemon/fd" | wc -l
}

rounds=10000
[ -z "${KYMO_SMALL-}" ] || rounds=1000
before=$(descriptors)
succeeds "the torture" python3 "$work/torture.py" "$mnt" "$work/model" $rounds
cat "$work/succeeds"
check "good, still" "8" "$(cat "$mnt/good/field/n")"
check "what is there" "README flow good" "$(echo $(ls "$mnt" | grep -v metrics.prom))"
settled()
{
    [ "$(descriptors)" -le $((before + 2)) ]
}
succeeds "no descriptor is left of it" eventually settled
gone()
{
    ! grep -qs '/victim' "/proc/$daemon/maps"
}
succeeds "no mapping is left of it" eventually gone

# Names that are asked for once each, with contents that are large: the daemon does not keep them.
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
succeeds "4000 questions of 200 kB cost $(((after - before) / 1024)) MB" test $((after - before)) -lt 250000

succeeds "the daemon lives" kill -0 $daemon
fusermount3 -u "$mnt"
wait $daemon
check "and ends well" "0" "$?"

finish
