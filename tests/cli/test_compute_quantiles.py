"""``refinebio compute qn-target`` and ``quantile-normalize``."""

from __future__ import annotations

import gzip
import json

import anndata
import numpy as np
import pandas as pd
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.compendia.quantile_normalization import quantile_normalize, quantile_target
from refinebio_assets.matrix_reading import read_matrix, read_numbers

TEXT = "Gene\tA\tB\tC\nG1\t5\t4\t3\nG2\t2\t1\t4\nG3\t3\tNA\t6\nG4\t4\t2\t8.5\n"


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "matrix.tsv"
    path.write_text(TEXT)
    return path


def test_a_target_is_one_number_per_line_and_reads_back_equal(matrix, tmp_path, capsys):
    out = tmp_path / "target.txt"
    assert main(["compute", "qn-target", str(matrix), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) | {"seconds": 0} == {
        "samples": 3, "genes": 4, "out": str(out), "seconds": 0,
    }  # fmt: skip
    assert read_numbers(out).tolist() == quantile_target([read_matrix(matrix).matrix]).tolist()
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize("extension", [".tsv", ".tsv.gz", ".parquet", ".h5ad", ".zarr"])
def test_a_matrix_is_normalised_and_written_as_its_extension_says(matrix, tmp_path, extension):
    target, out = tmp_path / "target.txt", tmp_path / f"out{extension}"
    target.write_text("1\n2\n3\n4\n5\n")
    assert main(["compute", "quantile-normalize", str(matrix), "--target", str(target), "--out", str(out)]) == 0
    written, given = read_matrix(out), read_matrix(matrix)
    assert (written.genes, written.samples) == (given.genes, given.samples)
    np.testing.assert_array_equal(written.matrix, quantile_normalize(given.matrix, np.arange(1.0, 6.0)))


def test_every_format_is_read_alike(matrix, tmp_path):
    plain = read_matrix(matrix)
    (tmp_path / "m.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    frame = pd.DataFrame(plain.matrix.T, columns=list(plain.samples))
    frame.insert(0, "Gene", list(plain.genes))
    frame.to_parquet(tmp_path / "m.parquet")
    value = anndata.AnnData(
        plain.matrix + 1, obs=pd.DataFrame(index=list(plain.samples)), var=pd.DataFrame(index=list(plain.genes))
    )
    value.layers["raw"] = plain.matrix
    value.write_h5ad(tmp_path / "m.h5ad")
    for name, layer in (("m.txt.gz", None), ("m.parquet", None), ("m.h5ad", "raw")):
        read = read_matrix(tmp_path / name, layer=layer)
        assert (read.genes, read.samples) == (plain.genes, plain.samples)
        np.testing.assert_array_equal(read.matrix, plain.matrix)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Gene\tA\tB\nG1\t1\n", "bad.tsv:2:"),
        ("Gene\tA\tB\nG1\t1\t2\nG2\t1,5\t2\n", "bad.tsv:3:"),
        ("Gene\tA\tA\nG1\t1\t2\n", "more than once"),
        ("Gene\tA\tB\nG1\t1\t2\nG1\t3\t4\n", "more than once"),
        ("Gene\tA\n\t1\n", "no name"),
        ("nothing\n", "bad.tsv:1:"),
        ("", "bad.tsv:1:"),
        ("Gene\tA\tB\n", "0 genes"),
    ],
)
def test_a_malformed_matrix_is_refused_with_its_line_and_nothing_is_left(tmp_path, capsys, text, complaint):
    path, out = tmp_path / "bad.tsv", tmp_path / "target.txt"
    path.write_text(text)
    assert main(["compute", "qn-target", str(path), "--out", str(out)]) == 2
    assert complaint in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.tsv"]


@pytest.mark.parametrize("text", ["1\nx\n", "", "1\nnan\n", "1 2\n"])
def test_a_target_file_that_is_none_is_refused(matrix, tmp_path, capsys, text):
    target, out = tmp_path / "target.txt", tmp_path / "out.tsv"
    target.write_text(text)
    assert main(["compute", "quantile-normalize", str(matrix), "--target", str(target), "--out", str(out)]) == 2
    assert "target.txt" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["m.parquet", "m.h5ad", "m.tsv.gz"])
def test_a_broken_file_is_refused(tmp_path, capsys, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"Gene\tA\nG1\t1\n" * 1000)[:-20])
    assert main(["compute", "qn-target", str(path), "--out", str(tmp_path / "t.txt")]) == 2
    assert name in capsys.readouterr().err
