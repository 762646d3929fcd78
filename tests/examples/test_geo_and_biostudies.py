"""What the local archive answers as GEO and BioStudies."""

from __future__ import annotations

import gzip
import shutil
from datetime import date
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from examples.local_archive import LocalArchive
from examples.synthetic import SyntheticStudy
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries

REAL = Path(__file__).parents[1] / "data" / "geo"
EUTILS = "/eutils.ncbi.nlm.nih.gov/entrez/eutils"
BIOSTUDIES = "/www.ebi.ac.uk/biostudies/api/v1"


@pytest.fixture
def http(tmp_path):
    (tmp_path / "studies").mkdir()
    with (
        LocalArchive(tmp_path / "studies").serve() as archive,
        httpx.Client(base_url=archive.url, trust_env=False) as http,
    ):
        yield http


def search(http, term, **params):
    found = http.get(f"{EUTILS}/esearch.fcgi", params={"db": "gds", "term": term, "retmode": "json"} | params)
    return found.json()["esearchresult"]


def write_series(root, **fields):
    series = SyntheticSeries("GSE9000001", **fields)
    series.add_array_sample()
    return series.write(root / "studies")


def write_study(root):
    study = SyntheticArrayExpressStudy("E-MTAB-900001")
    study.add_array_assay()
    return study.write(root / "studies")


def test_folders_of_one_archive_alone_are_studies_as_soon_as_they_are_there(http, tmp_path):
    assert search(http, "gse[ETYP]")["count"] == "0"
    assert http.get(f"{BIOSTUDIES}/studies/E-MTAB-900001").status_code == 404
    write_series(tmp_path)
    write_study(tmp_path)
    assert search(http, "gse[ETYP]")["idlist"] == ["209000001"]
    assert http.get(f"{BIOSTUDIES}/studies/E-MTAB-900001").json()["accno"] == "E-MTAB-900001"
    run = SyntheticStudy("SRP900001")
    run.add_run()
    run.write(tmp_path / "studies")
    rows = http.get("/www.ebi.ac.uk/ena/portal/api/search", params={"result": "read_run"}).json()
    assert len(rows) == 1


def test_a_changed_family_file_changes_the_answers(http, tmp_path):
    write_series(tmp_path)
    assert search(http, "2022[TITL]")["count"] == "0"
    write_series(tmp_path, title="Made in 2022", published=date(2022, 1, 1))
    assert search(http, "2022[TITL] AND 2022/01/01[PDAT]")["count"] == "1"


@pytest.mark.parametrize(
    ("term", "count"),
    [
        ("GSE71229[ACCN]", 14),
        ("GSE71229[GEO Accession] AND gse[Entry Type]", 1),
        ("GSM1831014[ACCN]", 2),
        ("GPL13112[ACCN] AND gse[ETYP]", 1),
        ("gsm[ETYP]", 12),
        ('"Mus musculus"[Organism] AND gse[ETYP]', 1),
        ("txid10090[ORGN] AND gse[ETYP]", 1),
        ("txid9606[ORGN]", 0),
        ("MECP2 duplication", 1),
        ("2015/11/27[PDAT] AND gse[ETYP]", 1),
        ("2015/11:2015/12[PDAT] AND gse[ETYP]", 1),
        ("2016:2017[PDAT]", 0),
        ("SRR1[ACCN]", 0),
    ],
)
def test_a_real_series_is_found_as_entrez_finds_it(term, count, http, tmp_path):
    folder = tmp_path / "studies" / "GSE71229" / "geo"
    folder.mkdir(parents=True)
    shutil.copy(REAL / "GSE71229_family.soft.gz", folder)
    assert search(http, term)["count"] == str(count)


def test_summaries_have_entrez_fields(http, tmp_path):
    folder = tmp_path / "studies" / "GSE71229" / "geo"
    folder.mkdir(parents=True)
    shutil.copy(REAL / "GSE71229_family.soft.gz", folder)
    asked = {"db": "gds", "id": "200071229,301831014,5", "retmode": "json"}
    result = http.post(f"{EUTILS}/esummary.fcgi", data=asked).json()["result"]
    series, sample = result["200071229"], result["301831014"]
    assert (series["gpl"], series["taxon"], series["pdat"]) == ("13112", "Mus musculus", "2015/11/27")
    assert (series["n_samples"], series["pubmedids"], series["bioproject"]) == (12, ["26605526"], "PRJNA290643")
    assert series["extrelations"][0]["targetobject"] == "SRP061434"
    assert (sample["entrytype"], sample["gse"]) == ("GSM", "71229;71235")
    assert "error" in result["5"]


@pytest.mark.parametrize("term", ["", "a[NOFIELD]", "(gse[ETYP]", "AND"])
def test_terms_entrez_would_not_take_are_told_as_an_error(term, http):
    assert "Invalid query" in search(http, term)["ERROR"]


def test_organisms_of_geo_are_known_to_the_taxonomy(http, tmp_path):
    write_series(tmp_path)
    asked = {"db": "taxonomy", "term": "Homo sapiens", "retmode": "json"}
    found = http.get(f"{EUTILS}/esearch.fcgi", params=asked).json()
    assert found["esearchresult"]["idlist"] == ["9606"]


def test_family_files_are_also_served_from_the_files_of_a_study(http, tmp_path):
    folder = write_series(tmp_path)
    path = "ftp.ncbi.nlm.nih.gov/geo/series/GSE9000nnn/GSE9000001/soft/GSE9000001_family.soft.gz"
    content = http.get(f"/{path}").content
    assert content == (folder / "geo/GSE9000001_family.soft.gz").read_bytes()
    (folder / "geo/GSE9000001_family.soft").write_bytes(gzip.decompress(content))
    (folder / "geo/GSE9000001_family.soft.gz").rename(folder / "moved.gz")
    assert gzip.decompress(http.get(f"/{path}").content) == gzip.decompress(content)
    other = folder / "files" / path.replace("9000001", "9000002")
    other.parent.mkdir(parents=True)
    (folder / "moved.gz").rename(other)
    assert http.get(f"/{path.replace('9000001', '9000002')}").content == content
    assert http.get(f"/{path.replace('9000001', '9000003')}").status_code == 404


def test_files_of_a_study_are_served_below_its_accession(http, tmp_path):
    write_study(tmp_path)
    answer = http.get("/www.ebi.ac.uk/biostudies/files/E-MTAB-900001/E-MTAB-900001.idf.txt")
    assert answer.text.startswith("MAGE-TAB Version\t1.1\n")
    assert answer.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/www.ebi.ac.uk/biostudies/files/E-MTAB-900001/../study.json",
        "/www.ebi.ac.uk/biostudies/files/E-MTAB-900001/%2e%2e/study.json",
        "/www.ebi.ac.uk/biostudies/files/E-MTAB-900001/..%2f..%2f..%2fpubmed.json",
        "/www.ebi.ac.uk/biostudies/files/%2e%2e/E-MTAB-900001/study.json",
        "/www.ebi.ac.uk/biostudies/api/v1/studies/..%2fE-MTAB-900001",
    ],
)
def test_nothing_beside_the_files_of_a_study_is_served(path, http, tmp_path):
    write_study(tmp_path)
    # httpx would tidy the path first.
    connection = HTTPConnection(http.base_url.host, http.base_url.port)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("collection", ["/arrayexpress", "/ArrayExpress", ""])
def test_the_search_answers_in_pages(collection, http, tmp_path):
    write_study(tmp_path)
    params = {"query": "release_date:[2019-01-01 TO *] AND hearts OR test", "page": 1, "pageSize": 5}
    answer = http.get(f"{BIOSTUDIES}{collection}/search", params=params).json()
    assert (answer["page"], answer["pageSize"], answer["totalHits"]) == (1, 5, 1)
    assert (answer["hits"][0]["accession"], answer["hits"][0]["release_date"]) == ("E-MTAB-900001", "2020-01-01")
    assert http.get(f"{BIOSTUDIES}{collection}/search").json()["totalHits"] == 1


@pytest.mark.parametrize("query", ["(", "nofield:x", "a AND", "release_date:["])
def test_queries_the_search_cannot_read_are_its_own_failure(query, http):
    assert http.get(f"{BIOSTUDIES}/arrayexpress/search", params={"query": query}).status_code == 500
