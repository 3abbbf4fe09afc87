"""Decodes images and compares each pixel with what segment.c publishes. Each line of stdin names one:

    FILE FORMAT WIDTH HEIGHT PADDING POS STEP

where POS is the record's position, or "any": then it is computed from the first row.
"""

import struct
import sys
import zlib


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert check == zlib.crc32(kind + body), kind
        yield kind, body
        at += 12 + length
    assert kind == b"IEND", "IEND is missing"


def decode(data):
    """Width, height, depth, bytes of a pixel, and all rows; the filters must be none or sub."""
    parts = list(chunks(data))
    assert parts[0][0] == b"IHDR"
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", parts[0][1])
    assert (compression, filtering, interlace) == (0, 0, 0)
    pixel = {0: 1, 2: 3, 6: 4}[colour] * depth // 8
    raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    assert len(raw) == height * (width * pixel + 1), len(raw)
    rows = []
    for y in range(height):
        row = bytearray(raw[y * (width * pixel + 1):(y + 1) * (width * pixel + 1)])
        kind, row = row[0], row[1:]
        assert kind in (0, 1), kind
        for i in range(pixel, len(row) if kind else 0):
            row[i] = (row[i] + row[i - pixel]) & 255
        rows.append(bytes(row))
    return width, height, depth, pixel, rows


def clamp(value):
    return max(0, min(255, value))


def rgb(y, u, v):
    light, u, v = 298 * (y - 16) + 128, u - 128, v - 128
    return [clamp(light + 409 * v >> 8), clamp(light - 100 * u - 208 * v >> 8), clamp(light + 516 * u >> 8)]


def compare(path, kind, width, height, padding, pos, step):
    width, height, padding, step = [int(each) for each in (width, height, padding, step)]
    with open(path, "rb") as file:
        got_width, got_height, depth, pixel, rows = decode(file.read())
    # 13 * 197 is 1 modulo 256.
    pos = rows[0][0] * 197 if pos == "any" else int(pos)
    bytes_of = {"gray8": 1, "gray16": 2, "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuyv": 2, "nv12": 1}[kind]
    stride = width * bytes_of + padding

    def byte(i):
        return (i * 7 + (i >> 6) * 31 + pos * 13) & 255

    def expected(x, y):
        at = stride * y + x * bytes_of
        if kind == "yuyv":
            pair = stride * y + x // 2 * 4
            return rgb(byte(at), byte(pair + 1), byte(pair + 3))
        if kind == "nv12":
            pair = stride * (height + y // 2) + x // 2 * 2
            return rgb(byte(at), byte(pair), byte(pair + 1))
        found = [byte(at + i) for i in range(bytes_of)]
        if kind == "gray16":
            return found[::-1]
        if kind.startswith("bgr"):
            return found[2::-1] + found[3:]
        return found

    assert (got_width, got_height) == ((width - 1) // step + 1, (height - 1) // step + 1)
    assert depth == (16 if kind == "gray16" else 8)
    for y, row in enumerate(rows):
        for x in range(got_width):
            got = list(row[x * pixel:(x + 1) * pixel])
            assert got == expected(x * step, y * step), (path, x, y, got, expected(x * step, y * step))
    return got_width * got_height


print(sum(compare(*line.split()) for line in sys.stdin))
