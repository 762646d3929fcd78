"""Probe tables put together: cells once and in order, probe sets or genes, what was left out is counted."""

from __future__ import annotations

import pytest

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation, gene_names
from tests.microarray.scan_arrays import gene_table, real_annotation, real_table

HEADER = "Probe Set Name\tProbe X\tProbe Y\tProbe Sequence\n"
SEQUENCES = ["ACGTACGTACGTACGTACGTACGTA", "CCGTACGTACGTACGTACGTACGTA", "GCGTACGTACGTACGTACGTACGTA"]


def table(*rows: str, header: str = HEADER) -> bytes:
    return (header + "".join("\t".join(row.split()) + "\n" for row in rows)).encode()


def members(annotation: ArrayAnnotation) -> dict[str, list[tuple[int, int]]]:
    bounds = zip(annotation.ids, annotation.starts[:-1].tolist(), annotation.starts[1:].tolist(), strict=True)
    cells = list(zip(annotation.x.tolist(), annotation.y.tolist(), strict=True))
    return {name: [cells[place] for place in annotation.members[low:high].tolist()] for name, low, high in bounds}


def test_probes_are_in_the_order_of_their_cells_and_sets_sorted_by_name():
    annotation = ArrayAnnotation.read(
        table(f"b_at 5 1 {SEQUENCES[0]}", f"a_at 0 2 {SEQUENCES[1]}", f"b_at 3 0 {SEQUENCES[2]}")
    )
    assert list(zip(annotation.x.tolist(), annotation.y.tolist(), strict=True)) == [(3, 0), (5, 1), (0, 2)]
    assert members(annotation) == {"a_at": [(0, 2)], "b_at": [(3, 0), (5, 1)]}
    assert annotation.gc_counts.tolist() == [13, 12, 13]
    assert annotation.least_size == (3, 6)
    assert not annotation.are_genes


def test_a_cell_of_two_probe_sets_is_modelled_once():
    annotation = ArrayAnnotation.read(
        table(f"a_at 1 1 {SEQUENCES[0]}", f"b_at 1 1 {SEQUENCES[0]}", f"a_at 1 1 {SEQUENCES[0]}")
    )
    assert len(annotation.design) == annotation.counts.probes == 1
    assert members(annotation) == {"a_at": [(1, 1)], "b_at": [(1, 1)]}
    assert annotation.counts.repeated_rows == 1


def test_a_cell_with_two_sequences_is_refused(tmp_path):
    path = tmp_path / "two_chips.tsv"
    path.write_bytes(table(f"a_at 1 1 {SEQUENCES[0]}", f"b_at 1 1 {SEQUENCES[1]}"))
    with pytest.raises(InputError, match=r"two_chips\.tsv: Cell x=1, y=1 has two sequences"):
        ArrayAnnotation.read(path)


def test_probes_that_are_no_25mers_are_left_out_and_counted():
    annotation = ArrayAnnotation.read(table(f"a_at 1 1 {SEQUENCES[0]}", "a_at 2 1 ACGT", f"b_at 3 1 {'A' * 30}"))
    assert members(annotation) == {"a_at": [(1, 1)]}
    assert (annotation.counts.not_25mers, annotation.counts.empty_sets) == (2, 1)


def test_a_summary_gives_genes_and_counts_what_it_does_not_use():
    probes = table(*(f"{k}_s_at {k} 1 {SEQUENCES[k]}" for k in range(3)), f"AFFX-x_at 9 9 {SEQUENCES[0]}")
    summary = table(
        "ENSG1_at 0 1", "ENSG1_at 1 1", "ENSG1_at 1 1", "ENSG2_at 2 1", "ENSG3_at 7 7", "AFFX-x_at 9 9",
        header="Probe.Set.Name\tx\ty\n",
    )  # fmt: skip
    annotation = ArrayAnnotation.read(probes, summary)
    assert members(annotation) == {"ENSG1": [(0, 1), (1, 1)], "ENSG2": [(2, 1)]}
    assert annotation.are_genes
    assert vars(annotation.counts) == {
        "probes": 4, "not_25mers": 0, "repeated_rows": 1, "unmatched_rows": 1, "control_sets": 1, "empty_sets": 1,
    }  # fmt: skip


def test_tables_of_two_chips_are_refused(tmp_path):
    summary = tmp_path / "genes.tsv"
    summary.write_bytes(table("a_at 7 7", "a_at 8 7", "a_at 1 1", header="Probe.Set.Name\tx\ty\n"))
    with pytest.raises(InputError, match=r"genes\.tsv: 2 of 3 probes of the summary table are not in the probe table"):
        ArrayAnnotation.read(table(f"a_at 1 1 {SEQUENCES[0]}"), summary)


def test_tables_without_sequences_are_refused():
    with pytest.raises(InputError, match="no sequences"):
        ArrayAnnotation.read(table("a_at 1 1", header="Probe.Set.Name\tx\ty\n"))
    with pytest.raises(InputError, match="no sequence of 25 letters"):
        ArrayAnnotation.read(table("a_at 1 1 ACGT"))
    with pytest.raises(MalformedFileError):
        ArrayAnnotation.read(b"<html>")


def test_the_real_chip_keeps_its_controls_unless_genes_are_asked_for():
    annotation, genes = real_annotation(), real_annotation(genes=True)
    assert (annotation.counts.probes, len(annotation.ids), annotation.counts.control_sets) == (199_084, 12_453, 67)
    assert len(genes.ids) == 6673
    assert len(genes.members) == len(gene_table()) == 128_880
    assert set(annotation.ids) == set(real_table().probe_sets)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("ENSG00000000003_at", "AFFX-BioB-3_at"), ("ENSG00000000003", "AFFX-BioB-3_at")),
        (("FBgn0000003_at", "YAL001C_at", "1000_at"), ("FBgn0000003", "YAL001C", "1000")),
        (("1000_at", "1001_s_at"), ("1000_at", "1001_s_at")),
        (("1000_at", "7892501"), ("1000_at", "7892501")),
    ],
)
def test_the_suffix_goes_only_where_every_name_has_it_and_nothing_else(names, expected):
    assert gene_names(names) == expected
