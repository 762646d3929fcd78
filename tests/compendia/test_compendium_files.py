"""The files of a compendium hold its values, read back with the usual libraries, and are the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import zarr

from refinebio_assets.compendia import gene_major
from refinebio_assets.compendia.compendium import CompendiumBlock
from refinebio_assets.compendia.compendium_files import FORMATS, CompendiumDescription, write_compendium_files
from refinebio_assets.compendia.progress import Progress
from refinebio_assets.domain.download_metadata import ContributedValues, DownloadMetadata, FilteredSample
from refinebio_assets.domain.vocabulary import ComputedFileKind

ORGANISM = "DANIO_RERIO"
GENES = tuple(f"ENSDARG{number:011d}" for number in range(50))
MATRIX = f"{ORGANISM}.tsv"
PAGE = Path(__file__).parents[2] / "docs/compendium_files.md"


class Prepared(SimpleNamespace):
    """Values that are known, in blocks as a compendium gives them."""

    @classmethod
    def of(cls, samples: int, *, missing: bool = False) -> Prepared:
        rng = np.random.default_rng(samples)
        target = np.sort(rng.gamma(2, 2, len(GENES))).astype(np.float32)
        normalized = np.stack([rng.permutation(target) for _ in range(samples)])
        if missing:
            normalized[0, 0] = np.nan
        names = tuple(f"GSM{number}" for number in range(samples))
        filtered = SimpleNamespace(samples=names, genes=GENES)
        mask = rng.random(normalized.shape) < 0.2
        return cls(filtered=filtered, normalized=normalized, imputed=normalized + 1, mask=mask)

    def blocks(self, *, report):
        for start in range(0, len(self.normalized), 64):
            rows = slice(start, start + 64)
            report(Progress(step="writing", done=start, total=None))
            yield CompendiumBlock(
                start=start, normalized=self.normalized[rows], imputed=self.imputed[rows], mask=self.mask[rows]
            )


def sample_dict(accession: str) -> dict:
    return {
        "refinebio_accession_code": accession,
        "refinebio_title": f'"larva" {accession}',
        "refinebio_organism": ORGANISM,
        "refinebio_annotations": [{"geo": {"characteristics_ch1": ["tissue: liver"], "channel_count": ["1"]}}],
    }


def description(prepared: Prepared, *, filtered: int = 1) -> CompendiumDescription:
    names = prepared.filtered.samples
    left_out = {f"SRR{number}": FilteredSample(reason="too few genes", experiment="SRP1") for number in range(filtered)}
    experiment = {"accession_code": "GSE1", "title": "Larvae", "source_last_modified": "2020-01-02T00:00:00"}
    return CompendiumDescription(
        organism=ORGANISM,
        organisms=(ORGANISM,),
        version="0123456789ab",
        samples=pd.DataFrame(
            {
                "experiment": "GSE1",
                "platform": "zebrafish",
                "title": "t\tt",
                "age": ["", *["5 day"] * (len(names) - 1)],
            },
            index=pd.Index(list(names), name="sample"),
        ),
        genes=GENES,
        summary={
            "genes": len(GENES),
            "samples": len(names),
            "quantile_normalized": True,
            "converged": True,
            "share_imputed": 0.2,
            "recipe": {"rank": 10, "svd_algorithm": "arpack"},
        },
        metadata=DownloadMetadata(
            samples={name: sample_dict(name) for name in (*names, "SRR0")},
            experiments={"GSE1": experiment | {"sample_accession_codes": list(names)}},
            memberships=dict.fromkeys(names, ("GSE1",)),
            contributed={names[0]: ContributedValues(attributes={"MetaSRA": {"age": {"value": 3.0, "unit": "day"}}})},
        ),
        filtered=left_out,
        provenance={"qn_target": "abc", "parts": {"b": 1, "a": 2}},
    )


def write(folder, samples=130, *, prepared=None, **options):
    prepared = prepared or Prepared.of(samples)
    folder.mkdir(exist_ok=True)
    return prepared, write_compendium_files(folder, prepared, description(prepared), **options)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compendium")
    seen = []
    prepared, files = write(folder, on_block=lambda block: seen.append(block.start))
    return SimpleNamespace(folder=folder, prepared=prepared, files=files, seen=seen)


def test_all_files_are_there_and_nothing_else(written):
    kinds = {file.path.name: file.kind for file in written.files}
    assert kinds == {
        f"{ORGANISM}.h5ad": ComputedFileKind.COMPENDIUM_ANNDATA,
        f"{ORGANISM}.zarr.zip": ComputedFileKind.COMPENDIUM_ZARR,
        f"{ORGANISM}.parquet": ComputedFileKind.COMPENDIUM_PARQUET,
        f"{ORGANISM}.tsv.gz": ComputedFileKind.COMPENDIUM_TSV,
        f"{ORGANISM}.zip": ComputedFileKind.COMPENDIUM_ARCHIVE,
        "samples.tsv": ComputedFileKind.COMPENDIUM_METADATA,
        "filtered_samples.tsv": ComputedFileKind.COMPENDIUM_METADATA,
        "provenance.json": ComputedFileKind.COMPENDIUM_METADATA,
    }
    assert {path.name for path in written.folder.iterdir()} == set(kinds)
    assert next(iter(kinds)) == f"{ORGANISM}.h5ad"
    assert written.seen == [0, 64, 128]


@pytest.mark.parametrize("extension", ["h5ad", "zarr.zip"])
def test_anndata_has_all_layers_and_what_is_said_of_them(written, extension):
    path = written.folder / f"{ORGANISM}.{extension}"
    zipped = extension == "zarr.zip"
    read = anndata.read_zarr(zarr.storage.ZipStore(path, mode="r")) if zipped else anndata.read_h5ad(path)
    np.testing.assert_array_equal(read.X, written.prepared.normalized)
    np.testing.assert_array_equal(read.layers["before_qn"], written.prepared.imputed)
    np.testing.assert_array_equal(read.layers["imputed"], written.prepared.mask)
    assert read.layers["imputed"].dtype == bool
    assert list(read.var_names) == list(GENES)
    assert list(read.obs_names) == list(written.prepared.filtered.samples)
    assert read.obs["age"].iloc[1] == "5 day"
    assert read.uns["version"] == "0123456789ab"
    assert json.loads(read.uns["provenance"]) == {"qn_target": "abc", "parts": {"a": 2, "b": 1}}
    assert json.loads(read.uns["summary"])["share_imputed"] == 0.2


def test_parquet_and_text_read_back_equal(written):
    table = pd.read_parquet(written.folder / f"{ORGANISM}.parquet").set_index("Gene")
    text = pd.read_csv(written.folder / f"{ORGANISM}.tsv.gz", sep="\t", index_col=0, dtype={"Gene": str})
    for frame in (table, text.astype(np.float32)):
        assert list(frame.index) == list(GENES)
        assert tuple(frame.columns) == written.prepared.filtered.samples
        np.testing.assert_array_equal(frame.to_numpy(), written.prepared.normalized.T)
    assert table.dtypes.unique() == [np.float32]


def test_the_archive_is_laid_out_as_those_of_refine_bio(written):
    with zipfile.ZipFile(written.folder / f"{ORGANISM}.zip") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            "README.md",
            "LICENSE.TXT",
            MATRIX,
            "aggregated_metadata.json",
            "filtered_samples_metadata.json",
            "filtered_samples_metadata.tsv",
            f"{ORGANISM}/metadata_{ORGANISM}.tsv",
            f"{ORGANISM}/metadata_{ORGANISM}.json",
        }
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents[MATRIX] == gzip.decompress((written.folder / f"{ORGANISM}.tsv.gz").read_bytes())
    about = json.loads(contents["aggregated_metadata.json"])
    assert {name: about[name] for name in about if name not in {"samples", "experiments"}} == {
        "aggregate_by": "SPECIES",
        "compendium_version": "0123456789ab",
        "created_at": "2020-01-02T00:00:00",
        "ks_pvalue": 1.0,
        "ks_statistic": 0.0,
        "ks_warning": None,
        "num_experiments": 1,
        "num_samples": 130,
        "quant_sf_only": False,
        "quantile_normalized": True,
        "scale_by": "NONE",
    }
    assert list(about) == sorted(about)
    assert about["samples"]["GSM7"] == sample_dict("GSM7")
    assert len(about["experiments"]["GSE1"]["sample_accession_codes"]) == 130
    left_out = json.loads(contents["filtered_samples_metadata.json"])
    expected = sample_dict("SRR0") | {"reason": "too few genes", "experiment_accession_code": "SRP1"}
    assert left_out == {"SRR0": expected}
    species = json.loads(contents[f"{ORGANISM}/metadata_{ORGANISM}.json"])
    assert (species["species"], len(species["samples"])) == (ORGANISM, 130)
    assert species["samples"][0]["MetaSRA_age"] == {"value": 3.0, "unit": "day"}
    assert b"0123456789ab" in contents["README.md"]
    assert b"creativecommons.org/licenses/by/3.0" in contents["LICENSE.TXT"]


def test_the_metadata_tables_have_one_header(written):
    with zipfile.ZipFile(written.folder / f"{ORGANISM}.zip") as archive:
        table = pd.read_csv(io.BytesIO(archive.read(f"{ORGANISM}/metadata_{ORGANISM}.tsv")), sep="\t")
        left_out = pd.read_csv(io.BytesIO(archive.read("filtered_samples_metadata.tsv")), sep="\t")
    assert list(table.columns) == [
        "refinebio_accession_code",
        "experiment_accession",
        "refinebio_organism",
        "refinebio_title",
        "MetaSRA_age",
        "MetaSRA_age.unit",
        "channel_count",
        "characteristics_ch1_tissue",
    ]
    assert list(left_out.columns) == [*table.columns[:2], "reason", *table.columns[2:]]
    assert tuple(table["refinebio_accession_code"]) == written.prepared.filtered.samples
    assert table["refinebio_title"][0] == '"larva" GSM0'
    assert left_out.loc[0, "reason"] == "too few genes"


def test_tables_and_provenance_stand_beside(written):
    samples = pd.read_csv(written.folder / "samples.tsv", sep="\t", index_col="sample")
    assert tuple(samples.index) == written.prepared.filtered.samples
    assert samples.loc["GSM1", "title"] == "t t"
    left_out = pd.read_csv(written.folder / "filtered_samples.tsv", sep="\t")
    assert left_out.to_dict("records") == [{"sample": "SRR0", "experiment": "SRP1", "reason": "too few genes"}]
    provenance = json.loads((written.folder / "provenance.json").read_text())
    assert provenance["provenance"] == {"parts": {"a": 2, "b": 1}, "qn_target": "abc"}


def test_two_runs_at_different_times_give_the_same_bytes(written, tmp_path, monkeypatch):
    later = time.time() + 10**8
    monkeypatch.setattr(time, "time", lambda: later)
    _, files = write(tmp_path, prepared=written.prepared)
    for first, second in zip(written.files, files, strict=True):
        assert first.path.name == second.path.name
        digests = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in (first, second)]
        assert digests[0] == digests[1], first.path.name


def test_many_samples_come_in_slabs_and_cells_without_a_value_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(gene_major, "SLAB_SAMPLES", 100)
    monkeypatch.setattr(gene_major, "BUFFER_SAMPLES", 48)
    monkeypatch.setattr(gene_major, "CELLS_AT_A_TIME", 7 * 250)
    monkeypatch.setattr(gene_major, "CELLS_PER_PARQUET_GROUP", 11 * 100)
    prepared, files = write(tmp_path, prepared=Prepared.of(250, missing=True), formats=("parquet", "tsv"))
    slabs = [file.path for file in files if file.kind is ComputedFileKind.COMPENDIUM_PARQUET]
    assert [path.name for path in slabs] == [f"{ORGANISM}_00{number}.parquet" for number in (1, 2, 3)]
    assert [pq.read_metadata(path).num_columns - 1 for path in slabs] == [100, 100, 50]
    together = pd.concat([pd.read_parquet(path).set_index("Gene") for path in slabs], axis=1)
    text = pd.read_csv(tmp_path / f"{ORGANISM}.tsv.gz", sep="\t", index_col=0).astype(np.float32)
    np.testing.assert_array_equal(together.to_numpy(), prepared.normalized.T)
    np.testing.assert_array_equal(text.to_numpy(), prepared.normalized.T)
    assert gzip.decompress((tmp_path / f"{ORGANISM}.tsv.gz").read_bytes()).splitlines()[1].split(b"\t")[1] == b"NaN"


@pytest.mark.parametrize("wanted", FORMATS)
def test_only_the_formats_that_are_wanted_are_written(tmp_path, wanted):
    _, files = write(tmp_path, samples=3, formats=(wanted,))
    extension = {"zarr": "zarr.zip", "tsv": "tsv.gz"}.get(wanted, wanted)
    assert {file.path.name for file in files} == {
        f"{ORGANISM}.{extension}", "samples.tsv", "filtered_samples.tsv", "provenance.json",
    }  # fmt: skip


def test_a_run_that_fails_leaves_the_earlier_files_and_nothing_half_written(tmp_path):
    write(tmp_path, samples=70)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(block):
        assert any(tmp_path.glob(".partial/**/*"))
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write(tmp_path, samples=71, on_block=fail)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / ".partial/scratch").mkdir(parents=True)
    (tmp_path / ".partial/scratch/slab_0.f32").write_bytes(b"x" * 100)
    _, files = write(tmp_path, samples=3)
    assert {path.name for path in tmp_path.iterdir()} == {file.path.name for file in files}


def test_values_of_other_samples_than_described_are_refused(tmp_path):
    other = description(Prepared.of(3))
    with pytest.raises(ValueError, match="other samples"):
        write_compendium_files(tmp_path, Prepared.of(4), other)
    with pytest.raises(ValueError, match="no such format"):
        write_compendium_files(tmp_path, Prepared.of(3), other, formats=("xlsx",))
    assert list(tmp_path.iterdir()) == []


def test_without_filtered_samples_the_archive_has_no_files_of_them(tmp_path):
    prepared = Prepared.of(3)
    write_compendium_files(tmp_path, prepared, description(prepared, filtered=0), formats=("zip",))
    with zipfile.ZipFile(tmp_path / f"{ORGANISM}.zip") as archive:
        assert not [name for name in archive.namelist() if "filtered" in name]


def python_examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(python_examples())))
def test_the_examples_of_the_documentation_run(written, monkeypatch, number):
    monkeypatch.chdir(written.folder)
    names: dict[str, Any] = {}
    exec(compile(python_examples()[number], f"{PAGE.name}, example {number + 1}", "exec"), names)
    assert names["compendium" if "compendium" in names else "about"] is not None


def test_the_page_names_every_file(written):
    text = PAGE.read_text().replace("{ORGANISM}", ORGANISM)
    assert [file.path.name for file in written.files if f"`{file.path.name}`" not in text] == []
    with zipfile.ZipFile(written.folder / f"{ORGANISM}.zip") as archive:
        shown = [name for name in archive.namelist() if not name.startswith("filtered_samples_metadata")]
    assert [name for name in shown if f"`{name}`" not in text] == []
