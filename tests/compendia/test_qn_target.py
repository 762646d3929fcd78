"""A QN target from parts: exact, whichever way it grew, and without reading what was summed before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.compendia.expression_store import ExpressionStore, Part, make_parts
from refinebio_assets.compendia.qn_target import BuiltTarget, TargetSums, build_target
from refinebio_assets.compendia.quantile_normalization import quantile_target
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import Technology

GENES = tuple(f"G{number:03d}" for number in range(40))


@dataclass
class Store:
    """Experiments of arrays (or RNA-seq) in memory, and which of their parts were opened."""

    opened: list[str] = field(default_factory=list)
    parts: dict[str, list[Part]] = field(default_factory=dict)

    def put(
        self, experiment: str, values: Any, samples: Sequence[str], genes: Sequence[str] = GENES, scale: str = "log2"
    ) -> None:
        made = make_parts(
            np.asarray(values, np.float32),
            experiment=experiment,
            organism="DANIO_RERIO",
            technology=Technology.MICROARRAY if scale == "log2" else Technology.RNA_SEQ,
            scale=scale,
            genes=genes,
            samples=samples,
            platforms=["GPL1319"] * len(samples),
        )
        self.parts[experiment] = [Part(info, self._opener(experiment, content)) for info, content in made]

    def _opener(self, experiment: str, content: bytes) -> Any:
        def opened() -> BytesIO:
            self.opened.append(experiment)
            return BytesIO(content)

        return opened

    def build(self, earlier: TargetSums | None = None, genes: Sequence[str] = GENES) -> BuiltTarget:
        self.opened.clear()
        return build_target(
            ExpressionStore.of([one for some in self.parts.values() for one in some]), genes, earlier=earlier
        )


def numbers(samples: int, seed: int = 0, genes: int = len(GENES)) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(8, 3, (samples, genes)).astype(np.float32)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def same(one: BuiltTarget, other: BuiltTarget) -> bool:
    return one.target().tobytes() == other.target().tobytes() and one.sums.dumps() == other.sums.dumps()


def test_it_is_the_mean_of_the_sorted_samples() -> None:
    store = Store()
    store.put("GSE1", numbers(3), names("A", 3))
    store.put("GSE2", numbers(2, 1), names("B", 2))
    built = store.build()
    expected = quantile_target([np.concatenate([numbers(3), numbers(2, 1)])])
    np.testing.assert_array_equal(built.target(), expected)
    assert (built.samples, built.reused, built.parts_read, built.missing) == (5, 0, 2, {})


def test_a_sample_that_lacks_a_value_is_left_out_and_said_so() -> None:
    values = numbers(3)
    values[1, 5] = np.nan
    values[1, 7] = np.inf
    store = Store()
    store.put("GSE1", values, names("A", 3))
    built = store.build()
    np.testing.assert_array_equal(built.target(), quantile_target([values[[0, 2]]]))
    assert (built.samples, built.missing) == (2, {"A1": 2})


def test_rna_seq_is_taken_as_log2_of_x_plus_1_over_the_genes_asked_for() -> None:
    values = np.abs(numbers(2, genes=3))
    store = Store()
    store.put("SRP1", values, names("A", 2), ["G1", "G2", "G3"], "linear")
    built = store.build(genes=("G1", "G3"))
    np.testing.assert_array_equal(built.target(), quantile_target([np.log2(values[:, [0, 2]] + np.float32(1))]))


def test_samples_that_come_in_addition_are_added_without_reading_the_others() -> None:
    store = Store()
    store.put("GSE1", numbers(70), names("A", 70))
    before = store.build()
    store.put("GSE2", numbers(9, 1), names("B", 9))
    grown = store.build(before.sums)
    assert store.opened == ["GSE2"]
    assert (grown.samples, grown.reused, grown.parts_read) == (79, 70, 1)
    assert same(grown, store.build())


def test_an_experiment_that_grew_keeps_its_earlier_samples() -> None:
    store = Store()
    store.put("GSE1", numbers(5), names("A", 5))
    store.put("GSE2", numbers(4, 1), names("B", 4))
    before = store.build()
    store.put("GSE2", numbers(6, 1), names("B", 6))  # the same first rows, two more
    grown = store.build(before.sums)
    assert store.opened == ["GSE2"]
    assert (grown.samples, grown.reused) == (11, 9)
    assert same(grown, store.build())


@pytest.mark.parametrize("change", ["value", "sample withdrawn", "genes"])
def test_what_changed_is_summed_anew(change: str) -> None:
    store = Store()
    store.put("GSE1", numbers(5), names("A", 5))
    store.put("GSE2", numbers(4, 1), names("B", 4))
    before = store.build()
    genes = GENES
    if change == "value":
        values = numbers(4, 1)
        values[2, 3] += 1
        store.put("GSE2", values, names("B", 4))
    elif change == "sample withdrawn":
        store.put("GSE2", numbers(3, 1), names("B", 3))
    else:
        genes = GENES[1:]
    built = store.build(before.sums, genes)
    assert (built.reused, built.parts_read) == (0, 2)
    assert same(built, store.build(genes=genes))


def test_a_sample_whose_values_were_completed_comes_in() -> None:
    values = numbers(4)
    broken = values.copy()
    broken[3, 0] = np.nan
    store = Store()
    store.put("GSE1", broken, names("A", 4))
    before = store.build()
    store.put("GSE1", values, names("A", 4))
    grown = store.build(before.sums)
    assert (grown.samples, grown.reused, grown.missing) == (4, 3, {})
    assert same(grown, store.build())


def test_an_incomplete_sample_that_is_gone_costs_nothing() -> None:
    values = numbers(2)
    values[:, 0] = np.nan
    store = Store()
    store.put("GSE1", numbers(5), names("A", 5))
    store.put("GSE2", values, names("B", 2))
    before = store.build()
    del store.parts["GSE2"]
    built = store.build(before.sums)
    assert (store.opened, built.reused, built.missing) == ([], 5, {})
    assert same(built, store.build())


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.data())
def test_any_way_to_the_same_samples_gives_the_same_bytes(sizes: list[int], data: Any) -> None:
    experiments = {f"GSE{number}": numbers(size, number) for number, size in enumerate(sizes)}
    order = data.draw(st.permutations(sorted(experiments)))
    store, earlier = Store(), None
    for experiment in order:
        store.put(experiment, experiments[experiment], names(experiment, len(experiments[experiment])))
        if data.draw(st.booleans()):
            earlier = store.build(earlier).sums
    everything = store.build(earlier)
    assert same(everything, store.build())
    assert everything.reused == (earlier.state.samples if earlier is not None else 0)


def test_sums_come_back_as_they_were() -> None:
    store = Store()
    store.put("GSE1", numbers(3), names("A", 3))
    sums = store.build().sums
    back = TargetSums.loads(sums.dumps(), path="sums.npz")
    assert (back.genes, back.samples, back.state.samples) == (sums.genes, sums.samples, 3)
    assert back.dumps() == sums.dumps()


@pytest.mark.parametrize("damage", ["nothing", "text", "cut", "another format"])
def test_damaged_sums_are_refused(damage: str) -> None:
    store = Store()
    store.put("GSE1", numbers(3), names("A", 3))
    content = store.build().sums.dumps()
    other = content.replace(b"refinebio-qn", b"rEfinebio-qn")
    broken = {"nothing": b"", "text": b"hello", "cut": content[:-30], "another format": other}[damage]
    with pytest.raises(MalformedFileError, match="cannot be read") as refused:
        TargetSums.loads(broken, path="sums.npz")
    assert "sums.npz" in str(refused.value)
