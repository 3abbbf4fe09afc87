"""Records of random schemas and values: `kymo watch s | kymo pub t` copies the payloads byte for byte,
any NaN as any NaN; and so does a table of them.

    roundtrip.py KYMO [RECORDS]
"""

import csv
import io
import json
import math
import os
import random
import struct
import subprocess
import sys

BATCH = 400
FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "i64": "q",
           "f32": "f", "f64": "d", "bool": "?"}
NAMES = ["x", "time", "pos", "tag", "data", "missed", "accel", "n0", "a_b", "y"]
CHARACTERS = ["a", "Z", "0", " ", '"', "\\", ",", ";", "\n", "\t", "\x01", "\x7f", "ä", "€", "😀", "/"]


def random_number(kind):
    size = struct.calcsize("=" + FORMATS[kind])
    bits = random.getrandbits(8 * size).to_bytes(size, "little")
    if kind == "bool":
        return struct.pack("=?", random.getrandbits(1))
    if random.random() < 0.2:
        bits = random.choice([bytes(size), b"\xff" * size, bytes(size - 1) + b"\x80", b"\1" + bytes(size - 1)])
    if kind in ("f32", "f64"):
        if random.random() < 0.1:
            bits = struct.pack("=" + FORMATS[kind], random.choice([math.inf, -math.inf, -0.0]))
        elif random.random() < 0.3:
            bits = struct.pack("=" + FORMATS[kind], random.choice([random.randint(-999, 999) / 100, random.random()]))
        value = struct.unpack("=" + FORMATS[kind], bits)[0]
        if math.isnan(value):
            return struct.pack("=" + FORMATS[kind], math.nan)
    return bits


def random_text(room):
    text = b""
    while random.random() < 0.9:
        text += random.choice(CHARACTERS).encode()
        if len(text) > room:
            return b"".ljust(room, b"\0")
    return text.ljust(room, b"\0")


class Field:
    def __init__(self, name):
        self.name = name
        self.kind = random.choice(list(FORMATS) + ["char"])
        self.shape = [random.randint(1, 4) for _ in range(random.choice([0, 0, 1, 2]))]
        if self.kind == "char":
            self.shape.append(random.randint(1, 24))
        self.align = 1 if self.kind == "char" else struct.calcsize("=" + FORMATS[self.kind])

    def text(self):
        return f"{self.name}:{self.kind}" + "".join(f"[{extent}]" for extent in self.shape)

    def value(self):
        if self.kind == "char":
            return b"".join(random_text(self.shape[-1]) for _ in range(math.prod(self.shape[:-1])))
        return b"".join(random_number(self.kind) for _ in range(math.prod(self.shape)))


def payload_of(fields):
    data = b""
    for field in fields:
        data += bytes(-len(data) % field.align) + field.value()
    return data + bytes(-len(data) % max(field.align for field in fields))


def cells_of(value):
    """The cells of a value as JSON, whose numbers are texts."""
    if isinstance(value, list):
        return [cell for part in value for cell in cells_of(part)]
    if isinstance(value, bool):
        return [str(value).lower()]
    if value is None:
        return [random.choice(["", "nan", "NaN"])]
    return [value]


def table_of(fields, lines):
    """The lines of `kymo watch` as a table."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = ["pos", "time", "tag"]
    for field in fields:
        shape = field.shape[:-1] if field.kind == "char" else field.shape
        names += [f"{field.name}.{i}" for i in range(math.prod(shape))] if shape else [field.name]
    writer.writerow(names)
    for line in lines.splitlines():
        record = json.loads(line, parse_float=str, parse_int=str)
        numbers = {"1e999": "inf", "-1e999": "-Infinity"}
        cells = [record["pos"], record["time"], record["tag"]]
        for field in fields:
            values = cells_of(record["data"][field.name])
            cells += values if field.kind == "char" else [numbers.get(cell, cell) for cell in values]
        writer.writerow(cells)
    return table.getvalue().encode()


def run(*command, data=b""):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def check_schema(kymo, count):
    fields = [Field(name) for name in random.sample(NAMES, random.randint(1, len(NAMES)))]
    text = ",".join(field.text() for field in fields)
    payloads = [payload_of(fields) for _ in range(count)]
    options = ["--replace", "--fields", text, "--clock", "user", "--depth", "512"]
    watch = ["--from", "oldest", "--count", str(count), "--timeout", "10s"]
    run(kymo, "pub", "s", *options, "--raw", data=b"".join(payloads))
    lines = run(kymo, "watch", "s", *watch)
    time = [] if any(field.name == "time" for field in fields) else ["--time", "time"]
    for form, data in ((), lines), (("--csv",), table_of(fields, lines)):
        run(kymo, "pub", "t", *options, *time, *form, data=data)
        copy = run(kymo, "watch", "t", *watch)
        for pos in random.sample(range(count), min(3, count)):
            if run(kymo, "get", "t", "--pos", str(pos), "--raw") != payloads[pos]:
                sys.exit(f"{text}: record {pos} differs: {payloads[pos].hex()}")
        for before, after in zip(lines.splitlines(), copy.splitlines(), strict=True):
            if before != after:
                sys.exit(f"{text}: {before} became {after}")


def main():
    kymo, records = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    seed = int(os.environ.get("KYMO_SEED", random.getrandbits(32)))
    print(f"KYMO_SEED={seed}")
    random.seed(seed)
    for done in range(0, records, BATCH):
        check_schema(kymo, min(BATCH, records - done))
    print(f"count: records copied by kymo watch | kymo pub: {records}, 0 differ")


if __name__ == "__main__":
    main()
