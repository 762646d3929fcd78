"""Asking the archives about experiments: which one is meant, and all they say about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.local_archive import LocalArchive
from examples.synthetic import SyntheticStudy
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries
from refinebio_assets.domain.errors import ArchiveNotFoundError, MalformedPayloadError, UnsupportedAccessionError
from refinebio_assets.survey.fetch_run import experiments_behind, fetch_source_metadata, is_unchanged
from resources.archives import Archives
from resources.settings import Settings


class Asked:
    """Archives over study folders, and the requests they got."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.local = stack.enter_context(LocalArchive(root).serve())
        settings = Settings(
            archive_mirror_url=self.local.url,
            archive_requests_per_second=10_000,
            archive_attempts=1,
            home=root / "home",
        )
        self.archives = stack.enter_context(Archives.from_settings(settings))

    def fetch(self, accession: str) -> dict:
        return fetch_source_metadata(self.archives, accession, scratch=self.root / "scratch")

    def behind(self, query: str) -> list[str]:
        return experiments_behind(self.archives, query)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with ExitStack() as stack:
        yield Asked(tmp_path, stack)


def reads(root: Path, study: str, *experiments: str) -> SyntheticStudy:
    made = SyntheticStudy(study)
    for experiment in experiments:
        made.add_run(f"SRR{experiment[3:]}", experiment_accession=experiment)
    made.write(root)
    return made


def test_a_series_names_the_study_of_its_relation_and_fetches_no_more_than_it_needs(asked: Asked) -> None:
    reads(asked.root, "SRP900001", "SRX900000001", "SRX900000002")
    series = SyntheticSeries("GSE9000001", sequence_study="SRP900001")
    for number in (1, 2):
        series.add_sequenced_sample(experiment=f"SRX90000000{number}")
    series.write(asked.root)

    fetched = asked.fetch("GSE9000001")

    assert (fetched["source"], fetched["accession"]) == ("GEO", "GSE9000001")
    assert fetched["sequence_studies"] == ["SRP900001"]
    assert len(asked.local.requests_for("ebi.ac.uk")) == 1
    assert list((asked.root / "scratch").iterdir()) == []
    assert asked.fetch("E-GEOD-9000001") == fetched


def test_samples_of_several_studies_are_found_by_their_experiments(asked: Asked) -> None:
    reads(asked.root, "SRP900001", "SRX900000001", "SRX900000002")
    reads(asked.root, "SRP900002", "SRX900000003")
    series = SyntheticSeries("GSE9000001", subseries=["GSE9000002"], project="PRJNA900009")
    for number in (1, 2, 3, 4):  # the last one is under embargo
        series.add_sequenced_sample(experiment=f"SRX90000000{number}")
    series.write(asked.root)

    assert asked.fetch("GSE9000001")["sequence_studies"] == ["SRP900001", "SRP900002"]


def test_a_project_leads_to_its_study(asked: Asked) -> None:
    study = reads(asked.root, "SRP900001", "SRX900000001")
    series = SyntheticSeries("GSE9000001", project=study.project)
    series.add_sequenced_sample(experiment="SRX900000001")
    series.write(asked.root)

    assert asked.fetch("GSE9000001")["sequence_studies"] == ["SRP900001"]


def test_of_an_array_series_ena_is_not_asked(asked: Asked) -> None:
    series = SyntheticSeries("GSE9000001", project="PRJNA900001", pubmed_id="123")
    series.add_array_sample()
    series.write(asked.root)

    fetched = asked.fetch("GSE9000001")

    assert fetched["sequence_studies"] == []
    assert fetched["publication"]["pubmed_id"] == "123"
    assert asked.local.requests_for("ebi.ac.uk") == []


def test_a_study_of_array_express_holds_its_documents_as_they_came(asked: Asked) -> None:
    reads(asked.root, "ERP900001", "ERX900000001")
    study = SyntheticArrayExpressStudy("E-MTAB-900001", pubmed_id="321", sequence_study="ERP900001")
    study.add_array_assay()
    study.add_sequencing_assay(run="SRR900000001")
    study.write(asked.root)

    fetched = asked.fetch("E-MTAB-900001")

    assert set(fetched) == {
        "source", "accession", "study", "info", "idf", "sdrf", "files", "publication", "sequence_studies",
    }  # fmt: skip
    assert (len(fetched["sdrf"]), fetched["sequence_studies"]) == (2, ["ERP900001"])
    assert fetched["publication"]["pubmed_id"] == "321"
    assert is_unchanged(asked.archives, fetched) is False  # reads may have become public meanwhile


def test_an_array_study_is_unchanged_as_long_as_biostudies_says_so(asked: Asked) -> None:
    study = SyntheticArrayExpressStudy("E-MTAB-900001", pubmed_id="321")
    study.add_array_assay()
    study.write(asked.root)
    fetched = asked.fetch("E-MTAB-900001")
    assert is_unchanged(asked.archives, fetched)
    study.add_array_assay()
    study.write(asked.root)
    assert not is_unchanged(asked.archives, fetched)


def test_what_no_archive_has_is_told_apart_from_what_is_incomplete(asked: Asked) -> None:
    study = SyntheticArrayExpressStudy("E-MTAB-900001")
    study.add_array_assay()
    study.write(asked.root)
    for sdrf in asked.root.rglob("*.sdrf.txt"):
        sdrf.unlink()
    for accession in ("GSE9000404", "E-MTAB-900404", "SRP900404"):
        with pytest.raises(ArchiveNotFoundError):
            asked.fetch(accession)
    with pytest.raises(MalformedPayloadError, match="not all of its documents"):
        asked.fetch("E-MTAB-900001")


@pytest.mark.parametrize("accession", ["SRR900000001", "GSM1", "GPL570", "SAMN1"])
def test_only_experiments_are_fetched(asked: Asked, accession: str) -> None:
    with pytest.raises(UnsupportedAccessionError):
        asked.fetch(accession)


def test_every_accession_leads_to_its_experiments(asked: Asked) -> None:
    study = reads(asked.root, "SRP900001", "SRX900000001")
    series = SyntheticSeries("GSE9000001", project="PRJNA900777")
    gsm = series.add_array_sample().accession
    series.write(asked.root)

    for query in ("SRP900001", "SRR900000001", "SRX900000001", "SRS900000001", "SAMN900000001", study.project):
        assert asked.behind(query) == ["SRP900001"], query
    assert asked.behind(gsm) == ["GSE9000001"]
    assert asked.behind("E-GEOD-77") == ["GSE77"]
    assert asked.behind("E-MTAB-77") == ["E-MTAB-77"]
    assert asked.behind("GSM404") == asked.behind("SRR999999999") == []


def test_a_project_of_two_studies_leads_to_both(asked: Asked) -> None:
    for number in (1, 2):
        study = SyntheticStudy(f"SRP90000{number}", columns={"study_accession": "PRJNA900001"})
        study.add_run(study_accession="PRJNA900001")
        study.write(asked.root)
    assert asked.behind("PRJNA900001") == ["SRP900001", "SRP900002"]


def test_a_superseries_comes_after_the_series_it_gathers(asked: Asked) -> None:
    gathering = SyntheticSeries(
        "GSE9000001", summary="This SuperSeries is composed of the SubSeries listed below.", subseries=["GSE9000002"]
    )
    for series in (gathering, SyntheticSeries("GSE9000002"), SyntheticSeries("GSE9000003")):
        series.add_array_sample("GSM900020000")
        series.write(asked.root)
    assert asked.behind("GSM900020000") == ["GSE9000002", "GSE9000003", "GSE9000001"]
