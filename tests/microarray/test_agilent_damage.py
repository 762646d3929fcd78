"""Readers of scanned arrays never fail with anything but their own errors, whatever is done to a file."""

import gzip
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.agilent import process_agilent_file, read_scanned_array
from refinebio_assets.microarray.agilent_recipe import AgilentRecipe
from tests.microarray.agilent_files import DATA, GENEPIX, extraction_text, spots
from tests.microarray.mutations import mutated

_GPR = gzip.decompress(GENEPIX[0].read_bytes()).split(b"\r\n")
SEEDS = {
    "two colours": extraction_text(spots(12), statistics={"TotalNumFeatures": "12"}),
    "one colour": extraction_text(spots(12, two_colours=False), line_end="\r\n"),
    "genepix": b"\r\n".join([*_GPR[:18], b""]),
    "feature extraction": b"\n".join(gzip.decompress((DATA / "GSM361301_head.txt.gz").read_bytes()).split(b"\n")[:14]),
    "packed": gzip.compress(extraction_text(spots(12)), mtime=0),
}


@pytest.mark.parametrize("name", SEEDS)
def test_undamaged_files_are_read(name):
    assert read_scanned_array(SEEDS[name]).spots in {4, 8, 12}


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(name, source):
    with suppress(InputError):
        process_agilent_file(mutated(SEEDS[name], random.Random(source)), AgilentRecipe(allow_partial=True))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(SEEDS)), st.binary(max_size=200), st.integers(0, 2000))
def test_any_bytes_behind_any_beginning_are_read_or_refused(name, tail, length):
    with suppress(InputError):
        read_scanned_array(SEEDS[name][:length] + tail)


def test_a_bomb_is_refused():
    with pytest.raises(InputError, match="larger than"):
        read_scanned_array(gzip.compress(extraction_text(spots(2)) + b"\n" * (200 * 2**20), 9))
