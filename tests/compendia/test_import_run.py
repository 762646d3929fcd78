"""Importing a matrix: what is read, what is refused, what the catalog knows afterwards, and that it can be repeated."""

from __future__ import annotations

import gzip
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refinebio_assets.compendia.import_run import MatrixToImport, import_matrix
from refinebio_assets.compendia.imported_matrix import Scale, read_imported_matrix, read_sample_table
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.store_run import open_store
from refinebio_assets.domain.accessions import is_local, local_accession
from refinebio_assets.domain.errors import InputError, RefinebioError, UnsupportedAccessionError
from refinebio_assets.domain.vocabulary import SampleState, Technology
from refinebio_assets.matrix_files import write_matrix
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.reharmonise_run import reharmonise
from refinebio_assets.targets import find_experiments
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.resources.catalog.studies import array, series

GENES = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419"]
SAMPLES = ["a", "b"]
VALUES = np.array([[7.5, 8.25], [4.0, 5.5], [10.125, 3.0]])


@pytest.fixture
def environment(catalog: Catalog, tmp_path: Path) -> CompendiumEnvironment:
    return CompendiumEnvironment(
        catalog=catalog,
        store=ObjectStore.from_url(str(tmp_path / "objects")),
        settings=Settings(home=tmp_path),
        run_id=None,
        log=logging.getLogger(__name__),
    )


@pytest.fixture
def lonely(sqlite_catalog: Catalog, tmp_path: Path) -> CompendiumEnvironment:
    """For what is not about the database."""
    return CompendiumEnvironment(
        catalog=sqlite_catalog,
        store=ObjectStore.from_url(str(tmp_path / "objects")),
        settings=Settings(home=tmp_path),
        run_id=None,
        log=logging.getLogger(__name__),
    )


def written(folder: Path, values: Any = VALUES, genes: Any = GENES, columns: Any = SAMPLES) -> Path:
    path = folder / "matrix.tsv"
    write_matrix(path, rows=genes, columns=columns, blocks=[np.asarray(values, dtype=np.float64)])
    return path


def matrix(path: Path, **said: Any) -> MatrixToImport:
    """What is said of a matrix: human arrays, unless it is something else."""
    about = {
        "experiment": "LOCAL-MINE",
        "organism": "Homo sapiens",
        "technology": Technology.MICROARRAY,
        "scale": Scale.LOG2,
        "platform": "hgu95av2",
    }
    return MatrixToImport(path=path, **(about | said))


def rna_seq(path: Path, **said: Any) -> MatrixToImport:
    return matrix(path, **({"technology": Technology.RNA_SEQ, "scale": Scale.LINEAR, "platform": None} | said))


def objects(environment: CompendiumEnvironment) -> dict[str, bytes]:
    store = environment.store
    return {key: store.get_bytes(key) for key in store.list_keys("")}


def values_of(environment: CompendiumEnvironment, *samples: str) -> Any:
    store = open_store(environment.catalog, environment.store, ["HOMO_SAPIENS"])
    return store.gene_slice(GENES, samples)


def test_samples_are_processed_and_their_values_in_the_store(environment: CompendiumEnvironment, tmp_path: Path):
    table = tmp_path / "samples.tsv"
    table.write_text("sample\tsex\tage\tbatch\nb\tF\t53 years\t2\na\tmale\t\t1\n")

    done = import_matrix(matrix(written(tmp_path), samples=table, title="Mine", aliases=("GSE19480",)), environment)

    assert (done.outcome, done.samples, done.genes, done.missing, done.left_out) == ("imported", 2, 3, 0, ())
    assert done.harmonized == {"sex": 2, "age": 1}
    catalog, names = environment.catalog, ["LOCAL-MINE-a", "LOCAL-MINE-b"]
    entries = catalog.ledger.entries([*names, "LOCAL-MINE"])
    assert {entry.state for entry in entries.values()} == {SampleState.PROCESSED}
    assert {entries[name].reason for name in names} == {"imported"}
    assert catalog.harmonized_values(names)["LOCAL-MINE-b"]["sex"] == "female"
    assert catalog.titles(["LOCAL-MINE", "LOCAL-MINE-a"]) == {"LOCAL-MINE": "Mine", "LOCAL-MINE-a": "a"}
    first, second = catalog.compendia.samples(["HOMO_SAPIENS"])
    assert (first.platform, first.manufacturer, first.has_raw) == ("hgu95av2", "AFFYMETRIX", False)
    assert (second.accession, second.experiments) == ("LOCAL-MINE-b", ("LOCAL-MINE",))
    np.testing.assert_array_equal(values_of(environment, *names), VALUES.T.astype(np.float32))
    (found,) = catalog.resolve(["GSE19480"])
    assert found.experiments == ["LOCAL-MINE"]


def test_the_same_again_changes_nothing(environment: CompendiumEnvironment, tmp_path: Path):
    asked = matrix(written(tmp_path))
    import_matrix(asked, environment)
    before = objects(environment)
    version = environment.catalog.ledger.version_of_experiment("LOCAL-MINE")

    assert import_matrix(asked, environment).outcome == "unchanged"

    assert objects(environment) == before
    assert environment.catalog.ledger.version_of_experiment("LOCAL-MINE") == version


def test_another_matrix_takes_the_place_of_the_first(environment: CompendiumEnvironment, tmp_path: Path):
    first = import_matrix(matrix(written(tmp_path)), environment)

    second = import_matrix(matrix(written(tmp_path, VALUES[:, 1:] + 1, columns=["b"])), environment)

    assert second.outcome == "replaced"
    assert {key for key in objects(environment) if key.endswith(".npy")} == set(second.parts) != set(first.parts)
    assert environment.catalog.ledger.counts("LOCAL-MINE") == {"processed": 1, "withdrawn_upstream": 1}
    (kept,) = values_of(environment, "LOCAL-MINE-b")
    np.testing.assert_array_equal(kept, VALUES[:, 1].astype(np.float32) + 1)
    assert import_matrix(matrix(written(tmp_path)), environment).outcome == "replaced"
    assert environment.catalog.ledger.counts("LOCAL-MINE") == {"processed": 2}


@pytest.mark.parametrize("extension", ["tsv", "tsv.gz", "parquet", "h5ad"])
def test_every_format_gives_the_same_parts(lonely: CompendiumEnvironment, tmp_path: Path, extension: str):
    path = tmp_path / f"matrix.{extension}"
    if extension == "h5ad":
        names = {"obs": pd.DataFrame(index=SAMPLES), "var": pd.DataFrame(index=GENES)}
        anndata.AnnData(X=VALUES.T.copy(), **names).write_h5ad(path)
    else:
        write_matrix(path, rows=GENES, columns=SAMPLES, blocks=[VALUES])
    plain = tmp_path / "plain"
    plain.mkdir()
    (expected,) = import_matrix(matrix(written(plain)), lonely).parts

    assert import_matrix(matrix(path), lonely).parts == (expected,)


def test_values_come_to_the_scale_of_the_store(lonely: CompendiumEnvironment, tmp_path: Path):
    linear = np.array([[8.0, 0.0], [1024.0, 2.0], [1.0, -3.0]])
    arrays = import_matrix(matrix(written(tmp_path, linear), scale=Scale.LINEAR), lonely)
    assert (arrays.missing, arrays.without_logarithm) == (2, 2)
    np.testing.assert_array_equal(
        values_of(lonely, "LOCAL-MINE-a", "LOCAL-MINE-b"), [[3.0, 10.0, 0.0], [np.nan, 1.0, np.nan]]
    )

    counts = np.array([[7.0, 0.0], [1023.0, 1.0], [0.0, 3.0]])
    for number, (values, scale) in enumerate([(counts, Scale.LINEAR), (np.log2(counts + 1), Scale.LOG2)]):
        import_matrix(rna_seq(written(tmp_path, values), scale=scale, experiment=f"LOCAL-{number}"), lonely)
        np.testing.assert_array_equal(values_of(lonely, f"LOCAL-{number}-a", f"LOCAL-{number}-b"), counts.T)


def test_rows_that_are_no_genes_are_left_out_and_counted(lonely: CompendiumEnvironment, tmp_path: Path):
    genes = ["ENSG00000000003.14", "AFFX-BioB-5_at", "ENSG00000000419_at"]

    done = import_matrix(matrix(written(tmp_path, genes=genes)), lonely)

    assert (done.genes, done.left_out) == (2, ("AFFX-BioB-5_at",))
    np.testing.assert_array_equal(values_of(lonely, "LOCAL-MINE-a"), [[7.5, np.nan, 10.125]])


REFUSED = {
    "a gene twice, with and without version": (
        f"Gene\ta\n{GENES[0]}\t1\n{GENES[1]}\t2\n{GENES[0]}.5\t3\n", {}, 4, "same gene"),
    "another number of fields": (f"Gene\ta\tb\n{GENES[0]}\t1\n", {}, 2, "2 fields"),
    "no number": (f"Gene\ta\n{GENES[0]}\tmuch\n", {}, 2, "not a number"),
    "infinite": (f"Gene\ta\n{GENES[0]}\t1\n{GENES[1]}\tinf\n", {}, 3, "not finite"),
    "no log2": (f"Gene\ta\n{GENES[0]}\t1\n{GENES[1]}\t4096\n", {}, 3, "too large"),
    "negative reads": (
        f"Gene\ta\n{GENES[0]}\t-1\n", {"technology": Technology.RNA_SEQ, "platform": None, "scale": Scale.LINEAR}, 2,
        "negative"),
    "a sample without values": (f"Gene\ta\tb\n{GENES[0]}\t1\tNA\n", {}, None, "no value"),
    "probes": ("Gene\ta\n1007_s_at\t1\n", {}, 2, "0 of 1 rows"),
    "genes of the mouse": ("Gene\ta\nENSMUSG00000000001\t1\n", {}, None, "Mus musculus"),
    "an unknown array": (f"Gene\ta\n{GENES[0]}\t1\n", {"platform": "hgu0000"}, None, "hgu0000"),
    "samples of an archive": (f"Gene\tGSM1\n{GENES[0]}\t1\n", {"sample_prefix": ""}, 1, "public archive"),
    "a name that is none": (f"Gene\ta;b\n{GENES[0]}\t1\n", {}, 1, "cannot be the name"),
    "an alias that is a sample": (f"Gene\ta\n{GENES[0]}\t1\n", {"aliases": ("GSM1",)}, None, "not the accession"),
    "no organism": (f"Gene\ta\n{GENES[0]}\t1\n", {"organism": "?"}, None, "organism"),
    "nothing": ("", {}, 1, "does not name samples"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_line_and_nothing_is_left(
    lonely: CompendiumEnvironment, tmp_path: Path, case: str
):
    text, said, line, words = REFUSED[case]
    path = tmp_path / "matrix.tsv"
    path.write_text(text)

    with pytest.raises(InputError) as refused:
        import_matrix(matrix(path, **said), lonely)

    assert words in str(refused.value)
    assert (refused.value.line, refused.value.exit_status) == (line, 2)
    assert objects(lonely) == {}
    assert lonely.catalog.ledger.entries(["LOCAL-MINE"]) == {}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("sample\tsex\nc\tmale\n", 2, "no sample 'c'"),
        ("sample\tsex\na\tmale\na\tfemale\n", 3, "there twice"),
        ("sample\tsex\na\tmale\t7\n", 2, "3 fields"),
        ("sample\tsex\tsex\na\tmale\tmale\n", 1, "there twice"),
        ("sample\n", 1, "names no columns"),
    ],
    ids=["unknown", "repeated", "fields", "columns", "empty"],
)
def test_a_table_of_samples_that_does_not_fit_is_refused(tmp_path: Path, text: str, line: int, words: str):
    table = tmp_path / "samples.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        read_sample_table(table, SAMPLES)
    assert (refused.value.path, refused.value.line) == (table, line)


def test_a_table_of_samples_may_have_commas_and_quotes_and_be_compressed(tmp_path: Path):
    table = tmp_path / "samples.csv.gz"
    table.write_bytes(gzip.compress(b'\xef\xbb\xbfsample,treatment,age\na,"none, yet",7\n\nb,,\n'))
    assert read_sample_table(table, SAMPLES) == {"a": {"treatment": "none, yet", "age": "7"}, "b": {}}


def test_samples_of_others_and_another_technology_are_refused(environment: CompendiumEnvironment, tmp_path: Path):
    environment.catalog.record_survey(series("GSE5", [array("theirs-a")]), metadata_sha256="a" * 64)
    asked = matrix(written(tmp_path), sample_prefix="theirs-")
    with pytest.raises(InputError, match="theirs-a in GSE5"):
        import_matrix(asked, environment)
    assert objects(environment) == {}
    import_matrix(matrix(written(tmp_path)), environment)
    before = objects(environment)
    with pytest.raises(InputError, match="was imported as MICROARRAY"):
        import_matrix(rna_seq(written(tmp_path)), environment)
    assert objects(environment) == before


def test_no_run_and_no_archive_concerns_itself_with_it(environment: CompendiumEnvironment, tmp_path: Path):
    path, catalog = written(tmp_path), environment.catalog
    import_matrix(matrix(path, aliases=("PRJNA1", "GSE7")), environment)
    import_matrix(rna_seq(path, experiment="LOCAL-READS"), environment)

    for experiment in ("LOCAL-MINE", "LOCAL-READS"):
        assert catalog.arrays_to_process(experiment) == catalog.array_files(experiment) == []
        assert catalog.samples_to_quantify(experiment) == catalog.quant_files(experiment) == []
    assert catalog.experiments_to_process_arrays(limit=9) == []
    for ask in (catalog.ledger.experiments_to_import, catalog.ledger.experiments_to_survey):
        assert ask(limit=9) == []
    later = datetime.now(UTC) + timedelta(days=999)
    assert catalog.discovery.take_due_for_refresh(moment=later, age=timedelta(days=1), limit=9, quota=9) == []
    assert catalog.ledger.discover(["GSE7"], source="list") == ["GSE7"]
    archives: Any = None  # must not be asked
    for query in ("LOCAL-MINE", "local-mine", "LOCAL-MINE-a", "LOCAL-NEVER-SEEN"):
        (target,) = find_experiments([query], catalog, archives)
        assert isinstance(target.error, UnsupportedAccessionError), query
        assert "no archive to ask" in target.error.message


def test_metadata_are_harmonised_anew_without_an_archive(lonely: CompendiumEnvironment, tmp_path: Path):
    import_matrix(matrix(written(tmp_path)), lonely)
    (done,) = reharmonise(lonely.catalog, lonely.store, ["LOCAL-MINE"], registry=PlatformRegistry.load())
    assert (done.outcome, done.samples, done.error) == ("unchanged", 2, None)


@pytest.mark.parametrize(
    "name", ["LOCAL-", "GSE1", "LOCAL-a b", "LOCAL-Ä", "LOCAL--A", "LOCAL-" + "A" * 60, "LOCAL-a/b"]
)
def test_accessions_of_imports_are_checked(name: str):
    with pytest.raises(UnsupportedAccessionError):
        local_accession(name)


@given(st.text(max_size=70))
def test_an_accession_is_canonical_or_refused(text: str):
    try:
        accession = local_accession(text)
    except UnsupportedAccessionError:
        return
    assert is_local(accession)
    assert local_accession(accession) == accession == accession.upper()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from(list(Technology)[:2]), st.sampled_from(Scale))
def test_any_bytes_are_read_or_refused_with_the_path(
    tmp_path: Path, content: bytes, technology: Technology, scale: Scale
):
    path = tmp_path / "matrix.tsv"
    path.write_bytes(b"Gene\ta\n" + content)
    refused: RefinebioError | None = None
    try:
        values = read_imported_matrix(path, technology=technology, scale=scale).values  # noqa: PD011  not a frame
        assert not np.isinf(values).any()
    except RefinebioError as error:
        refused = error
    assert refused is None or (isinstance(refused, InputError) and refused.path == path)
