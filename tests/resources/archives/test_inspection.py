import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.archives.inspection import FileInspector


def inspected(data, piece=1000):
    return FileInspector(gzip=True).update_from(data[i : i + piece] for i in range(0, len(data), piece))


@given(
    members=st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    piece=st.integers(1, 500),
    padding=st.integers(0, 9),
)
def test_complete_gzip_of_any_members_in_any_pieces_is_accepted(members, piece, padding):
    data = b"".join(gzip.compress(member, mtime=0) for member in members) + b"\0" * padding
    inspector = inspected(data, piece)
    assert inspector.gzip_problem() is None
    assert inspector.size_bytes == len(data)
    assert inspector.sha256 == hashlib.sha256(data).hexdigest()


@given(members=st.lists(st.binary(min_size=1, max_size=500), min_size=1, max_size=3), data=st.data())
def test_gzip_cut_within_a_member_is_truncated(members, data):
    parts = [gzip.compress(member, mtime=0) for member in members]
    whole, last = b"".join(parts), len(parts[-1])
    cut = data.draw(st.integers(1, last - 1))
    assert inspected(whole[:-cut]).gzip_problem() is not None


def test_content_larger_than_the_buffer_is_followed_to_its_end():
    data = gzip.compress(b"A" * 20_000_000, mtime=0)
    assert inspected(data, len(data)).gzip_problem() is None
    assert inspected(data[:-1], len(data)).gzip_problem() is not None


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"plain text", gzip.compress(b"x" * 100, mtime=0)[:-8] + b"wrongcrc"])
def test_what_is_no_gzip_has_a_problem(data):
    assert inspected(data).gzip_problem() is not None


def test_a_file_that_need_not_be_gzip_has_no_gzip_problem():
    assert FileInspector(gzip=False).update_from([b"plain"]).gzip_problem() is None
