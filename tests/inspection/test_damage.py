"""No file can crash, hang or fill the memory: damaged real files give a description or an error."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.inspection.content import content_of
from refinebio_assets.inspection.inspection import inspect_content, inspect_file, new_setting
from tests.inspection.fixtures import KINDS, content

SMALL = sorted(name for name in KINDS if len(content(name)) < 60_000)
SPLINTERS = [
    b"",
    b"\0",
    b"\t",
    b"\n",
    b"\r",
    b'"',
    b"<",
    b"]",
    b"}",
    b"\xff\xfe",
    b"\x1f\x8b",
    b"^SAMPLE = GSM1\n",
    b"-1",
    b"null",
]
SETTING = new_setting()


def mutated(data, original: bytes) -> bytes:
    text = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text)))
        how = data.draw(st.sampled_from(["truncate", "flip", "insert", "remove", "repeat"]))
        if how == "truncate":
            del text[position:]
        elif how == "flip" and position < len(text):
            text[position] ^= data.draw(st.integers(1, 255))
        elif how == "insert":
            text[position:position] = data.draw(st.sampled_from(SPLINTERS))
        elif how == "remove":
            del text[position : position + data.draw(st.integers(1, 400))]
        else:
            text[position:position] = text[position : position + data.draw(st.integers(1, 400))]
    return bytes(text)


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_damaged_files_have_an_answer(name, data):
    damaged = mutated(data, content(name))
    if data.draw(st.booleans()):
        damaged = mutated(data, gzip.compress(damaged, 1)) if damaged else damaged
    if not damaged:
        return
    try:
        looked_at = content_of(damaged, "damaged")
    except InputError:  # compressed data that are damaged from the first byte on
        return
    told = inspect_content(looked_at, SETTING).to_dict()
    json.dumps(told)
    assert "error" not in told or told["error"]["message"]


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_have_an_answer(data):
    try:
        looked_at = content_of(data, "bytes")
    except InputError:
        return
    assert inspect_content(looked_at, SETTING).to_dict()["kind"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["accession", "run_accession", "study_accession", "section", "accno", "hits", "totalHits", "result", "uids",
             "species", "name", "division", "assembly", "characteristics", "source", "samples", "read_run", "sdrf",
             "attributes", "sample_accession", "path", "size", "graphs", "_embedded", "terms", "experiment", "sample",
             "api-version", "interactions", "request", "response", "entrytype", "esearchresult", "ftpLink", "UO:1"]
        ),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(JSON)
def test_documents_with_the_right_keys_and_wrong_values_have_an_answer(value):
    looked_at = content_of(json.dumps(value).encode(), "document.json")
    assert inspect_content(looked_at, SETTING).to_dict()["kind"]


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "bomb.json.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"[")
        for _ in range(200):
            file.write(b"0," * 500_000)
    tracemalloc.start()
    told = inspect_file(path).to_dict()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 64 MiB" in told["error"]["message"]
    assert peak < 100_000_000


def test_a_large_family_file_is_read_in_little_memory(tmp_path):
    path = tmp_path / "GSE1_family.soft.gz"
    table = b"!sample_table_begin\nID_REF\tVALUE\n" + b"1007_s_at\t7.5\n" * 20_000 + b"!sample_table_end\n"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"^SERIES = GSE1\n!Series_title = t\n")
        for number in range(100):
            file.write(b"^SAMPLE = GSM%d\n!Sample_title = s\n!Sample_series_id = GSE1\n" % number + table)
    inspect_file(path)  # tables of the program itself are loaded once
    tracemalloc.start()
    told = inspect_file(path).to_dict()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(told["samples"]) == 100
    assert peak < 5_000_000
