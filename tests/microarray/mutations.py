"""Damage as it happens to files, and as somebody would do on purpose: what readers of array files have to withstand."""

import random
import re
import struct

EXTREMES = (0, 1, -1, 255, 32767, -32768, 65535, 2**24, 2**26 + 1, 2**31 - 1, -(2**31), 2**30)
TEXTS = (
    b"", b"-1", b"0", b"2147483648", b"99999999999999999999", b"nan", b"inf", b"-inf", b"1e999", b"1.#QNAN", b"0x10",
    b"1,5", b"\t", b"\n", b"\r\n", b" ", b"[", b"=", b"\0", b"\xff\xfe", b"#", b'"', b"A" * 300,
)  # fmt: skip
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")


def truncated(data: bytes, source: random.Random) -> bytes:
    return data[: source.randrange(len(data))]


def flipped(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, source: random.Random) -> bytes:
    """A number becomes an extreme one, in either byte order; or four bytes become a float that is none."""
    changed = bytearray(data)
    value = source.choice(EXTREMES)
    raw = struct.pack(source.choice("<>") + "I", value & 0xFFFFFFFF)
    if source.random() < 0.2:
        raw = struct.pack(source.choice("<>") + "f", source.choice((float("nan"), float("inf"), -1e38)))
    place = source.randrange(max(len(changed) - 4, 1))
    changed[place : place + len(raw)] = raw
    return bytes(changed)


def spliced(data: bytes, source: random.Random) -> bytes:
    """A piece is missing, doubled or elsewhere."""
    first, second = sorted(source.randrange(len(data) + 1) for _ in range(2))
    piece = data[first : min(second, first + 4096)]
    rest = data[:first] + data[first + len(piece) :]
    place = source.randrange(len(rest) + 1)
    return source.choice((rest, rest[:place] + piece + rest[place:], data[:first] + piece * 3 + data[first:]))


def rewritten(data: bytes, source: random.Random) -> bytes:
    """A number in a text becomes something else."""
    numbers = [found.span() for found in _NUMBER.finditer(data)]
    if not numbers:
        return flipped(data, source)
    begin, end = source.choice(numbers[:40] if source.random() < 0.5 else numbers)
    return data[:begin] + source.choice((*TEXTS, str(source.choice(EXTREMES)).encode())) + data[end:]


def inserted(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data) + 1)
    return data[:place] + source.choice(TEXTS) * source.choice((1, 1, 1, 50)) + data[place:]


MUTATIONS = (truncated, flipped, overwritten, spliced, rewritten, inserted)


def mutated(data: bytes, source: random.Random) -> bytes:
    """One to three kinds of damage."""
    for _ in range(source.choice((1, 1, 2, 3))):
        if data:
            data = source.choice(MUTATIONS)(data, source)
    return data
