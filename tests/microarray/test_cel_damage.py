"""Readers of array files never fail with anything but their own errors, whatever is done to a file.

``fuzz_readers.py`` beside this does the same to hundreds of thousands of inputs, with limits on time and memory.
"""

import random
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _delimited
from refinebio_assets.microarray.cdf import read_cdf
from refinebio_assets.microarray.cel import read_cel, read_cel_header
from refinebio_assets.microarray.chip_annotation import load_chip_annotation
from refinebio_assets.microarray.pgf import read_clf, read_mps, read_pgf
from refinebio_assets.microarray.probe_tables import read_probe_table
from tests.microarray.mutations import mutated
from tests.microarray.seeds import seeds

SEEDS = seeds()
READERS = (read_cel, read_cel_header, read_cdf, read_probe_table, read_pgf, read_clf, read_mps, load_chip_annotation)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_undamaged_files_are_read(seed):
    seed.read(seed.data)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(range(len(SEEDS))), st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(number, source):
    seed = SEEDS[number]
    with suppress(InputError):
        seed.read(mutated(seed.data, random.Random(source)))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(READERS), st.sampled_from(SEEDS), st.binary(max_size=200), st.integers(0, 100))
def test_any_bytes_behind_any_beginning_are_read_or_refused(read, seed, tail, length):
    with suppress(InputError):
        read(seed.data[:length] + tail)


@pytest.mark.parametrize(
    "arguments",
    [
        (b"1\n", 0, 3, b"\t", b"i", (np.empty(1, np.int32),), 1, None),
        (b"1\n", -1, 2, b"\t", b"i", (np.empty(1, np.int32),), 1, None),
        (b"1\n", 0, 2, b"\t", b"i", (np.empty(1, np.int32),), 2, None),
        (b"1\n", 0, 2, b"\t", b"i", (np.empty(1, np.int16),), 1, None),
        (b"1\n", 0, 2, b"\t", b"i", (), 1, None),
        (b"1\n", 0, 2, b"\t", b"-", (np.empty(1, np.int32),), 1, None),
        (b"1\n", 0, 2, b"\t", b"s", (np.empty(1, np.int32),), 1, None),
        (b"1\n", 0, 2, b"\t", b"i" * 257, (), 1, None),
        (b"1\n", 0, 2, b"\t", b"i", (np.empty(1, np.int32),), 1, np.array([3])),
        (b"1\n", 0, 2, b"\t", b"i", (np.empty(1, np.int32),), 1, np.empty(0, np.int64)),
    ],
)
def test_the_parser_refuses_arrays_and_bounds_that_do_not_fit(arguments):
    with pytest.raises(ValueError, match=r"bounds|room|arrays|outside|starts"):
        _delimited.parse_rows(*arguments)


def test_the_parser_refuses_places_outside_of_the_data():
    codes, matrix = np.empty(1, np.int32), np.empty((1, 4), np.uint8)
    for span in ([[0, 9]], [[-1, 1]], [[2, 1]]):
        spans = np.array(span, dtype=np.int32)
        with pytest.raises(ValueError, match="outside"):
            _delimited.encode(b"abc", spans, codes)
        with pytest.raises(ValueError, match="outside"):
            _delimited.fixed_width(b"abc", spans, matrix, 4)
    spans = np.array([[0, 1], [1, 2]], dtype=np.int32)
    with pytest.raises(ValueError, match="room"):
        _delimited.encode(b"abc", spans, codes)
    with pytest.raises(ValueError, match="room"):
        _delimited.fixed_width(b"abc", spans, matrix, 4)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20))
def test_the_parser_reads_numbers_as_python_does(numbers):
    text = "".join(f"{number!r}\n" for number in numbers).encode()
    values = np.empty(len(numbers), np.float32)
    assert _delimited.parse_rows(text, 0, len(text), b"", b"f", (values,), len(numbers), None) == (
        len(numbers), len(text),
    )  # fmt: skip
    assert values.tolist() == [float(np.float32(number)) for number in numbers]
