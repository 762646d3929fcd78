"""Real answers of the archives, as recorded, read by the clients (sources: tests/data/archives/README.md)."""

import gzip
from pathlib import Path

import httpx
import pytest

from refinebio_assets.domain.errors import InputError, MalformedPayloadError, TransientArchiveError
from resources.archives import ArchiveClient, Archives, fetch_sra_study
from resources.archives.addresses import Mirror

RECORDED = Path(__file__).parents[2] / "data" / "archives"


def recorded(name):
    return gzip.decompress((RECORDED / f"{name}.gz").read_bytes())


ANSWERS = {
    "www.ebi.ac.uk/ena/portal/api/filereport": "ena_read_run_DRR002116.json",
    "www.ebi.ac.uk/ena/portal/api/search": "ena_study_DRP000595.json",
    "www.ebi.ac.uk/biosamples/samples/SAMD00004104": "biosample_SAMD00004104.json",
    "eutils.ncbi.nlm.nih.gov/entrez/eutils/esummary.fcgi": "pubmed_25549968.json",
    "rest.ensembl.org/info/genomes/division/EnsemblPlants": "ensembl_plants_genomes.json",
    "rest.ensembl.org/info/eg_version": "ensembl_eg_version.json",
    "rest.ensembl.org/info/species": "ensembl_species.json",
    "rest.ensembl.org/info/software": "ensembl_software.json",
    "ftp.ensemblgenomes.ebi.ac.uk/pub/fungi/current/species_EnsemblFungi.txt": "species_EnsemblFungi.txt",
}


def answer(request: httpx.Request) -> httpx.Response:
    name = ANSWERS.get(f"{request.url.host}{request.url.path}")
    if request.url.path == "/ena/xref/rest/json/search":
        return httpx.Response(200, json=[])
    return httpx.Response(404) if name is None else httpx.Response(200, content=recorded(name))


@pytest.fixture
def archives(scripted):
    return Archives(scripted(answer))


def test_a_read_run_row_has_all_of_enas_columns(archives):
    (run,) = archives.ena.runs("DRR002116")
    assert len(run) == 186
    assert list(run) == sorted(run)
    assert run["fastq_ftp"] == "ftp.sra.ebi.ac.uk/vol1/fastq/DRR002/DRR002116/DRR002116.fastq.gz"
    assert (run["secondary_study_accession"], run["library_strategy"]) == ("DRP000595", "RNA-Seq")


def test_a_study_row_with_two_secondary_accessions(archives):
    assert archives.ena.study("DRP000595")["secondary_study_accession"] == "DRP000670;DRP000595"


@pytest.mark.parametrize("requested", ["DRP000595", "DRR002116", "PRJDB90", "SAMD00004104", "DRX001563", "drs001521"])
def test_the_study_a_part_belongs_to_is_found(requested, archives):
    payload = fetch_sra_study(archives, requested)
    assert payload["accession"] == "DRP000595"
    assert payload["requested"] == requested.upper()
    assert payload["study_accessions"] == ["DRP000595", "DRP000670"]
    assert payload["study"][0]["study_accession"] == "PRJDB90"
    characteristics = payload["biosamples"]["SAMD00004104"]["characteristics"]
    assert characteristics["title"] == [{"text": "Gg_HH16_1_embryo_mRNAseq"}]
    assert payload["publication"] is None


def test_the_secondary_accession_that_was_asked_for_is_kept(archives):
    assert fetch_sra_study(archives, "DRP000670")["accession"] == "DRP000670"


def test_a_publication(archives):
    publication = archives.ncbi.publication("25549968")
    assert publication["pubmed_id"] == "25549968"
    assert publication["doi"] == "10.15252/msb.20145487"
    assert publication["title"].startswith("Integrated systems analysis reveals a molecular network")
    assert publication["authors"][0] == "Li J"
    assert len(publication["authors"]) == 9
    assert publication["journal"] == "Molecular systems biology"


def test_genomes_of_the_divisions(archives):
    plants = archives.ensembl.species("EnsemblPlants")
    assert len(plants) == 150
    (thale_cress,) = [genome for genome in plants if genome["name"] == "arabidopsis_thaliana"]
    assert (thale_cress["assembly_name"], thale_cress["species_taxonomy_id"]) == ("TAIR10", 3702)
    vertebrates = archives.ensembl.species("Ensembl")
    assert len(vertebrates) == 317
    assert {genome["assembly"] for genome in vertebrates if genome["name"] == "danio_rerio"} == {"GRCz11"}


def test_current_releases(archives):
    assert archives.ensembl.current_release("EnsemblVertebrates") == "110"
    assert archives.ensembl.current_release("EnsemblPlants") == "57"


def test_the_species_table_names_collections(archives):
    rows = [line.split("\t") for line in archives.ensembl.species_table("EnsemblFungi").splitlines()]
    column = {name.lstrip("#"): index for index, name in enumerate(rows[0])}
    (strain,) = [row for row in rows if row[column["assembly"]] == "Cand_albi_SC5314_V4"]
    assert strain[column["core_db"]] == "fungi_ascomycota2_collection_core_57_110_1"


def test_an_unknown_division_is_bad_input(archives):
    with pytest.raises(InputError, match="EnsemblMartians"):
        archives.ensembl.species("EnsemblMartians")


@pytest.mark.parametrize("body", [b'{"message": "no"}', b"[1, 2]", b'[{"run": "x"}]', b'"text"'])
def test_ena_answers_of_another_shape_are_malformed(body, scripted):
    archives = Archives(scripted(lambda _request: httpx.Response(200, content=body)))
    with pytest.raises(MalformedPayloadError):
        archives.ena.runs("SRP900001")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'{"result": []}'])
def test_ensembl_and_ncbi_answers_of_another_shape_are_malformed(body, scripted):
    archives = Archives(scripted(lambda _request: httpx.Response(200, content=body)))
    with pytest.raises(MalformedPayloadError):
        archives.ensembl.current_release("EnsemblPlants")
    with pytest.raises(MalformedPayloadError):
        archives.ncbi.taxonomy_id("Danio rerio")
    with pytest.raises(MalformedPayloadError):
        archives.ensembl.species("EnsemblVertebrates")


def test_ncbis_rate_limit_complaint_is_transient(scripted):
    complaint = {"error": "API rate limit exceeded", "api-key": "1.2.3.4", "count": "4", "limit": "3"}
    archives = Archives(scripted(lambda _request: httpx.Response(200, json=complaint)))
    with pytest.raises(TransientArchiveError, match="fewer requests"):
        archives.ncbi.taxonomy_id("Danio rerio")


def test_ncbi_is_told_who_asks_but_errors_do_not_show_the_key(scripted):
    asked = []

    def handler(request):
        asked.append(dict(request.url.params))
        return httpx.Response(400, json={"error": "bad"})

    archives = Archives(scripted(handler), ncbi_api_key="secret-key", contact_email="me@example.org")
    with pytest.raises(Exception, match="400") as raised:
        archives.ncbi.taxonomy_id("Danio rerio")
    assert asked[0] | {"tool": "refinebio", "email": "me@example.org", "api_key": "secret-key"} == asked[0]
    assert asked[0]["term"] == "Danio rerio"
    assert "secret-key" not in str(raised.value) + str(raised.value.to_dict())


def test_redirects_are_followed_between_archives_only(scripted):
    targets = {
        "/a": "https://ftp.ensemblgenomes.ebi.ac.uk/b",
        "/b": "http://ftp.ensembl.org/c",
        "/evil": "https://example.org/c",
        "/loop": "/loop",
        "/broken": "https://ftp.ensembl.org:x/",
    }

    def handler(request):
        location = targets.get(request.url.path)
        return (
            httpx.Response(200, text="there")
            if location is None
            else httpx.Response(302, headers={"location": location})
        )

    client = scripted(handler)
    assert client.get_text("https://ftp.ensemblgenomes.org/a") == "there"
    with pytest.raises(Exception, match=r"example\.org"):
        client.get_text("https://ftp.ensemblgenomes.org/evil")
    with pytest.raises(TransientArchiveError, match="Invalid URL"):
        client.get_text("https://ftp.ensemblgenomes.org/broken")
    with pytest.raises(TransientArchiveError, match="without end"):
        client.get_text("https://ftp.ensemblgenomes.org/loop")


def test_a_mirror_may_redirect_within_itself_and_archives_are_asked_through_it():
    asked = []

    def handler(request):
        asked.append(str(request.url))
        targets = {"/m/www.ebi.ac.uk/a": "/m/ftp.ebi.ac.uk/b", "/m/ftp.ebi.ac.uk/b": "https://ftp.ensembl.org/c"}
        location = targets.get(request.url.path)
        return (
            httpx.Response(200, text="there")
            if location is None
            else httpx.Response(307, headers={"location": location})
        )

    mirror = Mirror.from_setting("http://mirror.example.org/m")
    with ArchiveClient(mirror=mirror, transport=httpx.MockTransport(handler)) as client:
        assert client.get_text("https://www.ebi.ac.uk/a", {"q": "1"}) == "there"
    assert asked == [
        "http://mirror.example.org/m/www.ebi.ac.uk/a?q=1",
        "http://mirror.example.org/m/ftp.ebi.ac.uk/b",
        "http://mirror.example.org/m/ftp.ensembl.org/c",
    ]
