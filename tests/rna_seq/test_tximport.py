"""Gene expression from quant files: equal to R's tximport 1.26.1, also where a gene or a sample is empty."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.gene_matrix import tximport_matrix
from refinebio_assets.rna_seq.quant_sf import QuantSource, find_quant_files
from refinebio_assets.rna_seq.tximport import CountsFromAbundance, Quantity, tximport, tximport_decision
from tests.rna_seq.quant_files import GENE_OF, SAMPLES, ZEBRAFISH, quant_sf_text, write_quant_files

MAP = GeneMap.from_dict(GENE_OF)

# Computed with R 4.2.2, tximport 1.26.1 and readr from SAMPLES and GENE_OF.
R_ABUNDANCE = [[100, 0, 90, 0], [10.25, 0, 10, 5.5], [889.75, 999900, 0, 10], [0, 0, 0, 0]]
R_COUNTS = [[2.5, 0, 11, 0], [3, 0, 4.5, 2.25], [120.5, 300, 0, 1.5], [0, 0, 0, 0]]
R_LENGTH = [
    [31.25, 30.103986446980738, 29, 30.103986446980738],
    [50.5, 73.359316758754318, 129.9, 60.18181818181818],
    [951.5, 949, 946.82042827956172, 940],
    [350.5, 350.5, 350.5, 350.5],
]
R_LENGTH_SCALED_TPM = [
    [0.44837698381994628, 0, 12.0194072291367213, 0],
    [0.11977877030042496, 0, 3.4805927708632791, 0.16351150110330831],
    [125.43184424587964543, 300, 0, 3.58648849889669208],
    [0, 0, 0, 0],
]
R_SCALED_TPM = [
    [12.6, 0, 13.95, 0],
    [1.2915, 0, 1.55, 1.3306451612903225],
    [112.1085, 300, 0, 2.4193548387096775],
    [0, 0, 0, 0],
]


@pytest.fixture(scope="module")
def zebrafish_expression(zebrafish):
    return tximport(find_quant_files([zebrafish]), GeneMap.read(ZEBRAFISH / "genes_to_transcripts.tsv.xz"))


@pytest.fixture(scope="module")
def reference():
    with np.load(ZEBRAFISH / "tximport_reference.npz") as arrays:
        return dict(arrays)


def matrices_of(expression):
    return {
        "counts": expression.counts,
        "abundance": expression.abundance,
        "length": expression.length,
        "lengthScaledTPM": expression.length_scaled_tpm(),
        "scaledTPM": expression.scaled_tpm(),
    }


@pytest.mark.parametrize("name", ["counts", "abundance", "length", "lengthScaledTPM", "scaledTPM"])
def test_twenty_real_samples_equal_r_tximport(zebrafish_expression, reference, name):
    matrix = matrices_of(zebrafish_expression)[name]
    np.testing.assert_allclose(matrix[::20], reference[name], rtol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=0), reference[f"{name}_column_sums"], rtol=1e-12)


def test_genes_and_samples_have_the_order_of_r_tximport(zebrafish_expression, reference):
    assert zebrafish_expression.genes[::20] == reference["genes"].tolist()
    assert len(zebrafish_expression.genes) == reference["gene_count"]
    names = "\n".join(zebrafish_expression.genes).encode()
    assert hashlib.sha256(names).hexdigest() == reference["all_genes_sha256"]
    assert zebrafish_expression.samples == reference["samples"].tolist()
    assert (zebrafish_expression.transcripts, zebrafish_expression.dropped_transcripts) == (59_071, 0)


@pytest.mark.parametrize("mode", list(CountsFromAbundance))
@pytest.mark.parametrize("quantity", list(Quantity))
def test_blocks_of_genes_are_the_matrix_in_memory(zebrafish, zebrafish_expression, tmp_path, mode, quantity):
    sources, gene_map = find_quant_files([zebrafish]), GeneMap.read(ZEBRAFISH / "genes_to_transcripts.tsv.xz")
    with tximport_matrix(sources, gene_map, scratch=tmp_path, mode=mode, quantity=quantity) as matrix:
        blocks = list(matrix.blocks())
    assert len(blocks) > 1
    np.testing.assert_allclose(np.concatenate(blocks), zebrafish_expression.matrix(mode, quantity), rtol=1e-13)
    assert (matrix.genes, matrix.samples) == (zebrafish_expression.genes, zebrafish_expression.samples)
    assert not list(tmp_path.iterdir())


def test_empty_genes_and_empty_samples_equal_r_tximport(tmp_path):
    expression = tximport(find_quant_files([write_quant_files(tmp_path)]), MAP)
    assert expression.genes == ["g0", "g1", "g2", "g3"]
    assert (expression.transcripts, expression.dropped_transcripts) == (7, 1)
    np.testing.assert_array_equal(expression.abundance, R_ABUNDANCE)
    np.testing.assert_array_equal(expression.counts, R_COUNTS)
    np.testing.assert_allclose(expression.length, R_LENGTH, rtol=1e-14)
    np.testing.assert_allclose(expression.length_scaled_tpm(), R_LENGTH_SCALED_TPM, rtol=1e-14)
    np.testing.assert_allclose(expression.scaled_tpm(), R_SCALED_TPM, rtol=1e-14)


def test_one_sample_is_enough(tmp_path):
    write_quant_files(tmp_path, {"A": SAMPLES["A"]})
    expression = tximport(find_quant_files([tmp_path]), MAP)
    np.testing.assert_array_equal(expression.counts[:, 0], [2.5, 3, 120.5, 0])
    assert expression.length_scaled_tpm().sum() == pytest.approx(126)


def test_a_sample_without_reads_is_all_zeros(tmp_path):
    nothing = [(*row[:3], 0, 0) for row in SAMPLES["B"]]
    expression = tximport(find_quant_files([write_quant_files(tmp_path, SAMPLES | {"B": nothing})]), MAP)
    assert not expression.length_scaled_tpm()[:, 1].any()
    assert not expression.scaled_tpm()[:, 1].any()
    assert np.isfinite(expression.length).all()


def test_reads_without_any_tpm_are_a_contradiction(tmp_path):
    wrong = [(*row[:3], 0, row[4]) for row in SAMPLES["A"]]
    expression = tximport(find_quant_files([write_quant_files(tmp_path, SAMPLES | {"A": wrong})]), MAP)
    with pytest.raises(InputError, match="Sample A has reads but TPM is 0"):
        expression.length_scaled_tpm()


def test_files_may_list_the_transcripts_in_another_order(tmp_path):
    generator = random.Random(3)
    shuffled = {sample: generator.sample(rows, len(rows)) for sample, rows in SAMPLES.items()}
    plain = tximport(find_quant_files([write_quant_files(tmp_path / "plain")]), MAP)
    other = tximport(find_quant_files([write_quant_files(tmp_path / "shuffled", shuffled)]), MAP)
    for name, matrix in matrices_of(plain).items():
        np.testing.assert_allclose(matrices_of(other)[name], matrix, rtol=1e-14)


def test_length_may_be_written_differently(tmp_path):
    rows = [(row[0], f"{row[1]}.0", *row[2:]) for row in SAMPLES["B"]]
    expression = tximport(find_quant_files([write_quant_files(tmp_path, SAMPLES | {"B": rows})]), MAP)
    np.testing.assert_array_equal(expression.counts, R_COUNTS)


def rows_without(name):
    return [row for row in SAMPLES["C"] if row[0] != name]


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        (rows_without("t4"), 5, "1 transcripts of .*/A/quant.sf are missing, t4 first"),
        (rows_without("t7"), 8, "are missing, t7 first"),
        ([*SAMPLES["C"], ("t8", 1, 1, 1, 1)], 9, "t8 is not listed in .*/A/quant.sf"),
        ([("x" + str(row[0]), *row[1:]) for row in SAMPLES["C"]], 2, "xt1 is not listed"),
        ([*SAMPLES["C"][:-1], SAMPLES["C"][0]], 8, "t1 is listed twice, first in line 2"),
        ([*SAMPLES["C"][:-1], ("t7", 80, 29, "NaN", 1)], 8, "not a finite number"),
        ([*SAMPLES["C"][:2], ("t3", 1000, 950, 1, -2), *SAMPLES["C"][3:]], 4, "NumReads is negative"),
        ([], 2, "no transcript"),
    ],
)
def test_a_later_file_that_does_not_fit_is_named_with_its_line(tmp_path, rows, line, words):
    sources = find_quant_files([write_quant_files(tmp_path, SAMPLES | {"C": rows})])
    with pytest.raises(MalformedFileError, match=words) as caught:
        tximport(sources, MAP)
    assert (caught.value.path, caught.value.line) == (tmp_path / "C" / "quant.sf", line)


def test_nothing_to_import_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no quant file"):
        tximport([], MAP)
    with pytest.raises(InputError, match="no quant file"), tximport_matrix([], MAP, scratch=tmp_path):
        pass


def test_each_sample_is_announced(tmp_path):
    seen: list[str] = []
    tximport(find_quant_files([write_quant_files(tmp_path)]), MAP, on_sample=seen.append)
    assert seen == ["A", "B", "C", "D"]


def test_anndata_has_samples_in_rows_and_all_layers(tmp_path):
    expression = tximport(find_quant_files([write_quant_files(tmp_path)]), MAP)
    value = expression.to_anndata()
    assert list(value.obs_names) == ["A", "B", "C", "D"]
    assert list(value.var_names) == ["g0", "g1", "g2", "g3"]
    assert set(value.layers) == {"counts", "abundance", "length", "lengthScaledTPM", "scaledTPM"}
    for name, matrix in matrices_of(expression).items():
        assert value.layers[name].dtype == np.float32
        np.testing.assert_array_equal(value.layers[name], matrix.T.astype(np.float32))
    np.testing.assert_array_equal(value.X, value.layers["lengthScaledTPM"])
    raw = expression.to_anndata(CountsFromAbundance.NO)
    np.testing.assert_array_equal(raw.X, raw.layers["counts"])
    assert raw.uns["counts_from_abundance"] == "no"


@given(
    st.lists(st.tuples(*[st.floats(0, 1e6).map(lambda x: round(x, 3))] * 3), min_size=3, max_size=30),
    st.integers(1, 4),
)
def test_column_sums_are_kept_and_lengths_stay_between_those_of_the_transcripts(tmp_path_factory, numbers, genes):
    folder = tmp_path_factory.mktemp("drawn")
    rows = [(f"t{i}", 1, length + 1, tpm, reads if tpm else 0) for i, (length, tpm, reads) in enumerate(numbers)]
    for sample, order in (("A", 1), ("B", -1)):
        values = [row[2:] for row in rows][::order]
        text = quant_sf_text([(*row[:2], *value) for row, value in zip(rows, values, strict=True)])
        (folder / f"{sample}.sf").write_text(text)
    gene_map = GeneMap.from_dict({row[0]: f"g{i % genes}" for i, row in enumerate(rows)})
    expression = tximport([QuantSource(name, folder / f"{name}.sf") for name in "AB"], gene_map)
    np.testing.assert_allclose(expression.length_scaled_tpm().sum(axis=0), expression.counts.sum(axis=0))
    np.testing.assert_allclose(expression.scaled_tpm().sum(axis=0), expression.counts.sum(axis=0))
    longest = max(row[2] for row in rows)
    assert (expression.length >= 1 - 1e-9).all()
    assert (expression.length <= longest * (1 + 1e-9)).all()


@pytest.mark.parametrize(
    ("quantified", "eligible", "early", "run"),
    [
        (4, 4, False, True),
        (1, 1, True, True),
        (3, 4, False, False),
        (0, 4, True, False),
        (0, 0, True, False),
        (20, 25, True, True),
        (20, 25, False, False),
        (20, 26, True, False),
        (19, 24, True, False),
        (24, 24, True, True),
        (24, 30, True, True),
        (99, 100, False, False),
    ],
)
def test_an_experiment_is_imported_when_complete_or_early_when_asked(quantified, eligible, early, run):
    decision = tximport_decision(quantified, eligible, early=early)
    assert decision.run is run
    assert f"{quantified} of {eligible} eligible samples" in decision.reason


def test_the_early_rule_can_be_set():
    assert tximport_decision(5, 10, early=True, min_samples=10, min_share=0.5).run


@pytest.mark.parametrize(("quantified", "eligible"), [(5, 4), (-1, 4)])
def test_impossible_numbers_of_samples_are_refused(quantified, eligible):
    with pytest.raises(ValueError, match="makes no sense"):
        tximport_decision(quantified, eligible, early=True)
