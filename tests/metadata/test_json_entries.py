from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.metadata import json_entries as module
from refinebio_assets.metadata.json_entries import is_array, json_entries

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    content=st.lists(JSON, max_size=6) | st.dictionaries(st.text(), JSON, max_size=6),
    chunk=st.integers(1, 40),
    indent=st.none() | st.integers(0, 3),
    escaped=st.booleans(),
)
def test_entries_are_those_of_the_whole_document_wherever_it_is_cut(
    tmp_path_factory, content, chunk, indent, escaped
) -> None:
    path = tmp_path_factory.mktemp("json") / "entries.json"
    path.write_bytes(json.dumps(content, indent=indent, ensure_ascii=escaped).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_CHARACTERS", chunk)
        found = list(json_entries(path))
    assert is_array(path) == isinstance(content, list)
    assert found == (list(enumerate(content)) if isinstance(content, list) else list(content.items()))


@pytest.mark.parametrize(
    ("text", "entries", "line", "message"),
    [
        ("", 0, 1, "ends in the middle"),
        ("12", 0, 1, "'\\[' or '{'"),
        ("[1, 2", 1, 1, "ends in the middle"),
        ('[1,\n2,\n{"a": tru}]', 2, 3, "no JSON"),
        ("[1\n2]", 0, 2, "should be ',' or ']'"),
        ('{"a": 1,\n2: 3}', 1, 2, "no text"),
        ('{"a" 1}', 0, 1, "should be ':'"),
        ("[1]\n[2]", 1, 2, "After the end"),
        ("[1,]", 1, 1, "no JSON"),
        ("[" * 100_000, 0, 1, "nested too deeply|no JSON"),
    ],
)
def test_damaged_json_is_an_error_with_its_line_after_the_entries_before(
    tmp_path: Path, text: str, entries: int, line: int, message: str
) -> None:
    path = tmp_path / "entries.json"
    path.write_text(text)
    found = []
    with pytest.raises(MalformedFileError, match=message) as caught:
        found.extend(iter(json_entries(path)))
    assert caught.value.line == line
    assert len(found) >= entries


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "entries.json"
    path.write_bytes(b'["\xff\xfe"]')
    with pytest.raises(MalformedFileError, match="UTF-8"):
        list(json_entries(path))
