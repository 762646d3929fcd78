"""``refinebio survey``, ``ingest`` and ``resolve`` over every archive: GEO, ArrayExpress, ENA, Ensembl."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries
from tests.end_to_end.conftest import Command, Install
from tests.end_to_end.installation import Installation
from tests.sensors.ticks import Ticks, let_time_pass

pytestmark = pytest.mark.end_to_end

MIXED, MIXED_READS = "GSE9000001", "SRP900301"
STUDY, STUDY_READS = "E-MTAB-900001", "ERP900302"
ORGANISM = "Arabidopsis thaliana"
QUICK = {"archive_attempts": "1", "archive_timeout_seconds": "2"}


def mixed_series(root: Path, *, fastq: tuple[bytes, bytes] | None = None) -> SyntheticSeries:
    """Two arrays, one array of an unsupported platform, two sequenced samples, and the study with their reads."""
    study = SyntheticStudy(MIXED_READS, columns={"geo_accession": MIXED})
    series = SyntheticSeries(MIXED, sequence_study=MIXED_READS, project=study.project)
    for _ in range(2):
        series.add_array_sample(characteristics={"tissue": "liver"})
    series.add_array_sample(platform="GPL6480", cel=None)
    for _ in range(2):
        number = len(series.samples)
        run = f"SRR9{study.number % 10_000:04d}{len(study.runs):04d}"
        sample = series.add_sequenced_sample(experiment=f"SRX{run[3:]}", organism_ch1=ORGANISM, taxid_ch1="3702")
        title = f"{sample.accession}: sample {number}; {ORGANISM}; RNA-Seq"
        study.add_run(run, fastq=fastq, experiment_title=title)
    study.write(root)
    series.write(root)
    return series


def mixed_study(root: Path) -> SyntheticArrayExpressStudy:
    """An array and a sequencing assay, whose study ENA knows by its run only."""
    study = SyntheticArrayExpressStudy(STUDY)
    study.add_array_assay(characteristics={"organism part": "liver"})
    study.add_sequencing_assay(run="ERR900000001")
    reads = SyntheticStudy(STUDY_READS, columns={"study_alias": STUDY})
    reads.add_run("ERR900000001", experiment_accession="ERX900000001")
    reads.write(root)
    study.write(root)
    return study


def states(installation: Installation) -> dict[str, tuple[str, str]]:
    """State and reason of everything in the ledger."""
    from sqlalchemy import select

    from resources.catalog.models import LedgerEntry

    with installation.catalog() as catalog, catalog.reading() as session:
        rows = session.execute(select(LedgerEntry.accession, LedgerEntry.state, LedgerEntry.reason))
        return {row.accession: (str(row.state), row.reason) for row in rows}


def payloads(installation: Installation) -> dict[str, str]:
    """The hash of the current payload of every experiment."""
    folder = installation.objects / "source_metadata"
    return {path.parent.name: path.read_text().strip() for path in folder.glob("*/current")}


def test_a_survey_of_a_series_follows_the_study_with_its_reads(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = mixed_series(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "survey", MIXED)

    (item,) = answer["items"]
    assert (status, item["query"], item["outcome"], item["experiment"]) == (0, MIXED, "done", MIXED)
    assert item["states"] == {"superseded": 2, "surveyed": 2, "unsupported_platform": 1}
    (linked,) = item["linked"]
    assert (linked["experiment"], linked["outcome"], linked["states"]) == (MIXED_READS, "done", {"surveyed": 2})
    assert answer["summary"] == {"items": 1, "experiments": 2, "outcomes": {"done": 1}}
    found = states(installation)
    assert {each.accession for each in series.samples} <= found.keys()
    assert found[series.samples[3].accession] == ("superseded", "processed_from_sra")
    with installation.session() as session:
        assert set(session.instance.get_dynamic_partitions("experiments")) == {MIXED, MIXED_READS}
        assert session.linked_studies(MIXED) == [MIXED_READS]
        assert session.linked_studies(MIXED_READS) == []


@pytest.mark.parametrize("query", ["E-GEOD-9000001", "e-geod-9000001", " GSE9000001", "GSM900010000", "gsm900010002"])
def test_copies_and_samples_of_a_series_stand_for_it(
    install: Install, command: Command, tmp_path: Path, query: str
) -> None:
    mixed_series(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "survey", query)

    (item,) = answer["items"]
    assert (status, item["query"], item["experiment"]) == (0, query.strip(), MIXED)


def test_an_ingest_expresses_the_reads_and_says_what_the_arrays_wait_for(
    install: Install, command: Command, tmp_path: Path, transcripts: dict[str, str]
) -> None:
    mixed_series(tmp_path / "studies", fastq=simulated_reads(transcripts, pairs=300))
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "ingest", MIXED)

    (item,) = answer["items"]
    assert (status, item["outcome"]) == (1, "waiting")
    assert "2 arrays wait. There is no chip annotation of hgu133plus2 yet." in item["message"]
    assert item["states"]["surveyed"] == 2
    assert item["linked"][0]["states"] == {"processed": 2}
    assert installation.expression(MIXED_READS).is_file()


def test_an_array_express_study_is_followed_by_its_run(install: Install, command: Command, tmp_path: Path) -> None:
    mixed_study(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "survey", STUDY)

    (item,) = answer["items"]
    assert (status, item["states"]) == (0, {"superseded": 1, "surveyed": 1})
    assert [each["experiment"] for each in item["linked"]] == [STUDY_READS]
    assert states(installation)[f"{STUDY}-chip_1"] == ("surveyed", "eligible")


def test_every_name_resolves_in_one_mixed_list(install: Install, command: Command, tmp_path: Path) -> None:
    series = mixed_series(tmp_path / "studies")
    mixed_study(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    assert command(installation, "survey", MIXED, STUDY)[0] == 0
    array, sequenced = series.samples[0].accession, series.samples[3].accession
    expected = {
        MIXED: [MIXED],
        "E-GEOD-9000001": [MIXED],
        MIXED_READS: [MIXED_READS],
        array: [MIXED],
        sequenced: [MIXED_READS],
        "SRR903010000": [MIXED_READS],
        "SRX903010001": [MIXED_READS],
        STUDY: [STUDY],
        STUDY_READS: [STUDY_READS],
        "ERR900000001": [STUDY_READS],
        f"{STUDY}-chip_1": [STUDY],
        f"{STUDY}-chip 1": [STUDY],
    }

    status, answer = command(installation, "resolve", *expected)

    assert status == 0
    assert {item["query"]: item["experiments"] for item in answer["items"]} == expected
    assert [item["query"] for item in answer["items"]] == list(expected)
    status, answer = command(installation, "resolve", "GPL570", "GSE404", "nonsense")
    assert [item["outcome"] for item in answer["items"]] == ["unsupported", "not_found", "unsupported"]


def test_a_series_of_reads_alone_gives_way_to_their_study(install: Install, command: Command, tmp_path: Path) -> None:
    study = SyntheticStudy(MIXED_READS, columns={"geo_accession": MIXED})
    series = SyntheticSeries(MIXED, project=study.project)
    sample = series.add_sequenced_sample(experiment="SRX903010000")
    study.add_run("SRR903010000", sample_alias=sample.accession)
    study.write(tmp_path / "studies")
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    assert command(installation, "survey", MIXED)[0] == 0

    assert states(installation)[MIXED][0] == "superseded"
    _, answer = command(installation, "resolve", MIXED, sample.accession, study.project)
    assert [item["experiments"] for item in answer["items"]] == [[MIXED_READS]] * 3
    # Surveyed again it is looked at itself, too: it may have got arrays since.
    series.add_array_sample()
    series.write(tmp_path / "studies")
    _, answer = command(installation, "survey", MIXED)
    assert answer["items"][0]["states"] == {"superseded": 1, "surveyed": 1}
    assert states(installation)[MIXED][0] == "surveyed"


def test_a_sample_of_several_series_stands_for_the_one_that_is_no_superseries(
    install: Install, command: Command, tmp_path: Path
) -> None:
    parts = {}
    for accession, related in (("GSE9000005", {"subseries": ["GSE9000006"]}), ("GSE9000006", {})):
        text = "This SuperSeries is composed of the SubSeries listed below." if related else "A study."
        series = SyntheticSeries(accession, summary=text, **related)
        series.add_array_sample("GSM900060000")
        series.write(tmp_path / "studies")
        parts[accession] = series
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "survey", "GSM900060000")

    (item,) = answer["items"]
    assert (status, item["experiment"]) == (0, "GSE9000006")
    assert "GSM900060000 is also in GSE9000005" in item["message"]


def test_what_names_no_experiment_or_several_is_told_and_leaves_no_trace(
    install: Install, command: Command, tmp_path: Path
) -> None:
    for number in (1, 2):
        study = SyntheticStudy(f"SRP90031{number}")
        study.add_run(study_accession="PRJNA900001")
        study.columns = {"study_accession": "PRJNA900001"}
        study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    queries = ["GPL570", "A-AFFY-44", "GDS100", "GSE9404404", "E-MTAB-404404", "GSM9404404", "PRJNA900001", "GSE 5"]

    status, answer = command(installation, "survey", *queries)

    assert status == 3
    outcomes = {item["query"]: item["outcome"] for item in answer["items"]}
    assert outcomes == {
        "GPL570": "unsupported_accession",
        "A-AFFY-44": "unsupported_accession",
        "GDS100": "unsupported_accession",
        "GSE9404404": "not_found",
        "E-MTAB-404404": "not_found",
        "GSM9404404": "not_found",
        "PRJNA900001": "ambiguous_accession",
        "GSE 5": "unsupported_accession",
    }
    assert all(item["message"] for item in answer["items"])
    assert states(installation) == {}
    with installation.session() as session:
        assert session.instance.get_dynamic_partitions("experiments") == []


def test_a_dry_run_routes_a_list_and_asks_nobody(install: Install, command: Command, tmp_path: Path) -> None:
    mixed_series(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    queries = tmp_path / "list.txt"
    organism = "Caenorhabditis elegans, EnsemblMetazoa"
    lines = ["\ufeff# a list", MIXED, "", "GSM900010003 # one of its samples", organism, "SRR999999999", "GPL570", ""]
    queries.write_bytes("\r\n".join(lines).encode())

    before = installation.json("survey", "--dry-run", "--file", str(queries), status=2)
    assert (installation.home.exists(), installation.archive.requests) == (False, [])
    rows = [(each["query"], each["source"], each["partition"], each["known"]) for each in before["items"]]
    assert rows == [
        (MIXED, "GEO", MIXED, False),
        ("GSM900010003", "GEO", None, False),
        (organism, "ENSEMBL", "CAENORHABDITIS_ELEGANS", False),
        ("SRR999999999", "SRA", None, False),
        ("GPL570", None, None, False),
    ]
    assert before["summary"] == {
        "items": 5,
        "known": 0,
        "sources": {"ENSEMBL": 1, "GEO": 2, "SRA": 1, "unsupported": 1},
    }

    assert command(installation, "survey", MIXED)[0] == 0
    recorded = states(installation)
    installation.archive.forget_requests()
    _, after = command(installation, "survey", "--dry-run", "--file", str(queries))
    rows = [(each["query"], each["partition"], each["known"], each["state"]) for each in after["items"][:2]]
    assert rows == [(MIXED, MIXED, True, "surveyed"), ("GSM900010003", MIXED_READS, True, "surveyed")]
    assert (states(installation), installation.archive.requests) == (recorded, [])


def test_a_study_that_did_not_change_is_not_fetched_again_unless_asked_for(
    install: Install, command: Command, tmp_path: Path
) -> None:
    study = SyntheticStudy("SRP900305", pubmed_id="12345")
    study.add_run(attributes={"tissue": "leaf"})
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    assert command(installation, "survey", "SRP900305")[0] == 0
    installation.archive.forget_requests()

    status, answer = command(installation, "survey", "SRP900305")
    assert (status, answer["items"][0]["outcome"], answer["items"][0]["states"]) == (0, "done", {"surveyed": 1})
    assert installation.archive.requests_for("biosamples") == []
    assert command(installation, "survey", "SRP900305", "--refresh")[0] == 0
    assert len(installation.archive.requests_for("biosamples/samples")) == 1

    study.add_run(attributes={"tissue": "root"})
    study.write(tmp_path / "studies")
    _, answer = command(installation, "survey", "SRP900305")
    assert answer["items"][0]["states"] == {"surveyed": 2}


FAULTS: dict[str, list[Fault]] = {
    "everybody answers 500": [Fault(match=".", kind="status")],
    "everybody resets connections": [Fault(match=".", kind="reset")],
    "everybody sends web pages": [Fault(match=".", kind="html")],
    "documents are cut or damaged": [
        Fault(match="GSE9000001_family.soft.gz", kind="truncated_gzip", method="GET"),
        Fault(match="GSE9000002_family.soft.gz", kind="corrupt", method="GET"),
        Fault(match="studies/E-MTAB|filereport", kind="truncated_gzip"),
        Fault(match="rest.ensembl.org", kind="truncated_gzip"),
    ],
    "documents are missing or late": [
        Fault(match="sdrf", kind="status", status=404),
        Fault(match="family.soft.gz|filereport|rest.ensembl.org", kind="slow", seconds=4),
    ],
}
ASKED = (MIXED, STUDY, "SRP900305", "E-GEOD-9000002", ORGANISM)


def four_sources(root: Path) -> None:
    mixed_series(root)
    mixed_study(root)
    study = SyntheticStudy("SRP900305")
    study.add_run(attributes={"tissue": "leaf"})
    study.write(root)
    series = SyntheticSeries("GSE9000002")
    series.add_array_sample(values={"1007_s_at": 7.5})
    series.write(root)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ledger and the payloads that a good day gives."""
    from tests.end_to_end.installation import installed

    folder = tmp_path_factory.mktemp("undisturbed")
    four_sources(folder / "studies")
    from tests.end_to_end.conftest import BUNDLED_STUDY

    with installed(folder / "home", [BUNDLED_STUDY, folder / "studies"], **QUICK) as installation:
        installation.json("survey", *ASKED)
        return {"states": states(installation), "payloads": payloads(installation)}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_on_a_bad_day_nothing_is_lost_and_nothing_wrong_is_stored(
    install: Install, command: Command, tmp_path: Path, undisturbed: dict[str, Any], faults: list[Fault]
) -> None:
    four_sources(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    for fault in faults:
        installation.archive.faults.add(fault)

    status, answer = command(installation, "survey", *ASKED)

    assert status == 1
    assert [item["query"] for item in answer["items"]] == list(ASKED)
    spoilt = [item for item in answer["items"] if item["outcome"] != "done" or spoilt_linked(item)]
    assert spoilt
    assert all(item["message"] for item in spoilt)
    found, stored = states(installation), payloads(installation)
    # Whoever was asked for by the own accession has a state, and what is stored is what a good day gives.
    assert {MIXED, STUDY, "GSE9000002"} <= found.keys()
    assert stored.items() <= undisturbed["payloads"].items()
    for accession, state in found.items():
        assert state == undisturbed["states"][accession] or (
            state[0] == "discovered" and state[1] in {"archive_unavailable", "malformed_payload", "discovered"}
        ), (accession, state)

    installation.archive.faults.clear()
    status, answer = command(installation, "survey", *ASKED)
    assert status == 0, answer
    assert states(installation) == undisturbed["states"]
    assert payloads(installation) == undisturbed["payloads"]


def spoilt_linked(item: dict[str, Any]) -> bool:
    return any(each["outcome"] != "done" for each in item.get("linked", ()))


def family_without_samples(series: SyntheticSeries) -> str:
    return series.family().partition("^SAMPLE")[0]


def family_of_another(series: SyntheticSeries) -> str:
    return series.family().replace(MIXED, "GSE9009999")


BROKEN: dict[str, Callable[[SyntheticSeries], str]] = {
    "cut before the samples": family_without_samples,
    "of another series": family_of_another,
    "no SOFT": lambda _: "what is this?\n",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_family_file_is_tried_again_by_the_sensors(
    install: Install, tmp_path: Path, broken: Callable[[SyntheticSeries], str]
) -> None:
    series = mixed_series(tmp_path / "studies")
    file = tmp_path / "studies" / MIXED / "geo" / f"{MIXED}_family.soft.gz"
    file.write_bytes(gzip.compress(broken(series).encode()))
    installation = install(tmp_path / "studies", **QUICK)
    with installation.session() as session:
        ticks = Ticks(session)
        session.catalog.ledger.discover([MIXED], source="geo")
        assert ticks.tick("experiment_automation") == [MIXED]
        entry = session.catalog.ledger.entries([MIXED])[MIXED]
        assert (entry.state.value, entry.reason, entry.retryable) == ("discovered", "malformed_payload", True)
        assert not session.catalog.has_experiments()
        assert payloads(installation) == {}

        series.write(tmp_path / "studies")
        let_time_pass(session, hours=1)
        assert ticks.tick("retry_transient_failures") == [MIXED]
        assert session.catalog.ledger.counts(MIXED) == {"superseded": 2, "surveyed": 2, "unsupported_platform": 1}
        # The study with its reads was discovered on the way; the sensors carry on with it, and with the arrays.
        assert ticks.tick("experiment_automation") == [MIXED, MIXED_READS]
        assert session.catalog.ledger.entries([MIXED_READS])[MIXED_READS].state.value == "surveyed"


def test_results_are_one_json_value_however_many_items_there_are(install: Install) -> None:
    done = install(**QUICK).run("survey", "--dry-run", "--json", *(f"GSE{number}" for number in range(1, 300)))

    assert done.returncode == 0
    assert json.loads(done.stdout)["summary"]["items"] == 299
