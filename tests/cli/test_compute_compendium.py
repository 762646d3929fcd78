"""``refinebio compute compendium``."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.matrix_files import write_matrix
from refinebio_assets.matrix_reading import read_matrix


@pytest.fixture
def matrices(tmp_path):
    """15 arrays that lack some genes, 55 RNA-seq samples, 80 genes."""
    rng = np.random.default_rng(5)
    axes, means = rng.normal(size=(4, 80)), 7 + rng.normal(size=80)
    values = means + rng.normal(size=(70, 4)) @ axes + 0.2 * rng.normal(size=(70, 80))
    genes = [f"ENSG{one:011d}" for one in range(80)]
    arrays, rna = tmp_path / "arrays.tsv", tmp_path / "rna.tsv.gz"
    write_matrix(arrays, rows=genes[8:], columns=[f"GSM{one}" for one in range(15)], blocks=[values[:15, 8:].T])
    linear = np.maximum(2 ** values[15:] - 1, 0)
    write_matrix(rna, rows=genes, columns=[f"SRR{one:06d}" for one in range(55)], blocks=[linear.T])
    (tmp_path / "target.txt").write_text("".join(f"{one}\n" for one in np.linspace(0, 14, 200)))
    return tmp_path


def run(folder, out, *more):
    words = ["--microarray", str(folder / "arrays.tsv"), "--rna-seq", str(folder / "rna.tsv.gz"), "--rank", "4"]
    return main(["compute", "compendium", *words, "--out", str(folder / out), *more])


def test_both_technologies_are_in_one_matrix_with_what_was_imputed(matrices, capsys):
    assert run(matrices, "c.h5ad", "--qn-target", str(matrices / "target.txt"), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["samples"], summary["quantile_normalized"]) == (70, True)
    made = anndata.read_h5ad(matrices / "c.h5ad")
    assert made.shape == (70, summary["genes"])
    assert np.isfinite(made.X).all()
    assert made.layers["imputed"].mean() == pytest.approx(summary["share_imputed"])
    arrays = np.sort(made[[f"GSM{one}" for one in range(15)]].X, axis=1)
    assert (arrays == arrays[0]).all()
    given = read_matrix(matrices / "arrays.tsv")
    shared = [gene for gene in given.genes if gene in made.var_names]
    observed = made[list(given.samples), shared]
    expected = given.matrix[:, [given.genes.index(gene) for gene in shared]].astype(np.float32)
    np.testing.assert_array_equal(observed.layers["before_qn"], expected)


@pytest.mark.parametrize("extension", [".tsv", ".tsv.gz", ".parquet", ".zarr"])
def test_is_written_as_its_extension_says(matrices, extension):
    assert run(matrices, "c.h5ad") == 0
    assert run(matrices, f"other{extension}") == 0
    one, other = read_matrix(matrices / "c.h5ad"), read_matrix(matrices / f"other{extension}")
    assert (one.genes, one.samples) == (other.genes, other.samples)
    np.testing.assert_array_equal(one.matrix, other.matrix)


def test_without_imputation_gaps_stay(matrices):
    assert run(matrices, "c.tsv", "--svd-algorithm", "none") == 0
    assert np.isnan(read_matrix(matrices / "c.tsv").matrix).any()


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--rank", "500"], "rank"),
        (["--memory", "1MB"], "--memory"),
        (["--memory", "much"], "no size"),
        (["--qn-target", "missing.txt"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_left(matrices, capsys, more, complaint):
    before = sorted(matrices.iterdir())
    assert run(matrices, "c.h5ad", *more) == 2
    assert complaint in capsys.readouterr().err
    assert sorted(matrices.iterdir()) == before


def test_logarithms_are_not_taken_for_rna_seq_and_one_matrix_is_enough(matrices, capsys):
    write_matrix(matrices / "log.tsv", rows=["G1", "G2"], columns=["S1"], blocks=[np.array([[-1.0], [2.0]])])
    assert (
        main(["compute", "compendium", "--rna-seq", str(matrices / "log.tsv"), "--out", str(matrices / "c.tsv")]) == 2
    )
    assert "logarithms" in capsys.readouterr().err
    words = ["--rna-seq", str(matrices / "rna.tsv.gz"), "--out", str(matrices / "c.tsv")]
    assert main(["compute", "compendium", *words]) == 0
    assert main(["compute", "compendium", "--out", str(matrices / "c.tsv")]) == 2
