"""GEO by the real client: against a local archive, healthy and not, and against scripted answers."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tracemalloc
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from examples.local_archive import Fault, LocalArchive
from examples.synthetic_geo import SyntheticSeries
from refinebio_assets.domain.errors import (
    ArchiveNotFoundError,
    MalformedPayloadError,
    TransientArchiveError,
    UnsupportedAccessionError,
)
from refinebio_assets.survey.geo import survey_geo
from refinebio_assets.survey.geo_miniml import read_miniml_family
from refinebio_assets.survey.geo_soft import read_soft_family
from refinebio_assets.survey.registry import PlatformRegistry
from resources.archives import ArchiveClient, Archives
from resources.archives.geo import discovery_term, geo_folder
from resources.archives.miniml_archive import unpack_family
from resources.archives.rate_limit import EUTILS_HOST, HostRateLimits

REAL = Path(__file__).parents[2] / "data" / "geo"
SOFT = r"soft/GSE\d+_family\.soft\.gz"
YEAR_2020 = {"since": date(2020, 1, 1), "until": date(2020, 12, 31)}


@pytest.fixture
def series(studies):
    """Two series of 2020 and one of 2021; the second is a subseries of the first."""
    first = SyntheticSeries("GSE9000001", title="Livers of mice", subseries=["GSE9000002"], pubmed_id="900001")
    first.add_array_sample(platform="GPL1261")
    second = SyntheticSeries(
        "GSE9000002",
        title="Kidneys sequenced",
        published=date(2020, 12, 31),
        superseries=["GSE9000001"],
        sequence_study="SRP900001",
        project="PRJNA900001",
    )
    second.add_sequenced_sample()
    second.add_array_sample()
    third = SyntheticSeries("GSE9000003", published=date(2021, 1, 1))
    third.add_array_sample()
    for each in (first, second, third):
        each.write(studies)
    return studies


@pytest.fixture
def real(studies):
    """Real series of GEO as study folders, one of them as MINiML only, and a curated dataset."""
    for name, target in (
        ("GSE1074_family.soft.gz", "GSE1074/geo/GSE1074_family.soft.gz"),
        ("GSE71229_family.soft.gz", "GSE71229/geo/GSE71229_family.soft.gz"),
        ("GSE1611_family.soft.gz", "GSE1611/geo/GSE1611_family.soft.gz"),
        ("GDS994.soft.gz", "GSE1611/geo/GDS994.soft.gz"),
        ("GSE180363.miniml.xml.gz", "GSE180363/geo/GSE180363_family.xml.gz"),
    ):
        (studies / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / name, studies / target)
    return studies


def test_a_family_file_arrives_as_geo_has_it(real, tmp_path, archives_for):
    with LocalArchive(real).serve() as archive:
        path = archives_for(archive).geo.family("gse1074", tmp_path / "scratch")
        (request,) = archive.requests
    assert path == tmp_path / "scratch" / "GSE1074_family.soft.gz"
    assert path.read_bytes() == (REAL / "GSE1074_family.soft.gz").read_bytes()
    assert request.target == "ftp.ncbi.nlm.nih.gov/geo/series/GSE1nnn/GSE1074/soft/GSE1074_family.soft.gz"


def test_a_real_series_goes_from_the_archive_to_its_samples(real, tmp_path, archives_for):
    with LocalArchive(real).serve() as archive:
        family = read_soft_family(archives_for(archive).geo.family("GSE71229", tmp_path))
    surveyed = survey_geo(family.to_payload("GSE71229"), PlatformRegistry.load())
    assert len(surveyed.samples) == 12
    assert surveyed.experiment.first_published == date(2015, 11, 27)
    assert {"SRP061434", "PRJNA290643"} <= set(surveyed.experiment.aliases)


def test_a_plain_family_file_is_compressed_by_the_archive(real, tmp_path, archives_for):
    packed = real / "GSE1074/geo/GSE1074_family.soft.gz"
    plain = gzip.decompress(packed.read_bytes())
    packed.with_suffix("").write_bytes(plain)
    packed.unlink()
    with LocalArchive(real).serve() as archive:
        path = archives_for(archive).geo.family("GSE1074", tmp_path)
    assert gzip.decompress(path.read_bytes()) == plain


def test_miniml_is_taken_where_there_is_no_soft(real, tmp_path, archives_for):
    with LocalArchive(real).serve() as archive:
        path = archives_for(archive).geo.family("GSE180363", tmp_path / "scratch")
        asked = [request.path.rpartition("/")[2] for request in archive.requests]
    assert asked == ["GSE180363_family.soft.gz", "GSE180363_family.xml.tgz"]
    assert [each.name for each in path.parent.iterdir()] == ["GSE180363_family.xml"]
    assert read_miniml_family(path).accession() == "GSE180363"


def test_a_series_without_any_family_file_is_not_found(series, tmp_path, archives_for):
    with LocalArchive(series).serve() as archive, pytest.raises(ArchiveNotFoundError, match="GSE9999999"):
        archives_for(archive).geo.family("GSE9999999", tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("text", ["GSM1", "SRP900001", "GSE1/../../x", "nonsense"])
def test_only_series_have_family_files(text, tmp_path, scripted):
    def refuse(request):
        pytest.fail(f"asked {request.url}")

    with pytest.raises(UnsupportedAccessionError):
        Archives(scripted(refuse)).geo.family(text, tmp_path)


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "status", "corrupt", "truncated_gzip"])
def test_a_fault_that_passes_is_not_seen(kind, series, tmp_path, archives_for):
    faults = [Fault(match=SOFT, kind=kind, times=1)]
    with LocalArchive(series, faults).serve() as archive:
        path = archives_for(archive).geo.family("GSE9000001", tmp_path)
    assert read_soft_family(path).accession() == "GSE9000001"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", TransientArchiveError),
        ("truncate", TransientArchiveError),
        ("html", TransientArchiveError),
        ("status", TransientArchiveError),
        ("corrupt", MalformedPayloadError),
        ("truncated_gzip", MalformedPayloadError),
    ],
)
def test_a_fault_that_stays_is_an_error_and_leaves_no_family_file(kind, error, series, tmp_path, archives_for):
    with LocalArchive(series, [Fault(match=SOFT, kind=kind)]).serve() as archive, pytest.raises(error):
        archives_for(archive).geo.family("GSE9000001", tmp_path)
    assert not (tmp_path / "GSE9000001_family.soft.gz").exists()


def test_a_stalled_download_goes_on(series, tmp_path, archives_for):
    faults = [Fault(match=SOFT, kind="slow", seconds=30, times=1)]
    with LocalArchive(series, faults).serve() as archive:
        path = archives_for(archive, timeout_seconds=0.3).geo.family("GSE9000001", tmp_path)
    assert read_soft_family(path).accession() == "GSE9000001"


@pytest.mark.parametrize(
    ("accession", "belongs_to"),
    [
        ("GSM12218", ["GSE1074"]),
        ("GSM1831014", ["GSE71229", "GSE71235"]),
        ("GDS994", ["GSE1611"]),
        ("GPL1261", ["GSE1074"]),
        ("GSE1074", ["GSE1074"]),
        ("GSM1", []),
        ("GSE2", []),
        ("SRP061434", []),
    ],
)
def test_accessions_lead_to_their_series(accession, belongs_to, real, archives_for):
    with LocalArchive(real).serve() as archive:
        assert archives_for(archive).geo.series_of(accession) == belongs_to


def test_a_sample_of_a_subseries_belongs_to_the_superseries_too(series, archives_for):
    with LocalArchive(series).serve() as archive:
        assert archives_for(archive).geo.series_of("GSM900020000") == ["GSE9000001", "GSE9000002"]


def test_published_series_are_told_in_full(series, archives_for):
    with LocalArchive(series).serve() as archive:
        page = archives_for(archive).geo.published(**YEAR_2020)
    assert page.total == 2
    newest, oldest = page.rows
    assert newest == {
        "accession": "GSE9000002",
        "title": "Kidneys sequenced",
        "organisms": ["Homo sapiens"],
        "type": "Expression profiling by array",
        "published": "2020-12-31",
        "samples": 2,
        "platforms": ["GPL16791", "GPL570"],
        "pubmed_ids": [],
        "bioproject": "PRJNA900001",
    }
    assert (oldest["accession"], oldest["pubmed_ids"], oldest["bioproject"]) == ("GSE9000001", ["900001"], None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"organisms": ["Mus musculus"]}, {"GSE9000001"}),
        ({"organisms": ["MUS_MUSCULUS", "Homo sapiens"]}, {"GSE9000001", "GSE9000002"}),
        ({"organisms": [10090]}, {"GSE9000001"}),
        ({"keyword": "kidneys"}, {"GSE9000002"}),
        ({"keyword": "livers of"}, {"GSE9000001"}),
        ({"keyword": 'x" OR gse[ETYP]'}, set()),
        ({"since": date(2020, 12, 31)}, {"GSE9000002"}),
        ({"until": date(2021, 1, 1)}, {"GSE9000001", "GSE9000002", "GSE9000003"}),
        ({"since": date(2022, 1, 1), "until": date(2022, 1, 2)}, set()),
    ],
)
def test_published_series_are_narrowed(asked, found, series, archives_for):
    with LocalArchive(series).serve() as archive:
        page = archives_for(archive).geo.published(**(YEAR_2020 | asked))
    assert {row["accession"] for row in page.rows} == found
    assert page.total == len(found)


def test_pages_follow_one_another(series, archives_for):
    with LocalArchive(series).serve() as archive:
        geo = archives_for(archive).geo
        pages = [geo.published(**YEAR_2020, limit=1, offset=offset) for offset in (0, 1, 2)]
    assert [[row["accession"] for row in page.rows] for page in pages] == [["GSE9000002"], ["GSE9000001"], []]
    assert {page.total for page in pages} == {2}


def summary(number, **fields):
    return {
        "uid": str(200_000_000 + number),
        "accession": f"GSE{number}",
        "entrytype": "GSE",
        "pdat": "2020/02/03",
        "taxon": "Mus musculus; Homo sapiens",
        "gpl": "570;1261",
        "n_samples": 3,
    } | fields


def entrez(pages, *, total):
    """Answers of the E-utilities: the uids of each page in turn, and their summaries."""
    waiting = iter(pages)

    def answer(request):
        if "esearch" in request.url.path:
            uids = [str(200_000_000 + number) for number in next(waiting)]
            return httpx.Response(200, json={"esearchresult": {"count": str(total), "idlist": uids}})
        uids = parse_qs(request.content.decode())["id"][0].split(",")
        records = {uid: summary(int(uid) - 200_000_000) for uid in uids}
        return httpx.Response(200, json={"result": {"uids": uids, **records}})

    return answer


def test_all_pages_are_read_until_the_total_is_reached(scripted):
    geo = Archives(scripted(entrez([range(1, 501), range(501, 701)], total=700))).geo
    assert len({row["accession"] for row in geo.every_published(**YEAR_2020)}) == 700


@pytest.mark.parametrize(("per_second", "seconds"), [(3, 1.0), (10, 0.3)])
def test_searches_and_summaries_share_ncbis_rate(per_second, seconds):
    waits = []
    limits = HostRateLimits(100, of_host={EUTILS_HOST: per_second}, clock=lambda: sum(waits), sleep=waits.append)
    transport = httpx.MockTransport(entrez([range(1, 501), range(501, 601)], total=600))
    with ArchiveClient(rate_limits=limits, transport=transport) as client:
        assert len(list(Archives(client).geo.every_published(**YEAR_2020))) == 600
    assert sum(waits) == pytest.approx(seconds)  # four requests, the first of which need not wait


@pytest.mark.parametrize("last", [[], [1, 2]])
def test_an_empty_or_repeated_page_ends_the_search(last, scripted):
    geo = Archives(scripted(entrez([[1, 2], last], total=99_999))).geo
    assert [row["accession"] for row in geo.every_published(**YEAR_2020)] == ["GSE1", "GSE2"]


def test_the_key_and_the_tool_go_with_every_request_and_into_no_error(scripted):
    seen = []

    def answer(request):
        params = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        seen.append({name: params[name][0] for name in ("tool", "email", "api_key")})
        if "esearch" in request.url.path:
            return entrez([[1]], total=1)(request)
        return httpx.Response(503)

    archives = Archives(scripted(answer), ncbi_api_key="s3cret", contact_email="a@example.org")
    with pytest.raises(TransientArchiveError) as raised:
        archives.geo.published(**YEAR_2020)
    assert seen == [{"tool": "refinebio", "email": "a@example.org", "api_key": "s3cret"}] * 4
    assert "s3cret" not in str(raised.value)
    assert "example.org" not in str(raised.value)


def answering(search, summaries=None):
    return lambda request: httpx.Response(200, json=search if "esearch" in request.url.path else summaries)


@pytest.mark.parametrize(
    ("search", "summaries", "error"),
    [
        ({"esearchresult": {"ERROR": "Search Backend failed"}}, None, TransientArchiveError),
        ({"error": "API rate limit exceeded"}, None, TransientArchiveError),
        ({"esearchresult": {"count": "1"}}, None, MalformedPayloadError),
        ({"esearchresult": {"count": "x", "idlist": []}}, None, MalformedPayloadError),
        ([], None, MalformedPayloadError),
        ({"esearchresult": {"count": "1", "idlist": ["200000001"]}}, {"result": []}, MalformedPayloadError),
        (
            {"esearchresult": {"count": "1", "idlist": ["200000001"]}},
            {"result": {"200000001": summary(1, pdat="soon")}},
            MalformedPayloadError,
        ),
        (
            {"esearchresult": {"count": "1", "idlist": ["200000001"]}},
            {"result": {"200000001": summary(1, accession="GSM1")}},
            MalformedPayloadError,
        ),
    ],
)
def test_answers_that_are_none_are_errors(search, summaries, error, scripted):
    with pytest.raises(error):
        Archives(scripted(answering(search, summaries))).geo.published(**YEAR_2020)


def test_a_record_that_vanished_between_search_and_summary_is_left_out_with_a_warning(scripted, caplog):
    search = {"esearchresult": {"count": "2", "idlist": ["200000001", "200000002"]}}
    summaries = {"result": {"200000001": {"error": "cannot get document summary"}, "200000002": summary(2)}}
    page = Archives(scripted(answering(search, summaries))).geo.published(**YEAR_2020)
    assert [row["accession"] for row in page.rows] == ["GSE2"]
    assert "200000001" in caplog.text


def test_one_odd_record_does_not_hide_the_rest_of_its_page(scripted, caplog):
    search = {"esearchresult": {"count": "2", "idlist": ["200000001", "200000002"]}}
    summaries = {"result": {"200000001": summary(1, pdat="soon"), "200000002": summary(2)}}
    page = Archives(scripted(answering(search, summaries))).geo.published(**YEAR_2020)
    assert [row["accession"] for row in page.rows] == ["GSE2"]
    assert "200000001" in caplog.text


def test_web_pages_of_the_search_are_tried_again(series, archives_for, sleeps):
    with LocalArchive(series, [Fault(match="esearch", kind="html", times=1)]).serve() as archive:
        assert archives_for(archive).geo.published(**YEAR_2020).total == 2
    assert len(sleeps) == 1


def test_queries_are_those_geo_documents():
    term = discovery_term(
        since=date(2020, 1, 2), until=date(2020, 3, 4), organisms=["Danio rerio", 9606], keyword="heart"
    )
    assert term == ('gse[ETYP] AND 2020/01/02:2020/03/04[PDAT] AND ("Danio rerio"[ORGN] OR txid9606[ORGN]) AND "heart"')


@pytest.mark.parametrize(
    ("accession", "folder"),
    [("GSE1", "GSEnnn"), ("GSE999", "GSEnnn"), ("GSE1000", "GSE1nnn"), ("GSE123456", "GSE123nnn")],
)
def test_series_lie_in_folders_of_a_thousand(accession, folder):
    assert geo_folder(accession) == folder


def tar(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def unpack(content, folder):
    archive = folder / "GSE1_family.xml.tar.gz"
    archive.write_bytes(content)
    return unpack_family(archive, "GSE1_family.xml", url="https://ftp.ncbi.nlm.nih.gov/x")


def test_only_the_document_is_unpacked_whatever_its_member_is_called(tmp_path):
    content = tar(("../../evil.txt", b"x"), ("/etc/../GSE1_family.xml", b"<MINiML/>"), ("after.txt", b"y"))
    folder = tmp_path / "inner"
    folder.mkdir()
    assert unpack(content, folder).read_bytes() == b"<MINiML/>"
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "GSE1_family.xml"]


def linked():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("GSE1_family.xml")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    return gzip.compress(buffer.getvalue(), mtime=0)


@pytest.mark.parametrize(
    "content", [tar(("other.xml", b"x")), linked(), gzip.compress(b"no tar archive" * 99, mtime=0), b"no gzip", b""]
)
def test_an_archive_without_the_document_is_malformed_and_leaves_nothing(content, tmp_path):
    with pytest.raises(MalformedPayloadError):
        unpack(content, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_breaks_off_is_malformed(tmp_path):
    whole = gzip.decompress(tar(("GSE1_family.xml", b"<MINiML>" + b"x" * 50_000)))
    with pytest.raises(MalformedPayloadError):
        unpack(gzip.compress(whole[:20_000]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_document_of_absurd_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.archives.miniml_archive.LARGEST_DOCUMENT_BYTES", 10)
    with pytest.raises(MalformedPayloadError, match="more than 10 bytes"):
        unpack(tar(("GSE1_family.xml", b"x" * 11)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_header_of_absurd_size_is_refused_before_it_is_in_memory(tmp_path):
    header = tarfile.TarInfo("records")
    header.type, header.size = tarfile.XHDTYPE, 32 * 2**20
    content = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(header.size))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedPayloadError, match="limit: a header has more than"):
            unpack(content, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
