"""Which samples make an organism's QN target, and why others do not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.compendia.qn_target_samples import (
    NO_PLATFORM,
    NO_RAW_DATA,
    NO_VALUES,
    NOT_AFFYMETRIX,
    TargetChoice,
    TargetSample,
    TooFewSamples,
    choose_samples,
)
from refinebio_assets.domain.vocabulary import Technology

GENES = {
    "usual": tuple(f"G{number:02d}" for number in range(20)),
    "nearly": tuple(f"G{number:02d}" for number in range(1, 22)),
    "strange": ("G00", "X1"),
}


def arrays(prefix: str, count: int, platform: str | None = "GPL570", **changes: Any) -> list[TargetSample]:
    values = {
        "technology": Technology.MICROARRAY, "platform": platform, "manufacturer": "AFFYMETRIX", "allowed": True,
        "gene_space": "usual",
    }  # fmt: skip
    return [TargetSample(accession=f"{prefix}{number}", **{**values, **changes}) for number in range(count)]


def rna_seq(prefix: str, count: int, **changes: Any) -> list[TargetSample]:
    return arrays(prefix, count, "HiSeq", technology=Technology.RNA_SEQ, manufacturer="ILLUMINA", **changes)


def choose(*samples: list[TargetSample], least: int = 3) -> TargetChoice | TooFewSamples:
    return choose_samples([one for some in samples for one in some], GENES, least=least)


def chosen(*samples: list[TargetSample], least: int = 3) -> TargetChoice:
    found = choose(*samples, least=least)
    assert isinstance(found, TargetChoice)
    return found


def test_the_most_common_affymetrix_platform_makes_the_target_and_everyone_else_has_a_reason() -> None:
    found = chosen(
        arrays("A", 4), arrays("B", 3, "GPL96"), arrays("C", 9, "GPL6884", manufacturer="Illumina Inc."),
        arrays("D", 9, None, manufacturer=None), arrays("E", 2, allowed=False), arrays("F", 1, gene_space=None),
        arrays("G", 2, gene_space="nearly"), arrays("H", 1, unfit="All its genes are equal."), rna_seq("R", 50),
    )  # fmt: skip
    assert (found.technology, found.platform, found.genes) == (Technology.MICROARRAY, "GPL570", GENES["usual"])
    assert (found.samples, found.eligible) == (("A0", "A1", "A2", "A3"), 8)
    assert (found.arrays, found.rna_seq) == (8, 50)
    reasons = {name[0]: reason for name, reason in found.left_out.items()}
    assert reasons == {
        "H": "All its genes are equal.",
        "B": "It was measured on GPL96, the target is of GPL570.",
        "C": NOT_AFFYMETRIX, "D": NO_PLATFORM, "E": NO_RAW_DATA, "F": NO_VALUES,
        "G": "Its 21 genes are not the 20 that most samples have (19 are the same).",
    }  # fmt: skip


def test_ties_between_platforms_and_between_gene_spaces_are_broken_by_name() -> None:
    found = chosen(arrays("B", 3, "GPL96"), arrays("A", 3, "GPL570"))
    assert found.platform == "GPL570"
    found = chosen(arrays("A", 3, gene_space="usual"), arrays("B", 3, gene_space="nearly"))
    assert found.samples == ("B0", "B1", "B2")


def test_an_organism_with_enough_rna_seq_but_too_few_arrays_has_a_target_of_the_genes_that_all_have() -> None:
    found = chosen(arrays("A", 2), rna_seq("R", 3), rna_seq("S", 2, gene_space="nearly"))
    assert (found.technology, found.platform) == (Technology.RNA_SEQ, None)
    assert found.genes == tuple(sorted(set(GENES["usual"]) & set(GENES["nearly"])))
    assert found.samples == ("R0", "R1", "R2", "S0", "S1")


def test_a_strange_matrix_does_not_shrink_the_genes_of_all() -> None:
    found = chosen(rna_seq("R", 3), rna_seq("S", 2, gene_space="strange"))
    assert (found.genes, found.samples) == (GENES["usual"], ("R0", "R1", "R2"))
    assert found.left_out["S0"] == "Its 2 genes are not the 20 that most samples have (1 are the same)."


def test_too_few_samples_are_told_in_numbers() -> None:
    found = choose(arrays("A", 2), rna_seq("R", 1))
    assert isinstance(found, TooFewSamples)
    assert found.sentence("DANIO_RERIO").startswith(
        "DANIO_RERIO has 2 Affymetrix arrays of its most common platform (GPL570) and 1 RNA-seq samples"
    )
    assert "QN target needs 3 of either" in found.sentence("DANIO_RERIO")
    nothing = choose()
    assert isinstance(nothing, TooFewSamples)
    assert nothing.sentence("A_B").startswith("A_B has no Affymetrix arrays and 0 RNA-seq samples")
    split = choose(arrays("A", 2), arrays("B", 2, gene_space="nearly"))
    assert isinstance(split, TooFewSamples)
    assert (
        "4 Affymetrix arrays of its most common platform (GPL570), of which 2 have values of the same genes"
        in split.sentence("A_B")
    )


samples = st.lists(
    st.builds(
        TargetSample,
        accession=st.integers(0, 99).map(lambda number: f"S{number}"),
        technology=st.sampled_from([Technology.MICROARRAY, Technology.RNA_SEQ]),
        platform=st.sampled_from(["GPL570", "GPL96", None]),
        manufacturer=st.sampled_from(["AFFYMETRIX", "Agilent", None]),
        allowed=st.booleans(),
        gene_space=st.sampled_from([*GENES, None]),
    ),
    unique_by=lambda one: one.accession,
    max_size=30,
)


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_nothing(found: list[TargetSample], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose(shuffled) == choose(found)


@given(samples)
def test_every_sample_of_the_technology_is_chosen_or_has_a_reason(found: list[TargetSample]) -> None:
    result = choose(found, least=1)
    if isinstance(result, TargetChoice):
        names = [one.accession for one in found if one.technology is result.technology]
        assert sorted([*result.samples, *result.left_out]) == sorted(names)
        assert result.genes
