"""Values of a sample on disk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.values_file import values_from_bytes, values_to_bytes

GENES = st.lists(st.text("ABCDEFGHIJ0123456789", min_size=1, max_size=12), unique=True, max_size=30)


@settings(deadline=None)  # the first call imports pyarrow
@given(GENES, st.randoms())
def test_values_come_back_sorted_by_gene_to_the_last_bit(genes: list[str], random) -> None:
    values = np.array([random.uniform(-20, 20) for _ in genes])
    order = list(range(len(genes)))
    random.shuffle(order)
    content = values_to_bytes(genes, values)
    assert content == values_to_bytes([genes[at] for at in order], values[order])
    names, found = values_from_bytes(content)
    assert list(names) == sorted(genes)
    assert found.dtype == np.float32
    expected = dict(zip(genes, values.astype(np.float32), strict=True))
    assert np.array_equal(found, np.array([expected[name] for name in names], dtype=np.float32))


@pytest.mark.parametrize("damage", [slice(0, 40), slice(4, None), slice(0, 0)])
def test_damaged_values_are_refused(damage: slice) -> None:
    content = values_to_bytes(["B", "A"], np.array([1.0, 2.0]))
    with pytest.raises(MalformedFileError, match="damaged"):
        values_from_bytes(content[damage])


def test_a_flipped_bit_is_noticed() -> None:
    content = bytearray(values_to_bytes([f"G{number}" for number in range(500)], np.linspace(0, 1, 500)))
    content[len(content) // 3] ^= 1
    with pytest.raises(MalformedFileError):
        values_from_bytes(bytes(content))
