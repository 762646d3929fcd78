"""BioStudies by the real client: against a local archive, healthy and not, and against scripted answers."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import httpx
import pytest

from examples.local_archive import Fault, LocalArchive
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveError,
    ArchiveNotFoundError,
    InputError,
    MalformedPayloadError,
    TransientArchiveError,
)
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.array_express import survey_array_express
from refinebio_assets.survey.biostudies import parse_file_list
from refinebio_assets.survey.mage_tab import decode_mage_tab
from refinebio_assets.survey.registry import PlatformRegistry
from resources.archives import Archives
from resources.archives.biostudies import decoded, discovery_query, study_file_url
from resources.archives.biostudies_files import file_list_names, mage_tab_paths

REAL = Path(__file__).parents[2] / "data" / "magetab"
ACCESSION = "E-MTAB-900001"
EVERYTHING = ("studies/E-MTAB-900001$", "/info", "idf", "hyb.sdrf", "raw_data.json", "search")
YEAR_2020 = {"since": date(2020, 1, 1), "until": date(2020, 12, 31)}


def mixed_study(**fields):
    study = SyntheticArrayExpressStudy(ACCESSION, sequence_study="ERP900001", **fields)
    study.add_array_assay(characteristics={"organism part": "liver"})
    study.add_sequencing_assay()
    return study


@pytest.fixture
def study(studies):
    mixed_study().write(studies)
    return studies


def payload(archives, accession):
    """The payload that a survey reads."""
    study = archives.biostudies.study(accession)
    return {
        "source": "ARRAY_EXPRESS",
        "accession": accession,
        "study": study,
        "info": archives.biostudies.info(accession),
        "idf": archives.biostudies.idf(accession, study),
        "sdrf": archives.biostudies.sdrfs(accession, study),
        "files": archives.biostudies.file_lists(accession, study),
    }


def serve_real(studies, accession, *names, study):
    folder = studies / accession / "biostudies" / accession
    (folder / "files").mkdir(parents=True)
    for name in names:
        shutil.copy(REAL / name, folder / "files" / name)
    (folder / "study.json").write_text(json.dumps(study))
    return studies


@pytest.mark.parametrize("has_file_list", [False, True])
def test_a_study_goes_from_the_archive_to_its_samples(has_file_list, studies, archives_for):
    mixed_study(has_file_list=has_file_list).write(studies)
    with LocalArchive(studies).serve() as archive:
        surveyed = survey_array_express(payload(archives_for(archive), ACCESSION), PlatformRegistry.load())
        (url,) = {file.url for sample in surveyed.samples for file in sample.record.files}
        assert archives_for(archive).client.exists(url)
    assert [each.decision.state for each in surveyed.samples] == [SampleState.SURVEYED, SampleState.SUPERSEDED]
    assert (surveyed.experiment.first_published, surveyed.experiment.last_updated) == (
        date(2020, 1, 1),
        date(2020, 1, 2),
    )


def test_a_real_study_is_served_and_surveyed(studies, archives_for):
    names = ("E-MTAB-1443.idf.txt", "E-MTAB-1443.hyb.sdrf.txt", "E-MTAB-1443.seq.sdrf.txt")
    document = {"accno": "E-MTAB-1443", "section": {"type": "Study", "files": [{"path": name} for name in names]}}
    serve_real(studies, "E-MTAB-1443", *names, study=document)
    with LocalArchive(studies).serve() as archive:
        fetched = payload(archives_for(archive), "E-MTAB-1443")
    assert fetched["info"] is None
    assert fetched["idf"] == decode_mage_tab((REAL / names[0]).read_bytes())
    assert fetched["sdrf"] == [decode_mage_tab((REAL / name).read_bytes()) for name in names[1:]]
    surveyed = survey_array_express(fetched, PlatformRegistry.load())
    assert {each.record.technology.value for each in surveyed.samples} > {"MICROARRAY"}


def test_the_exported_spelling_of_a_study_names_its_documents():
    study = json.loads((REAL / "E-MTAB-9697.biostudies.json").read_text())
    assert mage_tab_paths(study, "idf") == ["E-MTAB-9697.idf.txt"]
    assert mage_tab_paths(study, "sdrf") == ["E-MTAB-9697.sdrf.txt"]
    assert file_list_names(study) == []


def test_documents_are_asked_for_by_convention_if_the_study_names_none(studies, archives_for):
    serve_real(
        studies,
        "E-MTAB-3050",
        "E-MTAB-3050.idf.txt",
        "E-MTAB-3050.sdrf.txt",
        study={"accno": "E-MTAB-3050", "section": {"type": "Study"}},
    )
    with LocalArchive(studies).serve() as archive:
        fetched = payload(archives_for(archive), "E-MTAB-3050")
    assert len(survey_array_express(fetched, PlatformRegistry.load()).samples) == 5


def test_documents_are_known_by_their_type_where_the_name_does_not_tell():
    files = [{"path": "idf.tsv", "attributes": [{"name": "Type", "value": "IDF File"}]}]
    study = {"section": {"subsections": [[{"type": "MAGE-TAB Files", "files": [files]}]]}}
    assert mage_tab_paths(study, "idf") == ["idf.tsv"]
    assert mage_tab_paths(study, "sdrf") == []


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ({"type": "Raw Data", "attributes": [{"name": "File List", "value": "raw.tsv"}]}, [("Raw Data", "raw.json")]),
        ({"type": "Raw Data", "fileList": {"fileName": "E-MTAB-1.raw"}}, [("Raw Data", "E-MTAB-1.raw.json")]),
        ({"type": "Raw Data", "fileList": "lists/raw.json"}, [("Raw Data", "lists/raw.json")]),
        ({"type": "Raw Data", "fileList": None}, []),
        ({"sections": [{"extType": "sectionsTable", "sections": [{"fileList": "a"}]}]}, [("", "a.json")]),
        ([1, "x", None], []),
    ],
)
def test_file_lists_are_found_however_they_are_named(section, names):
    assert file_list_names({"section": section}) == names


def test_rows_of_file_lists_tell_their_section(studies, archives_for):
    study = mixed_study(has_file_list=True)
    study.write(studies)
    with LocalArchive(studies).serve() as archive:
        biostudies = archives_for(archive).biostudies
        rows = biostudies.file_lists(ACCESSION, biostudies.study(ACCESSION))
    (file,) = parse_file_list(rows)
    assert (file.path, file.section, file.size_bytes) == ("chip_1.CEL", "Raw Data", len(study.assays[0].file[1]))


def test_a_study_that_is_not_there_is_not_found(study, archives_for):
    with LocalArchive(study).serve() as archive:
        biostudies = archives_for(archive).biostudies
        with pytest.raises(ArchiveNotFoundError):
            biostudies.study("E-MTAB-1")
        assert biostudies.info("E-MTAB-1") is None


@pytest.mark.parametrize("name", [f"{ACCESSION}.idf.txt", f"{ACCESSION}.hyb.sdrf.txt", f"{ACCESSION}_raw_data.json"])
def test_a_document_that_the_study_lists_but_the_archive_lacks_is_not_found(name, studies, archives_for):
    mixed_study(has_file_list=True).write(studies)
    (studies / ACCESSION / "biostudies" / ACCESSION / "files" / name).unlink()
    with LocalArchive(studies).serve() as archive, pytest.raises(ArchiveNotFoundError, match=name):
        payload(archives_for(archive), ACCESSION)


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "status"])
def test_a_fault_that_passes_is_not_seen(kind, studies, archives_for):
    mixed_study(has_file_list=True).write(studies)
    with LocalArchive(studies).serve() as archive:
        archives = archives_for(archive)
        healthy = payload(archives, ACCESSION), archives.biostudies.released(**YEAR_2020)
        for match in EVERYTHING:
            archive.faults.add(Fault(match=match, kind=kind, times=2))
        assert (payload(archives, ACCESSION), archives.biostudies.released(**YEAR_2020)) == healthy


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "status"])
def test_a_fault_that_stays_is_transient_whatever_it_hits(kind, studies, archives_for):
    mixed_study(has_file_list=True).write(studies)
    with LocalArchive(studies).serve() as archive:
        archives = archives_for(archive, attempts=1)
        for match in EVERYTHING:
            archive.faults.clear()
            archive.faults.add(Fault(match=match, kind=kind))
            with pytest.raises(TransientArchiveError):
                payload(archives, ACCESSION), archives.biostudies.released(**YEAR_2020)


def test_an_answer_that_stalls_is_asked_for_again(study, archives_for):
    faults = [Fault(match="idf", kind="slow", seconds=30, times=1)]
    with LocalArchive(study, faults).serve() as archive:
        biostudies = archives_for(archive, timeout_seconds=0.3).biostudies
        assert "Investigation Title" in biostudies.idf(ACCESSION, biostudies.study(ACCESSION))


def test_a_pause_the_archive_asks_for_is_made(study, archives_for, sleeps):
    faults = [Fault(match="studies", kind="status", status=429, retry_after=9, times=1)]
    with LocalArchive(study, faults).serve() as archive:
        assert archives_for(archive).biostudies.study(ACCESSION)["accno"] == ACCESSION
    assert sleeps == [9]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_documents_are_read_in_the_encodings_of_spreadsheets(encoding, studies, archives_for):
    mixed_study(title="Ätherische Öle", encoding=encoding).write(studies)
    with LocalArchive(studies).serve() as archive:
        idf = payload(archives_for(archive), ACCESSION)["idf"]
    assert "Investigation Title\tÄtherische Öle\n" in idf


@pytest.mark.parametrize(
    "data", [b"", b"a\tb", "é".encode(), "é".encode("latin-1"), "é".encode("utf-16"), b"\xff\xfe0"]
)
def test_texts_are_those_the_survey_reads_from_files(data):
    assert decoded(data) == decode_mage_tab(data)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a b#1?.txt", "a%20b%231%3F.txt"),
        ("/raw/A+B.CEL", "raw/A%2BB.CEL"),
        ("50%.txt", "50%25.txt"),
    ],
)
def test_paths_from_outside_are_quoted(path, url):
    assert study_file_url("E-MTAB-1", path) == f"https://www.ebi.ac.uk/biostudies/files/E-MTAB-1/{url}"


@pytest.mark.parametrize("path", ["../../x.idf.txt", "a/../../../b.idf.txt"])
def test_paths_that_leave_the_study_are_never_asked_for(path, scripted):
    def refuse(request):
        pytest.fail(f"asked {request.url}")

    study = {"section": {"files": [{"path": path}]}}
    with pytest.raises(ArchiveError, match="leaves its folder"):
        Archives(scripted(refuse)).biostudies.idf("E-MTAB-1", study)


def test_an_accession_cannot_lead_elsewhere(scripted):
    asked = []

    def answer(request):
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404)

    with pytest.raises(ArchiveNotFoundError):
        Archives(scripted(answer)).biostudies.study("E-MTAB-1/info?x=#")
    assert asked == ["/biostudies/api/v1/studies/E-MTAB-1%2Finfo%3Fx%3D%23"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"errorMessage": "Study not found"}, ArchiveNotFoundError),
        ({"errorMessage": "You have no access to this study"}, AccessControlledError),
        ({"errorMessage": "Index is being rebuilt"}, TransientArchiveError),
        ([], MalformedPayloadError),
        (None, MalformedPayloadError),
    ],
)
def test_failures_told_with_status_200_are_failures(answer, error, scripted):
    client = scripted(lambda _request: httpx.Response(200, json=answer))
    with pytest.raises(error):
        Archives(client).biostudies.study("E-MTAB-1")


@pytest.fixture
def three(studies):
    """Studies of January and December 2020, and of 2021."""
    for number, (released, organism) in enumerate(
        [(date(2020, 12, 31), "Homo sapiens"), (date(2020, 1, 1), "Mus musculus"), (date(2021, 1, 1), "Homo sapiens")]
    ):
        study = SyntheticArrayExpressStudy(
            f"E-MTAB-90000{number}", title=f"Study {number} of hearts", released=released, organism=organism
        )
        study.add_array_assay()
        study.write(studies)
    return studies


def test_released_studies_are_told_oldest_first(three, archives_for):
    with LocalArchive(three).serve() as archive:
        page = archives_for(archive).biostudies.released(**YEAR_2020)
    assert page.total == 2
    assert page.rows == [
        {"accession": "E-MTAB-900001", "title": "Study 1 of hearts", "released": "2020-01-01", "modified": None},
        {"accession": "E-MTAB-900000", "title": "Study 0 of hearts", "released": "2020-12-31", "modified": None},
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"organisms": ["Mus musculus"]}, ["E-MTAB-900001"]),
        ({"organisms": ["MUS_MUSCULUS", "Homo sapiens"]}, ["E-MTAB-900001", "E-MTAB-900000"]),
        ({"organisms": ["Mus"]}, ["E-MTAB-900001"]),
        ({"keyword": "study 0"}, ["E-MTAB-900000"]),
        ({"keyword": 'x" OR accession:"E-MTAB-900000'}, []),
        ({"until": date(2021, 6, 1)}, ["E-MTAB-900001", "E-MTAB-900000", "E-MTAB-900002"]),
        ({"since": date(2022, 1, 1), "until": date(2022, 1, 1)}, []),
    ],
)
def test_released_studies_are_narrowed(asked, found, three, archives_for):
    with LocalArchive(three).serve() as archive:
        page = archives_for(archive).biostudies.released(**(YEAR_2020 | asked))
    assert [row["accession"] for row in page.rows] == found


def test_pages_follow_one_another(three, archives_for):
    with LocalArchive(three).serve() as archive:
        biostudies = archives_for(archive).biostudies
        pages = [biostudies.released(**YEAR_2020, page=number, page_size=1) for number in (1, 2, 3)]
        assert [row["accession"] for row in biostudies.every_released(**YEAR_2020)] == [
            "E-MTAB-900001",
            "E-MTAB-900000",
        ]
    assert [[row["accession"] for row in page.rows] for page in pages] == [["E-MTAB-900001"], ["E-MTAB-900000"], []]


def hit(number):
    return {"accession": f"E-MTAB-{number}", "title": " A study ", "release_date": "2020-02-03"}


@pytest.mark.parametrize(
    ("pages", "total", "found"),
    [
        ([range(100), range(100, 130)], 130, 130),
        ([range(100), []], 999, 100),
        ([range(100), range(50)], 999, 100),
    ],
)
def test_the_search_ends_with_the_total_or_a_page_without_news(pages, total, found, scripted):
    waiting = iter(pages)
    asked = []

    def answer(request):
        asked.append(request.url.params["page"])
        return httpx.Response(200, json={"totalHits": total, "hits": [hit(number) for number in next(waiting)]})

    rows = list(Archives(scripted(answer)).biostudies.every_released(**YEAR_2020))
    assert len({row["accession"] for row in rows}) == len(rows) == found
    assert asked == ["1", "2"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"hits": [], "totalHits": "many"},
        {"hits": [1], "totalHits": 1},
        {"hits": [{"accession": "E-MTAB-1"}], "totalHits": 1},
        {"hits": [{"release_date": "2020-01-01"}], "totalHits": 1},
    ],
)
def test_a_search_answer_without_studies_is_malformed(answer, scripted):
    client = scripted(lambda _request: httpx.Response(200, json=answer))
    with pytest.raises(MalformedPayloadError):
        Archives(client).biostudies.released(**YEAR_2020)


def test_taxonomy_ids_are_refused_in_words():
    with pytest.raises(InputError, match="scientific name"):
        discovery_query(**YEAR_2020, organisms=[9606])


def test_queries_are_those_of_the_search_syntax():
    query = discovery_query(**YEAR_2020, organisms=["Homo sapiens", "DANIO_RERIO"], keyword='the "heart"')
    assert query == (
        'release_date:[2020-01-01 TO 2020-12-31] AND (organism:"Homo sapiens" OR organism:"DANIO RERIO") '
        'AND "the heart"'
    )
