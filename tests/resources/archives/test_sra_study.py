from datetime import date

import httpx
import orjson
import pytest

from examples.local_archive import BUNDLED_STUDIES, Fault, LocalArchive
from examples.synthetic import SyntheticStudy
from refinebio_assets.domain.errors import ArchiveNotFoundError, TransientArchiveError, UnsupportedAccessionError
from resources.archives import Archives, fetch_sra_study
from resources.archives.ena import Ena, StudySearch, discovery_query


@pytest.fixture
def study(studies):
    study = SyntheticStudy("SRP900001", pubmed_id="99999999", title="Title of a paper")
    for number in range(12):
        study.add_run(attributes={"tissue": f"leaf {number}"} if number % 2 else None)
    study.write(studies)
    return study


def test_the_payload_of_the_bundled_study(archives_for):
    with LocalArchive(BUNDLED_STUDIES).serve() as archive:
        payload = fetch_sra_study(archives_for(archive), "SRP010938")
    assert payload["accession"] == payload["requested"] == "SRP010938"
    assert [run["run_accession"] for run in payload["read_run"]] == [
        "SRR446027",
        "SRR446029",
        "SRR446031",
        "SRR446039",
        "SRR446043",
    ]
    assert payload["study"][0]["secondary_study_accession"] == "SRP010938"
    assert payload["biosamples"] == {}
    assert payload["publication"]["pubmed_id"] == "24098335"
    assert payload["publication"]["doi"] == "10.1371/journal.pone.0074183"
    assert payload["publication"]["authors"][0] == "Howard BE"


@pytest.mark.parametrize(
    "requested",
    ["SRP900001", "PRJNA9000900001", "SRR900010003", "SRX900010003", "SRS900010003", "SAMN900010003", " srr900010003 "],
)
def test_any_accession_of_the_study_gives_the_whole_study(requested, study, studies, archives_for):
    with LocalArchive(studies).serve() as archive:
        payload = fetch_sra_study(archives_for(archive), requested)
    assert payload["accession"] == "SRP900001"
    assert [run["run_accession"] for run in payload["read_run"]] == [run.accession for run in study.runs]
    assert list(payload["biosamples"]) == [f"SAMN{run.accession[3:]}" for run in study.runs[1::2]]
    assert payload["publication"]["title"] == "Title of a paper"


def test_the_payload_is_the_same_bytes_every_time_and_for_every_part(study, studies, archives_for):
    with LocalArchive(studies).serve() as archive:
        archives = archives_for(archive)
        payloads = [fetch_sra_study(archives, accession) for accession in ("SRP900001", "SRP900001", "SRR900010003")]
    for payload in payloads:
        payload.pop("requested")
    assert len({orjson.dumps(payload) for payload in payloads}) == 1


def test_the_runs_of_a_study_cost_one_request_not_one_each(study, studies, archives_for):
    with LocalArchive(studies).serve() as archive:
        fetch_sra_study(archives_for(archive), "SRP900001")
        assert len(archive.requests_for("filereport")) == 1


def test_a_run_with_unmated_reads_has_three_files(studies, archives_for):
    study = SyntheticStudy("SRP900001")
    study.add_run(layout="PAIRED_WITH_UNMATED")
    study.write(studies)
    with LocalArchive(studies).serve() as archive:
        (run,) = fetch_sra_study(archives_for(archive), "SRP900001")["read_run"]
    assert [len(run[column].split(";")) for column in ("fastq_ftp", "fastq_bytes", "fastq_md5")] == [3, 3, 3]


def test_an_unknown_study_is_not_found(study, studies, archives_for):
    with LocalArchive(studies).serve() as archive:
        for accession in ("SRP900002", "SRR900019999", "PRJNA1"):
            with pytest.raises(ArchiveNotFoundError, match=accession):
                fetch_sra_study(archives_for(archive), accession)


def test_a_study_without_runs_keeps_its_study_row(studies, archives_for):
    SyntheticStudy("SRP900001").write(studies)
    with LocalArchive(studies).serve() as archive:
        payload = fetch_sra_study(archives_for(archive), "SRP900001")
    assert payload["read_run"] == []
    assert len(payload["study"]) == 1


@pytest.mark.parametrize("accession", ["GSE1000", "E-MTAB-3050", "GSM1000", "SRA000001", "not an accession"])
def test_accessions_of_other_archives_are_refused(accession, study, studies, archives_for):
    with LocalArchive(studies).serve() as archive:
        with pytest.raises(UnsupportedAccessionError):
            fetch_sra_study(archives_for(archive), accession)
        assert archive.requests == []


def test_a_failing_biosample_fails_the_study_instead_of_losing_attributes(study, studies, archives_for):
    with (
        LocalArchive(studies, [Fault(match="SAMN900010005", kind="status", status=503)]).serve() as archive,
        pytest.raises(TransientArchiveError, match="SAMN900010005"),
    ):
        fetch_sra_study(archives_for(archive), "SRP900001")


def test_a_private_biosample_is_absent(study, studies, archives_for):
    with LocalArchive(studies, [Fault(match="SAMN900010005", kind="status", status=403)]).serve() as archive:
        payload = fetch_sra_study(archives_for(archive), "SRP900001")
    assert "SAMN900010005" not in payload["biosamples"]
    assert len(payload["biosamples"]) == 5


@pytest.mark.parametrize("match", ["xref", "esummary"])
def test_a_publication_that_cannot_be_looked_up_does_not_fail_the_study(match, study, studies, archives_for, caplog):
    with LocalArchive(studies, [Fault(match=match, kind="status", status=500)]).serve() as archive:
        payload = fetch_sra_study(archives_for(archive), "SRP900001")
    assert payload["publication"] is None
    assert len(payload["read_run"]) == 12
    assert "publication of PRJNA9000900001 could not be looked up" in caplog.text


def test_runs_are_paged(study, studies, client_for):
    with LocalArchive(studies).serve() as archive:
        runs = Ena(client_for(archive), page_rows=5).runs("SRP900001")
        assert len(archive.requests_for("filereport")) == 3
    assert [run["run_accession"] for run in runs] == [run.accession for run in study.runs]


def test_runs_are_complete_when_the_archive_ignores_offsets(scripted):
    everything = [{"run_accession": f"SRR{number}"} for number in (1000001, 999999, 1000000)]

    def handler(request):
        limit = int(request.url.params["limit"])
        return httpx.Response(200, json=everything[: limit or None])

    runs = Ena(scripted(handler), page_rows=2).runs("SRP900001")
    assert [run["run_accession"] for run in runs] == ["SRR999999", "SRR1000000", "SRR1000001"]


def test_discovery_finds_bulk_rna_seq_studies_of_a_window(studies, client_for):
    def write(number, *, first, last, strategy="RNA-Seq", taxon=3702, model="Illumina HiSeq 2500"):
        study = SyntheticStudy(f"SRP90000{number}", taxonomy_id=taxon, first_public=first, last_updated=last)
        study.add_run(strategy=strategy, instrument_model=model)
        study.add_run(strategy=strategy, instrument_model=model)
        study.write(studies)

    write(1, first=date(2026, 1, 10), last=date(2026, 1, 10))
    write(2, first=date(2020, 1, 1), last=date(2026, 1, 31))
    write(3, first=date(2020, 1, 1), last=date(2025, 12, 31))
    write(4, first=date(2026, 1, 10), last=date(2026, 1, 10), strategy="ChIP-Seq")
    write(5, first=date(2026, 1, 10), last=date(2026, 1, 10), taxon=9606)
    write(6, first=date(2026, 1, 10), last=date(2026, 1, 10), model="PacBio RS")
    window = {"since": date(2026, 1, 1), "until": date(2026, 1, 31)}

    def accessions(rows):
        return [row["secondary_study_accession"][-1] for row in rows]

    with LocalArchive(studies).serve() as archive:
        ena = Ena(client_for(archive), page_rows=2)
        assert accessions(ena.studies_updated(**window)) == ["1", "2", "5", "6"]
        assert accessions(ena.studies_updated(**window, organisms=[3702])) == ["1", "2", "6"]
        assert accessions(ena.studies_updated(**window, organisms=["9606"])) == ["5"]
        assert accessions(ena.studies_updated(**window, organisms=["Arabidopsis thaliana"])) == ["1", "2", "5", "6"]
        models = ["Illumina HiSeq 2500", "NextSeq 500"]
        assert accessions(ena.studies_updated(**window, organisms=[3702, 10090], instrument_models=models)) == [
            "1",
            "2",
        ]
        assert accessions(ena.studies_updated(**window, limit=2, offset=1)) == ["2", "5"]
        assert ena.studies_updated(**window, offset=4) == []
        archive.forget_requests()
        assert accessions(ena.every_study_updated(**window)) == ["1", "2", "5", "6"]
        assert len(archive.requests) == 3
        (row,) = ena.studies_updated(since=date(2026, 1, 31), until=date(2026, 2, 1))
    assert row == {
        "first_public": "2020-01-01",
        "last_updated": "2026-01-31",
        "scientific_name": "Arabidopsis thaliana",
        "secondary_study_accession": "SRP900002",
    }


def test_quotes_cannot_leave_their_value_in_a_discovery_query():
    search = StudySearch(since=date(2026, 1, 1), until=date(2026, 1, 2), organisms=['x" OR tax_eq(1)'])
    query = discovery_query(search)
    assert query.endswith('(scientific_name="x  OR tax_eq(1)")')


def test_organisms_and_genomes_of_the_bundled_study(client_for):
    with LocalArchive().serve() as archive:
        archives = Archives(client_for(archive))
        assert archives.ncbi.taxonomy_id("ARABIDOPSIS_THALIANA") == 3702
        assert archives.ncbi.taxonomy_id("Homo neanderthalensis") is None
        assert archives.ncbi.scientific_name(3702) == "Arabidopsis thaliana"
        assert archives.ncbi.scientific_name(1) is None
        assert archives.ensembl.current_release("EnsemblPlants") == "57"
        genomes = archives.ensembl.species("EnsemblPlants")
        assert "arabidopsis_thaliana" in {genome["name"] for genome in genomes}
        folder = "https://ftp.ensemblgenomes.org/pub/release-57/plants/fasta/arabidopsis_thaliana/dna"
        assert archives.ensembl.exists(f"{folder}/Arabidopsis_thaliana.TAIR10.dna.toplevel.fa.gz")
        assert not archives.ensembl.exists(f"{folder}/Arabidopsis_thaliana.TAIR10.dna.primary_assembly.fa.gz")


def test_sra_objects_have_an_address_and_a_size(studies, client_for):
    study = SyntheticStudy("SRP900001")
    study.add_run("SRR900000001").sra = b"NCBI.sra" + bytes(100)
    study.write(studies)
    with LocalArchive(studies).serve() as archive:
        sra = Archives(client_for(archive)).sra
        assert sra.url("SRR1") == "https://sra-pub-run-odp.s3.amazonaws.com/sra/SRR1/SRR1"
        assert sra.size_bytes("SRR900000001") == 108
        assert sra.size_bytes("SRR900000002") is None
        archive.faults.add(Fault(match="sra-pub-run-odp", kind="status", status=403))
        assert sra.size_bytes("SRR900000002") is None
