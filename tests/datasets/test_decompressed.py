"""Streams are read as what they are; what is damaged or ends early is said to be."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refinebio_assets.datasets.decompressed import DamagedStreamError, decompressed

TEXT = b"".join(b"row %d\n" % number for number in range(20_000))
PACK = {"plain": bytes, "gzip": lambda data: gzip.compress(data, mtime=0), "bzip2": bz2.compress, "xz": lzma.compress}
COMPRESSED = sorted(set(PACK) - {"plain"})


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr("refinebio_assets.datasets.decompressed.PIECE_BYTES", 4096)


class Slow(io.BytesIO):
    """Gives three bytes at a time."""

    def read(self, size=-1):
        return super().read(min(size, 3) if size > 0 else 3)


@pytest.mark.parametrize("kind", PACK)
def test_content_is_read_whatever_it_is_packed_in(kind):
    assert b"".join(decompressed(io.BytesIO(PACK[kind](TEXT)))) == TEXT


@pytest.mark.parametrize("kind", COMPRESSED)
def test_several_members_are_one_content_and_zeros_behind_them_nothing(kind):
    packed = PACK[kind](b"one\n") + PACK[kind](b"two\n") + bytes(20)
    assert b"".join(decompressed(io.BytesIO(packed))) == b"one\ntwo\n"
    assert b"".join(decompressed(Slow(packed))) == b"one\ntwo\n"


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("left", [7, -1, -9])
def test_a_truncated_stream_is_damaged(kind, left):
    with pytest.raises(DamagedStreamError, match="early"):
        list(decompressed(io.BytesIO(PACK[kind](TEXT)[:left])))


@pytest.mark.parametrize("kind", COMPRESSED)
def test_changed_bytes_are_noticed(kind):
    packed = bytearray(PACK[kind](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(DamagedStreamError, match=r"damaged|early|follows"):
        list(decompressed(io.BytesIO(bytes(packed))))


def test_something_else_behind_the_compressed_data_is_damage():
    with pytest.raises(DamagedStreamError, match="follows"):
        list(decompressed(io.BytesIO(gzip.compress(b"x", mtime=0) + b"garbage")))


def test_an_outage_is_no_damage():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionError(f"gone after {size} bytes")

    with pytest.raises(ConnectionError):
        list(decompressed(Failing()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_content_or_damage(data):
    try:
        content = b"".join(decompressed(io.BytesIO(data)))
    except DamagedStreamError:
        return
    assert content == data or data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
