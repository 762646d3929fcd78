"""Cursors and global ids come back as they were made; no other text is one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.connections import decode_cursor, encode_cursor
from graphql_api.nodes import global_id, read_global_id
from refinebio_assets.domain.errors import InputError

VALUES = st.one_of(
    st.text(), st.dates(), st.datetimes(timezones=st.just(UTC)), st.integers(min_value=0, max_value=2**63 - 1)
)


@given(value=VALUES, key=st.integers(min_value=0, max_value=2**63 - 1))
def test_a_cursor_holds_its_values(value: str | date | datetime | int, key: int) -> None:
    assert decode_cursor(encode_cursor("order", [value, key]), "order", [type(value), int]) == [value, key]


@given(text=st.text())
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(InputError):
        decode_cursor(text, "order", [str, int])


@given(label=st.text(), values=st.lists(st.one_of(st.none(), st.booleans(), st.floats(), st.text()), max_size=3))
def test_a_cursor_of_other_values_is_refused(label: str, values: list[object]) -> None:
    with pytest.raises(InputError):
        decode_cursor(encode_cursor(label, values), "order", [datetime, int])


@given(key=st.text(min_size=1))
def test_a_global_id_holds_type_and_key(key: str) -> None:
    assert read_global_id(global_id("Sample", key)) == ("Sample", key)
