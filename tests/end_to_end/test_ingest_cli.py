"""``refinebio survey``, ``ingest`` and ``tximport`` over made-up studies with the real Salmon."""

from __future__ import annotations

from pathlib import Path

import anndata
import pytest

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads

pytestmark = pytest.mark.end_to_end

FIRST, SECOND = "SRP900011", "SRP900012"


def made_up(accession: str, transcripts: dict[str, str], *, runs: int, pairs: int = 400) -> SyntheticStudy:
    study = SyntheticStudy(accession)
    for seed in range(runs):
        study.add_run(fastq=simulated_reads(transcripts, pairs=pairs, seed=study.number * 100 + seed))
    return study


def samples_in(path: Path) -> list[str]:
    return list(anndata.read_h5ad(path).obs_names)


def test_any_accession_of_a_study_leads_to_its_expression(install, command, transcripts, tmp_path):
    study = made_up(FIRST, transcripts, runs=2)
    run = study.runs[0]
    installation = install(study.write(tmp_path / "studies"))

    status, answer = command(installation, "ingest", run.accession)
    assert status == 0
    (item,) = answer["items"]
    assert (item["outcome"], item["experiment"], item["states"]) == ("done", FIRST, {"processed": 2})
    assert samples_in(installation.expression(FIRST)) == [run.accession for run in study.runs]

    stored = installation.stored()
    columns = ("experiment_accession", "sample_accession", "secondary_sample_accession")
    aliases = [study.project, *(run.columns[column] for column in columns)]
    status, answer = command(installation, "resolve", *aliases, run.accession)
    assert status == 0
    assert [item["query"] for item in answer["items"]] == [*aliases, run.accession]
    for item in answer["items"]:
        assert (item["outcome"], item["experiments"]) == ("found", [FIRST])
    assert [len(item["samples"]) for item in answer["items"]] == [2, 1, 1, 1, 1]

    status, answer = command(installation, "ingest", *aliases)
    assert status == 0
    assert {item["experiment"] for item in answer["items"]} == {FIRST}
    assert installation.stored() == stored


def test_a_project_that_is_not_known_yet_is_looked_up(install, command, transcripts, tmp_path):
    study = made_up(FIRST, transcripts, runs=1)
    installation = install(study.write(tmp_path / "studies"))

    status, answer = command(installation, "survey", study.project)

    assert status == 0
    (item,) = answer["items"]
    assert (item["query"], item["experiment"], item["states"]) == (study.project, FIRST, {"surveyed": 1})


def test_a_list_may_hold_accessions_that_nobody_knows(install, command, transcripts, tmp_path):
    study = made_up(FIRST, transcripts, runs=1)
    installation = install(study.write(tmp_path / "studies"))
    queries = tmp_path / "list.txt"
    queries.write_text(f"# a comment\n{FIRST}  # ours\n\nSRP999998\nnonsense\nGPL570\n")

    status, answer = command(installation, "survey", "--file", str(queries))

    assert status == 3
    outcomes = [(item["query"], item["outcome"]) for item in answer["items"]]
    assert outcomes == [
        (FIRST, "done"),
        ("SRP999998", "not_found"),
        ("nonsense", "unsupported_accession"),
        ("GPL570", "unsupported_accession"),
    ]
    assert "GPL570 is a platform" in answer["items"][3]["message"]


@pytest.mark.parametrize(("query", "expected"), [("SRP999998", 3), ("GSE1", 3), ("nonsense", 2), ("GPL570", 2)])
def test_exit_statuses(install, command, query, expected):
    status, answer = command(install(), "ingest", query)

    assert status == expected
    assert answer["items"][0]["message"]


def test_expression_waits_for_all_samples_unless_enough_are_there(install, command, transcripts, tmp_path):
    study = made_up(FIRST, transcripts, runs=6)
    late = study.runs[2].accession
    others = [run.accession for run in study.runs if run.accession != late]
    installation = install(study.write(tmp_path / "studies"), archive_attempts="1")
    installation.archive.faults.add(Fault(match=f"{late}_1.fastq.gz", kind="status", status=503))

    # The 100 % rule: one sample's download fails for now, so nothing is made of the others yet.
    status, answer = command(installation, "ingest", FIRST)
    assert (status, answer["items"][0]["outcome"]) == (1, "waiting")
    assert answer["items"][0]["states"] == {"quantified": 5, "surveyed": 1}
    with installation.catalog() as catalog:
        entry = catalog.ledger.entries([late])[late]
        assert (entry.state, entry.reason, entry.retryable) == ("surveyed", "archive_unavailable", True)
    status, answer = command(installation, "tximport", "--accession", FIRST)
    assert (status, answer["items"][0]["outcome"]) == (0, "waiting")
    assert answer["items"][0]["files"] == []
    assert not installation.expression(FIRST).exists()

    # The early rule, with five samples for enough: the sixth is left out, and that is said.
    installation.settings["REFINEBIO_EARLY_TXIMPORT_MIN_SAMPLES"] = "5"
    status, answer = command(installation, "tximport")
    assert status == 0
    assert [(item["query"], item["outcome"], item["samples"]) for item in answer["items"]] == [(FIRST, "done", 5)]
    early = anndata.read_h5ad(installation.expression(FIRST))
    assert list(early.obs_names) == others
    assert list(early.uns["left_out"]) == [late]
    with installation.catalog() as catalog:
        assert catalog.ledger.counts(FIRST) == {"processed": 5, "surveyed": 1}
    quant_files = {name: sha for name, sha in installation.stored().items() if name.endswith("quant.sf.gz")}

    # The archive is well again: only the late sample is fetched and quantified, and all six are imported.
    installation.archive.faults.clear()
    installation.archive.forget_requests()
    status, answer = command(installation, "ingest", FIRST)
    assert (status, answer["items"][0]["states"]) == (0, {"processed": 6})
    fetched = {request.target.split("/")[-1] for request in installation.archive.requests_for("fastq.gz")}
    assert fetched == {f"{late}_1.fastq.gz", f"{late}_2.fastq.gz"}
    assert samples_in(installation.expression(FIRST)) == sorted([*others, late])
    now = installation.stored()
    assert {name: now[name] for name in quant_files} == quant_files


def test_a_sample_of_two_experiments_is_processed_once_and_is_in_both(install, command, transcripts, tmp_path):
    first, second = made_up(FIRST, transcripts, runs=2), made_up(SECOND, transcripts, runs=1)
    shared, alone = first.runs[1], second.runs[0].accession
    shared.columns["secondary_study_accession"] = f"{FIRST};{SECOND}"
    installation = install(first.write(tmp_path / "studies"), second.write(tmp_path / "studies"))

    status, answer = command(installation, "ingest", FIRST, SECOND)

    assert status == 0
    assert [item["outcome"] for item in answer["items"]] == ["done", "done"]
    assert samples_in(installation.expression(FIRST)) == [first.runs[0].accession, shared.accession]
    assert samples_in(installation.expression(SECOND)) == sorted([shared.accession, alone])
    assert len(installation.archive.requests_for(f"{shared.accession}_1.fastq.gz")) == 1
    quants = sorted(path.parent.name for path in installation.objects.rglob("quant.sf.gz"))
    assert quants == sorted([first.runs[0].accession, shared.accession, alone])
    values = [anndata.read_h5ad(installation.expression(study))[shared.accession] for study in (FIRST, SECOND)]
    assert (values[0].layers["counts"] == values[1].layers["counts"]).all()
    with installation.catalog() as catalog:
        assert {row.experiment_accession for row in catalog.ledger.entries([shared.accession]).values()} == {FIRST}
        assert catalog.resolve([shared.accession])[0].experiments == [FIRST, SECOND]
        states = [row.state for row in catalog.ledger.history(shared.accession)]
    assert states[:4] == ["surveyed", "downloaded", "quantified", "processed"]
