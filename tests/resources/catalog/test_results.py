from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import ComputedFileKind, IndexLength, SampleState
from resources.catalog import Catalog, FileToRecord, ResultToRecord, TranscriptomeIndexInfo, TranscriptomeIndexToRecord
from resources.catalog.models import ComputationalResult, ComputedFile, Organism, Processor, TranscriptomeIndex
from tests.resources.catalog.studies import change, quant_file, quantification, study


@pytest.fixture
def surveyed(catalog: Catalog) -> Catalog:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    return catalog


def count(catalog: Catalog, model: type) -> int:
    with catalog.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def index(sha256: str = "1" * 64, **changes: object) -> TranscriptomeIndexToRecord:
    values: dict[str, object] = {
        "organism": "ARABIDOPSIS_THALIANA",
        "length": IndexLength.LONG,
        "kmer": 31,
        "division": "EnsemblPlants",
        "release": "62",
        "assembly": "TAIR10",
        "salmon_version": "1.10.3",
        "key_prefix": f"transcriptome_index/ARABIDOPSIS_THALIANA/long/{sha256}",
        "sha256": sha256,
        "num_transcripts": 48000,
        "num_genes": 27000,
        "taxonomy_id": 3702,
        "scientific_name": "Arabidopsis thaliana",
    }
    return TranscriptomeIndexToRecord(**(values | changes))  # type: ignore[arg-type]


def index_result(sha256: str = "1" * 64) -> ResultToRecord:
    file = FileToRecord(
        key=f"transcriptome_index/ARABIDOPSIS_THALIANA/long/{sha256}/index.json",
        filename="index.json",
        kind=ComputedFileKind.TRANSCRIPTOME_INDEX,
        size_bytes=3,
        sha256=sha256,
        organism="ARABIDOPSIS_THALIANA",
    )
    return ResultToRecord(processor="transcriptome_index", processor_version="1", fingerprint=sha256, files=(file,))


def test_a_recorded_quant_file_is_given_with_its_sample(surveyed: Catalog) -> None:
    recorded = surveyed.record_result(quantification(quant_file("SRR0000001")))
    assert recorded.superseded_keys == []
    quant = surveyed.samples_to_quantify("SRP000001")[0].quant
    assert quant is not None
    assert (quant.key, quant.kind, quant.fingerprint) == (
        "quant_files/SRP000001/SRR0000001/quant.sf.gz",
        ComputedFileKind.QUANT_SF,
        "f1",
    )
    surveyed.ledger.set_states([change("SRR0000001", SampleState.QUANTIFIED)])
    first, second, _ = surveyed.quant_files("SRP000001")
    assert (first.state, first.key, first.sha256, first.metrics) == (
        SampleState.QUANTIFIED,
        quant.key,
        "a" * 64,
        {"percent_mapped": 81.5},
    )
    assert (second.key, second.sha256, second.metrics) == (None, None, {})


def test_a_result_is_known_by_its_fingerprint(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001")))
    assert surveyed.has_result("f1")
    assert not surveyed.has_result("f2")


def test_recording_the_same_result_again_keeps_one_row(surveyed: Catalog) -> None:
    first = surveyed.record_result(quantification(quant_file("SRR0000001")))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    again = surveyed.record_result(quantification(quant_file("SRR0000001"), run_id="r2", finished_at=moment))
    assert (again.result_id, again.superseded_keys) == (first.result_id, [])
    assert (count(surveyed, ComputationalResult), count(surveyed, ComputedFile), count(surveyed, Processor)) == (
        1,
        1,
        1,
    )
    with surveyed.reading() as session:
        row = session.scalars(select(ComputationalResult)).one()
        assert (row.run_id, row.finished_at) == ("r2", moment)


def test_a_new_result_under_the_same_key_replaces_file_and_result(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001")))
    again = surveyed.record_result(quantification(quant_file("SRR0000001", sha256="b" * 64), fingerprint="f2"))
    assert again.superseded_keys == []
    assert surveyed.quant_files("SRP000001")[0].sha256 == "b" * 64
    assert (count(surveyed, ComputationalResult), count(surveyed, ComputedFile)) == (1, 1)


def test_an_older_file_of_the_same_kind_and_sample_is_superseded(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001"), quant_file("SRR0000002")))
    again = surveyed.record_result(quantification(quant_file("SRR0000001", key="new/quant.sf.gz"), fingerprint="f2"))
    assert again.superseded_keys == ["quant_files/SRP000001/SRR0000001/quant.sf.gz"]
    assert [info.key for info in surveyed.quant_files("SRP000001")][:2] == [
        "new/quant.sf.gz",
        "quant_files/SRP000001/SRR0000002/quant.sf.gz",
    ]
    assert count(surveyed, ComputationalResult) == 2


def test_a_file_that_the_same_result_no_longer_has_is_superseded(surveyed: Catalog) -> None:
    meta = quant_file("SRR0000001", key="quant_files/x/salmon.json", kind=ComputedFileKind.SALMON_META)
    surveyed.record_result(quantification(quant_file("SRR0000001"), meta))
    again = surveyed.record_result(quantification(quant_file("SRR0000001")))
    assert again.superseded_keys == ["quant_files/x/salmon.json"]


def test_files_of_an_experiment_supersede_only_files_of_the_experiment_as_a_whole(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001", experiment="SRP000001")))

    def expression(name: str, fingerprint: str) -> ResultToRecord:
        file = FileToRecord(
            key=name,
            filename=name,
            kind=ComputedFileKind.EXPRESSION_ANNDATA,
            size_bytes=1,
            sha256="c" * 64,
            experiment="SRP000001",
        )
        return ResultToRecord(processor="tximport", processor_version="1", fingerprint=fingerprint, files=(file,))

    surveyed.record_result(expression("old.h5ad", "e1"))
    assert surveyed.record_result(expression("new.h5ad", "e2")).superseded_keys == ["old.h5ad"]
    assert [file.key for file in surveyed.experiment_files("SRP000001")] == ["new.h5ad"]
    assert surveyed.quant_files("SRP000001")[0].key is not None


def test_an_expression_made_without_r_does_not_keep_the_rds_of_the_one_before(surveyed: Catalog) -> None:
    def expression(fingerprint: str, *kinds: ComputedFileKind) -> ResultToRecord:
        files = tuple(
            FileToRecord(
                key=f"e/{kind}", filename=kind, kind=kind, size_bytes=1, sha256="c" * 64, experiment="SRP000001"
            )
            for kind in kinds
        )
        return ResultToRecord(processor="tximport", processor_version="1", fingerprint=fingerprint, files=files)

    surveyed.record_result(expression("e1", ComputedFileKind.EXPRESSION_ANNDATA, ComputedFileKind.TXIMPORT_RDS))
    again = surveyed.record_result(expression("e2", ComputedFileKind.EXPRESSION_ANNDATA))
    assert again.superseded_keys == ["e/tximport_rds"]
    assert [file.key for file in surveyed.experiment_files("SRP000001")] == ["e/expression_anndata"]


def test_a_result_of_several_samples_keeps_the_files_of_those_not_made_again(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001"), quant_file("SRR0000002")))
    assert surveyed.record_result(quantification(quant_file("SRR0000001"), fingerprint="f2")).superseded_keys == []


def test_older_files_can_be_kept(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001")))
    kept = quantification(quant_file("SRR0000001", key="k"), fingerprint="f2", replaces_kinds_of_sample=False)
    assert surveyed.record_result(kept).superseded_keys == []
    assert count(surveyed, ComputedFile) == 2
    assert surveyed.quant_files("SRP000001")[0].key == "k"


def test_a_file_of_an_unknown_sample_is_refused_and_nothing_is_stored(surveyed: Catalog) -> None:
    with pytest.raises(NotFoundError, match="SRR0000404"):
        surveyed.record_result(quantification(quant_file("SRR0000404")))
    assert count(surveyed, ComputationalResult) == 0


def test_another_environment_is_another_processor(surveyed: Catalog) -> None:
    surveyed.record_result(quantification(quant_file("SRR0000001")))
    surveyed.record_result(quantification(quant_file("SRR0000002"), fingerprint="f2", environment={"salmon": "2"}))
    assert count(surveyed, Processor) == 2


def test_metrics_that_are_no_numbers_become_null(surveyed: Catalog) -> None:
    metrics = {"rate": float("nan"), "others": [float("inf"), 1.5]}
    surveyed.record_result(quantification(quant_file("SRR0000001"), metrics=metrics))
    assert surveyed.quant_files("SRP000001")[0].metrics == {"rate": None, "others": [None, 1.5]}


def test_values_that_json_has_no_form_for_are_refused(surveyed: Catalog) -> None:
    with pytest.raises(TypeError, match="object cannot be stored as JSON"):
        surveyed.record_result(quantification(quant_file("SRR0000001"), metrics={"rate": object()}))


def test_there_is_no_current_index_at_first(catalog: Catalog) -> None:
    assert catalog.current_transcriptome_index("ARABIDOPSIS_THALIANA", IndexLength.LONG) is None


def test_the_newest_index_of_an_organism_and_length_is_current(catalog: Catalog) -> None:
    first = catalog.record_transcriptome_index(index(), index_result())
    short = index("3" * 64, length=IndexLength.SHORT, kmer=23)
    catalog.record_transcriptome_index(short, index_result("3" * 64))
    second = catalog.record_transcriptome_index(index("2" * 64), index_result("2" * 64))
    assert first != second
    current = catalog.current_transcriptome_index("ARABIDOPSIS_THALIANA", IndexLength.LONG)
    assert isinstance(current, TranscriptomeIndexInfo)
    assert (current.sha256, current.kmer, current.assembly) == ("2" * 64, 31, "TAIR10")
    assert catalog.record_transcriptome_index(index(), index_result()) == first
    again = catalog.current_transcriptome_index("ARABIDOPSIS_THALIANA", IndexLength.LONG)
    assert again is not None
    assert again.sha256 == "1" * 64
    assert count(catalog, TranscriptomeIndex) == 3
    assert count(catalog, ComputedFile) == 3


def test_the_fingerprint_of_the_current_index_is_that_of_the_index_built_last(catalog: Catalog) -> None:
    organism = "ARABIDOPSIS_THALIANA"
    assert catalog.current_index_fingerprint(organism, IndexLength.LONG) is None
    first, second = index_result(), index_result("2" * 64)
    catalog.record_transcriptome_index(index(), first)
    catalog.record_transcriptome_index(index("2" * 64), second)
    assert catalog.current_index_fingerprint(organism, IndexLength.LONG) == second.fingerprint != first.fingerprint


def test_an_index_brings_its_organism_with_taxonomy_id(catalog: Catalog) -> None:
    catalog.record_transcriptome_index(index(), index_result())
    with catalog.reading() as session:
        row = session.scalars(select(Organism)).one()
        assert (row.name, row.scientific_name, row.taxonomy_id) == (
            "ARABIDOPSIS_THALIANA",
            "Arabidopsis thaliana",
            3702,
        )
