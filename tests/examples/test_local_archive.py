import gzip
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from examples.local_archive import Fault, LocalArchive, main
from examples.synthetic import SyntheticStudy, fastq_folder, simulated_reads

CONTENT = gzip.compress(os.urandom(5000), mtime=0)
FILE = "/ftp.sra.ebi.ac.uk/vol1/fastq/SRR900/001/SRR900000001/SRR900000001.fastq.gz"
PORTAL = "/www.ebi.ac.uk/ena/portal/api"


@pytest.fixture
def study(tmp_path):
    study = SyntheticStudy("SRP900001")
    study.add_run("SRR900000001", fastq=[CONTENT], attributes={"tissue": "leaf"})
    study.write(tmp_path / "studies")
    return study


@pytest.fixture
def archive(study, tmp_path):
    with LocalArchive(tmp_path / "studies").serve() as archive:
        yield archive


@pytest.fixture
def http(archive):
    with httpx.Client(base_url=archive.url, trust_env=False) as http:
        yield http


def test_files_have_a_size_an_etag_and_their_bytes(http):
    head = http.head(FILE)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")
    whole = http.get(FILE)
    assert whole.content == CONTENT
    assert whole.headers["etag"] == head.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        ("bytes=0-9", slice(0, 10), "bytes 0-9/{n}"),
        ("bytes=100-", slice(100, None), "bytes 100-{last}/{n}"),
        ("bytes=-7", slice(-7, None), "bytes {tail}-{last}/{n}"),
        ("bytes=10-999999", slice(10, None), "bytes 10-{last}/{n}"),
    ],
)
def test_ranges_are_served(asked, expected, content_range, http):
    answer = http.get(FILE, headers={"Range": asked})
    n = len(CONTENT)
    assert answer.status_code == 206
    assert answer.content == CONTENT[expected]
    assert answer.headers["content-range"] == content_range.format(n=n, last=n - 1, tail=n - 7)


def test_a_range_behind_the_end_is_not_satisfiable(http):
    answer = http.get(FILE, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5"])
def test_ranges_it_does_not_know_give_the_whole_file(asked, http):
    assert http.get(FILE, headers={"Range": asked}).status_code == 200


def test_if_range_gives_the_rest_only_of_the_same_version(http):
    etag = http.head(FILE).headers["etag"]
    assert http.get(FILE, headers={"Range": "bytes=5-", "If-Range": etag}).status_code == 206
    assert http.get(FILE, headers={"Range": "bytes=5-", "If-Range": '"other"'}).content == CONTENT


@pytest.mark.parametrize(
    "path",
    [
        "/ftp.sra.ebi.ac.uk/../../../study.json",
        "/ftp.sra.ebi.ac.uk/%2e%2e/%2e%2e/study.json",
        "/ftp.sra.ebi.ac.uk/%2e%2e%2f%2e%2e%2fread_run.json",
        "/../study.json",
        "/%2e%2e/study.json",
        "/ftp.sra.ebi.ac.uk//etc/passwd",
        "/ftp.sra.ebi.ac.uk/%00",
        "/ftp.sra.ebi.ac.uk/link",
        "/ftp.sra.ebi.ac.uk/vol1",
        "/www.ebi.ac.uk/biosamples/samples/..%2fstudy",
        "/",
    ],
)
def test_nothing_outside_the_files_of_a_study_is_served(path, archive, tmp_path):
    (tmp_path / "studies/SRP900001/files/ftp.sra.ebi.ac.uk/link").symlink_to("/etc/passwd")
    host, port = archive.url.removeprefix("http://").split(":")
    # httpx would tidy the path first.
    connection = HTTPConnection(host, int(port))
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_what_no_study_has_is_answered_as_the_archive_would(http):
    assert http.get("/ftp.sra.ebi.ac.uk/vol1/nothing.gz").status_code == 404
    assert http.get(f"{PORTAL}/filereport", params={"accession": "SRP1", "result": "read_run"}).status_code == 204
    assert http.get(f"{PORTAL}/search", params={"result": "read_run", "includeAccessions": "SRP1"}).status_code == 204
    assert http.get(f"{PORTAL}/search", params={"result": "nonsense"}).status_code == 400
    assert http.get(f"{PORTAL}/search", params={"result": "study", "query": "(("}).status_code == 400
    assert http.get(f"{PORTAL}/filereport").status_code == 400
    assert http.get("/www.ebi.ac.uk/biosamples/samples/SAMN1").status_code == 404
    assert http.get("/www.ebi.ac.uk/ena/xref/rest/json/search", params={"accession": "SRP1"}).json() == []
    assert http.get("/rest.ensembl.org/info/software").status_code == 404
    assert http.get("/rest.ensembl.org/info/species").json() == {"species": []}


def test_taxonomy_is_answered_as_json_and_xml(http):
    eutils = "/eutils.ncbi.nlm.nih.gov/entrez/eutils"
    search = {"db": "taxonomy", "term": "Arabidopsis_thaliana"}
    assert "<Id>3702</Id>" in http.get(f"{eutils}/esearch.fcgi", params=search).text
    found = http.get(f"{eutils}/esearch.fcgi", params=search | {"retmode": "json"}).json()
    assert found["esearchresult"]["idlist"] == ["3702"]
    fetched = http.get(f"{eutils}/efetch.fcgi", params={"db": "taxonomy", "id": "3702,x,5"}).text
    assert "<ScientificName>Arabidopsis thaliana</ScientificName>" in fetched


def test_only_the_columns_asked_for_come_back(http):
    params = {"accession": "SRP900001", "result": "read_run", "fields": "run_accession,sex"}
    assert http.get(f"{PORTAL}/filereport", params=params).json() == [{"run_accession": "SRR900000001", "sex": ""}]
    (everything,) = http.get(f"{PORTAL}/filereport", params=params | {"fields": "all"}).json()
    assert len(everything) == 186


def test_studies_added_and_changed_on_disk_are_seen_at_once(study, http, tmp_path):
    params = {"result": "read_run", "fields": "run_accession"}
    assert len(http.get(f"{PORTAL}/search", params=params).json()) == 1
    study.add_run()
    study.write(tmp_path / "studies")
    assert len(http.get(f"{PORTAL}/search", params=params).json()) == 2
    another = SyntheticStudy("SRP900002")
    another.add_run()
    another.write(tmp_path / "studies")
    assert len(http.get(f"{PORTAL}/search", params=params).json()) == 3


def test_requests_are_logged_by_many_threads_without_loss(archive, http):
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: http.get(f"{FILE}?n={n}").status_code, range(100)))
    assert statuses == [200] * 100
    assert {request.query for request in archive.requests_for("fastq")} == {f"n={n}" for n in range(100)}
    assert {request.bytes_sent for request in archive.requests} == {len(CONTENT)}


def test_a_fault_happens_as_often_as_planned_and_only_where_it_matches(archive, http):
    archive.faults.add(Fault(match="fastq", kind="status", status=503, times=2, retry_after=4))
    assert http.get(f"{PORTAL}/search", params={"result": "study"}).status_code == 200
    answers = [http.get(FILE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "4"
    assert [request.fault for request in archive.requests_for("fastq")] == ["status", "status", None]


def test_a_study_folder_or_several_roots_may_be_served(study, tmp_path):
    other = SyntheticStudy("SRP900002")
    other.add_run()
    roots = [tmp_path / "studies" / "SRP900001", other.write(tmp_path / "others").parent, tmp_path / "not-there"]
    with LocalArchive(roots).serve() as archive, httpx.Client(trust_env=False) as http:
        rows = http.get(f"{archive.url}{PORTAL}/search", params={"result": "study"}).json()
    assert {row["secondary_study_accession"] for row in rows} == {"SRP900001", "SRP900002"}


def test_an_archive_that_does_not_serve_has_no_address(tmp_path):
    with pytest.raises(RuntimeError, match="serve"):
        _ = LocalArchive(tmp_path).url


def test_the_archive_runs_as_a_program(tmp_path, study):
    command = [sys.executable, "-u", "-m", "examples.local_archive", "--port", "0", "--root", str(tmp_path / "studies")]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        url = program.stderr.readline().split()[2]
        assert httpx.get(url + FILE, trust_env=False).content == CONTENT
    finally:
        program.terminate()
        program.wait()
        program.stderr.close()


def test_a_study_of_a_thousand_runs_is_written_and_reported(tmp_path):
    study = SyntheticStudy("SRP900003")
    for _ in range(1000):
        study.add_run(attributes={"tissue": "root"})
    study.write(tmp_path)
    assert len({run.accession for run in study.runs}) == 1000
    with LocalArchive(tmp_path).serve() as archive, httpx.Client(trust_env=False) as http:
        rows = http.get(
            f"{archive.url}{PORTAL}/filereport", params={"accession": "SRP900003", "result": "read_run", "limit": 0}
        ).json()
        assert len(rows) == 1000
        assert http.head(f"{archive.url}/{rows[-1]['fastq_ftp']}").headers["content-length"] == rows[-1]["fastq_bytes"]


@pytest.mark.parametrize(
    ("run", "folder"),
    [
        ("SRR446027", "vol1/fastq/SRR446/SRR446027"),
        ("SRR1603661", "vol1/fastq/SRR160/001/SRR1603661"),
        ("SRR12345649", "vol1/fastq/SRR123/049/SRR12345649"),
        ("SRR900000001", "vol1/fastq/SRR900/001/SRR900000001"),
    ],
)
def test_fastq_folders_follow_enas_rule(run, folder):
    assert fastq_folder(run) == folder


def test_controlled_access_runs_have_no_files(tmp_path):
    study = SyntheticStudy("SRP900004")
    run = study.add_run(controlled_access=True)
    study.write(tmp_path)
    assert run.columns["fastq_ftp"] == ""
    assert "dbGaP" in run.columns["study_title"]
    assert not (tmp_path / "SRP900004" / "files").exists()


def test_simulated_pairs_come_from_both_strands_of_their_transcript():
    transcript = "ACGTTGCAAC" * 60
    first, second = simulated_reads({"AT1G01010.1": transcript, "short": "ACGT"}, pairs=20, read_length=50)
    reads, mates = (content.decode().splitlines()[1::4] for content in (first, second))
    assert len(reads) == len(mates) == 20
    assert all(read in transcript for read in reads)
    assert all(mate.translate(str.maketrans("ACGT", "TGCA"))[::-1] in transcript for mate in mates)
    assert (first, second) == simulated_reads({"AT1G01010.1": transcript}, pairs=20, read_length=50)
    with pytest.raises(ValueError, match="50 bases"):
        simulated_reads({"short": "ACGT"}, pairs=1, read_length=50)


def test_a_folder_that_is_not_there_is_bad_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--root", str(tmp_path / "nowhere")])
    assert caught.value.code == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err
