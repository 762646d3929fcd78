"""``refinebio export``: genes of selected samples, as a table, a file of each format, or JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.matrix_reading import read_matrix
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import get_settings
from tests.expression_records import record_expression

GENES = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419"]
RNA = np.array([[1.5, 0.1, 3.0], [4.0, 5.0, np.nan]], np.float32)
ARRAYS = np.array([[-1.25, 2], [3, 4]], np.float32)
SAMPLES = ["GSM1", "GSM2", "SRR0000001", "SRR0000002"]


@pytest.fixture(autouse=True)
def home(sqlite_catalog: Catalog, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Human RNA-seq and arrays, and a fish."""
    store = ObjectStore.from_url(str(tmp_path / "objects"))
    record_expression(
        sqlite_catalog, store, RNA, experiment="SRP000001", samples=SAMPLES[2:], genes=GENES,
        technology=Technology.RNA_SEQ,
    )  # fmt: skip
    record_expression(sqlite_catalog, store, ARRAYS, experiment="GSE1", samples=SAMPLES[:2], genes=GENES[1:])
    record_expression(
        sqlite_catalog, store, np.ones((1, 1)), experiment="SRP000002", samples=["SRR0000009"],
        genes=["ENSDARG00000000001"], organism="DANIO_RERIO", technology=Technology.RNA_SEQ,
    )  # fmt: skip
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("REFINEBIO_OBJECT_STORE_URL", str(tmp_path / "objects"))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(["export", *words]) == status
    shown = capsys.readouterr()
    return shown.out, shown.err


def run_json(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(capsys, *words, "--json", status=status)[0])
    return found


def accessions(found: dict[str, Any]) -> list[str]:
    return [sample["accession"] for sample in found["samples"]]


def test_json_has_the_values_and_what_samples_are(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "--gene", f"{GENES[1]}.12", "--gene", "TP53", "--gene", GENES[0], "--organism", "9606")
    assert found["genes"] == [
        {"query": f"{GENES[1]}.12", "gene": GENES[1], "found": True},
        {"query": "TP53", "gene": None, "found": False},
        {"query": GENES[0], "gene": GENES[0], "found": True},
    ]
    assert (found["not_found"], found["num_samples"], accessions(found)) == (["TP53"], 4, SAMPLES)
    assert found["samples"][0] == {
        "accession": "GSM1",
        "experiment": "GSE1",
        "organism": "HOMO_SAPIENS",
        "technology": "MICROARRAY",
        "platform": "hgu95av2",
        "scale": "log2",
        "values": {GENES[1]: -1.25, GENES[0]: None},
    }
    assert found["samples"][2]["values"] == {GENES[1]: 0.1, GENES[0]: 1.5}


@pytest.mark.parametrize(
    ("words", "samples"),
    [
        (["--experiment", "SRP000001"], SAMPLES[2:]),
        (["--experiment", "SRP000001", "--experiment", "GSE1"], SAMPLES),
        (["--sample", "GSM2", "--sample", "SRR0000001"], ["GSM2", "SRR0000001"]),
        (["--experiment", "GSE1", "--sample", "GSM2"], ["GSM2"]),
        (["--organism", "Homo sapiens", "--technology", "microarray"], SAMPLES[:2]),
        (["--platform", "HGU95AV2"], SAMPLES[:2]),
        ([], SAMPLES),
    ],
    ids=["experiment", "experiments", "samples", "both", "technology", "platform", "all that have the gene"],
)
def test_samples_are_selected(capsys: pytest.CaptureFixture[str], words: list[str], samples: list[str]) -> None:
    assert accessions(run_json(capsys, "--gene", GENES[1], *words)) == samples


def test_people_see_a_table_and_what_was_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, "--gene", GENES[0], "--gene", "BRCA1", "--experiment", "SRP000001", "--log2")
    assert out.splitlines()[0].split() == [
        *("ACCESSION", "EXPERIMENT", "ORGANISM", "TECHNOLOGY", "PLATFORM", "SCALE"), GENES[0],
    ]  # fmt: skip
    assert out.splitlines()[1].split()[-2:] == ["log2", f"{np.log2(2.5):.6g}"]
    assert "Not found: BRCA1" in err


def test_a_dash_prints_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "--gene", GENES[0], "--gene", GENES[2], "--out", "-")
    rows = [["Gene", *SAMPLES], [GENES[0], "NaN", "NaN", "1.5", "4.0"], [GENES[2], "2.0", "4.0", "3.0", "NaN"]]
    assert [line.split("\t") for line in out.splitlines()] == rows


@pytest.mark.parametrize("extension", ["tsv", "tsv.gz"])
def test_text_has_genes_in_rows_and_a_table_of_the_samples(
    capsys: pytest.CaptureFixture[str], home: Path, extension: str
) -> None:
    path = home / f"slice.{extension}"
    out, _ = run(capsys, "--gene", GENES[1], "--gene", GENES[0], "--out", str(path))
    beside = home / f"slice.{extension}.samples.tsv"
    assert out.strip() == f"2 genes of 4 samples: {path}, {beside}"
    text = (gzip.decompress(path.read_bytes()) if extension == "tsv.gz" else path.read_bytes()).decode()
    assert text.splitlines()[1] == f"{GENES[1]}\t-1.25\t3.0\t0.1\t5.0"
    table = read_matrix(path)
    assert (table.genes, table.samples) == ((GENES[1], GENES[0]), tuple(SAMPLES))
    lines = [line.split("\t") for line in beside.read_text().splitlines()]
    assert lines[0] == ["accession", "experiment", "organism", "technology", "platform", "scale"]
    assert lines[3] == ["SRR0000001", "SRP000001", "HOMO_SAPIENS", "RNA_SEQ", "IlluminaHiSeq2500", "linear"]
    assert [line[0] for line in lines[1:]] == SAMPLES


def test_parquet_has_samples_in_rows(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    import pyarrow.parquet as pq

    run(capsys, "--gene", GENES[0], "--out", str(home / "slice.parquet"))
    table = pq.read_table(home / "slice.parquet")
    assert table.column_names == ["sample", "experiment", "organism", "technology", "platform", "scale", GENES[0]]
    assert table["sample"].to_pylist() == SAMPLES
    assert table[GENES[0]].to_pylist() == [None, None, 1.5, 4.0]


@pytest.mark.parametrize("extension", ["h5ad", "zarr"])
def test_anndata_knows_its_samples(capsys: pytest.CaptureFixture[str], home: Path, extension: str) -> None:
    import anndata

    path = home / f"slice.{extension}"
    run(capsys, "--gene", GENES[1], "--experiment", "SRP000001", "--out", str(path))
    value = anndata.read_h5ad(path) if extension == "h5ad" else anndata.read_zarr(path)
    np.testing.assert_array_equal(value.X, RNA[:, [1]])
    assert list(value.obs["platform"]) == ["IlluminaHiSeq2500"] * 2
    assert (list(value.obs_names), list(value.var_names)) == (SAMPLES[2:], [GENES[1]])


def test_the_same_export_gives_the_same_bytes(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    for extension in ("tsv.gz", "parquet", "h5ad"):
        paths = [home / f"{name}.{extension}" for name in "ab"]
        for path in paths:
            run(capsys, "--gene", GENES[1], "--out", str(path))
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("words", "status", "code", "says"),
    [
        (["--organism", "9606"], 2, "bad_usage", "--gene"),
        (["--gene", "TP53", "--organism", "9606"], 2, "bad_input", "None of the genes is in the expression"),
        (["--gene", GENES[0], "--organism", "Mus musculus"], 3, "not_found", "Mus musculus"),
        (["--gene", GENES[0], "--organism", "!"], 3, "not_found", "'!'"),
        (["--gene", GENES[0], "--experiment", "SRP999999"], 3, "not_found", "SRP999999 is not in the catalog"),
        (["--gene", GENES[0], "--platform", "none"], 3, "not_found", "No processed sample fits"),
        (["--gene", GENES[0], "--out", "slice.xlsx"], 2, "bad_input", "extension"),
    ],
    ids=["no gene", "unknown gene", "organism", "no name", "experiment", "platform", "extension"],
)
def test_errors_say_what_and_why(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, code: str, says: str
) -> None:
    error = run_json(capsys, *words, status=status)["error"]
    assert error["code"] == code
    assert says in error["message"]


def test_an_accession_that_names_nothing_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    found = run_json(
        capsys, "--gene", GENES[0], "--experiment", "SRP000001", "--experiment", "SRP999999",
        "--out", str(home / "s.tsv"), status=3,
    )  # fmt: skip
    assert [one["query"] for one in found["unresolved"]] == ["SRP999999"]
    assert found["num_samples"] == 2
    assert (home / "s.tsv").is_file()


def test_processed_samples_that_the_store_does_not_have_are_told(
    capsys: pytest.CaptureFixture[str], sqlite_catalog: Catalog
) -> None:
    with sqlite_catalog.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM expression_parts WHERE technology = 'MICROARRAY'")
    found = run_json(capsys, "--gene", GENES[1], "--organism", "9606")
    assert (accessions(found), found["without_expression"]) == (SAMPLES[2:], SAMPLES[:2])
    _, err = run(capsys, "--gene", GENES[1], "--organism", "9606")
    assert "2 processed samples are not in the expression store: GSM1, GSM2." in err
    error = run_json(capsys, "--gene", GENES[1], "--experiment", "GSE1", status=3)["error"]
    assert "the expression store has none of them" in error["message"]
