"""``refinebio gather``: what is found or listed, what is known already, and what is queued."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest

from examples.faults import Fault
from examples.synthetic import SyntheticStudy
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries
from refinebio_assets.cli.main import main
from tests.end_to_end.installation import Installation, installed
from tests.object_stores import BUCKET

Gather = Callable[..., tuple[int, Any]]
DAY = date(2026, 11, 20)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation over an archive with a sequencing study, two series and an ArrayExpress study."""
    studies = tmp_path / "studies"
    sequenced = SyntheticStudy("SRP900010", first_public=DAY, last_updated=DAY)
    sequenced.add_run()
    sequenced.write(studies)
    for number, platform in ((9_000_002, "GPL570"), (9_000_001, "GPL6480")):
        series = SyntheticSeries(f"GSE{number}", title=f"Livers {number}", published=DAY, updated=DAY)
        series.add_array_sample(platform=platform)
        series.write(studies)
    study = SyntheticArrayExpressStudy("E-MTAB-900010", released=DAY, modified=DAY)
    study.add_array_assay()
    study.write(studies)
    with installed(tmp_path / "home", studies, archive_attempts="1") as made:
        yield made


@pytest.fixture
def gather(installation: Installation, capsys: pytest.CaptureFixture[str]) -> Gather:
    """Runs ``refinebio gather … --json`` in this process: exit status and answer."""

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        with installation.in_process():
            status = main(["gather", *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def accessions(answer: dict[str, Any]) -> list[str]:
    return [item["accession"] for item in answer["items"]]


ALL = ["E-MTAB-900010", "GSE9000002", "SRP900010"]


def test_all_archives_are_asked_and_what_does_not_fit_is_counted(gather: Gather) -> None:
    status, answer = gather("--since", "2026-11-01", "--until", "2026-11-22", "--dry-run")
    assert (status, accessions(answer), answer["recorded"]) == (0, ALL, 0)
    assert answer["skipped"] == {"ena": {}, "geo": {"unsupported_platform": 1}, "array_express": {}}
    assert answer["items"][1] == {
        "accession": "GSE9000002", "source": "geo", "known": False, "published": "2026-11-20",
        "organisms": ["Homo sapiens"], "samples": 1, "technology": "MICROARRAY",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--source", "geo"), ["GSE9000002"]),
        (("--source", "array-express", "--source", "ena"), ["E-MTAB-900010", "SRP900010"]),
        (("--organism", "Homo sapiens"), ["E-MTAB-900010", "GSE9000002"]),
        (("--organism", "3702", "--source", "ena"), ["SRP900010"]),
        (("--organism", "9606", "--organism", "Arabidopsis thaliana"), ALL),
        (("--keyword", "livers"), ["GSE9000002"]),
        (("--count", "2"), ALL[:2]),
        (("--until", "2026-11-19"), []),
    ],
)
def test_options_narrow_the_search(gather: Gather, options: tuple[str, ...], found: list[str]) -> None:
    status, answer = gather("--since", "2026-11-01", "--dry-run", *options)
    assert (status, accessions(answer), answer["problems"]) == (0, found, [])


def test_a_dry_run_records_nothing_a_real_one_queues_with_partitions_and_a_second_finds_nothing_new(
    gather: Gather, installation: Installation
) -> None:
    gather("--since", "2026-11-01", "--dry-run")
    with installation.session() as session:
        assert session.catalog.ledger.experiment_counts() == {}
    assert gather("--since", "2026-11-01")[1]["recorded"] == 3
    with installation.session() as session:
        assert set(session.instance.get_dynamic_partitions("experiments")) == set(ALL)
        assert session.catalog.ledger.experiment_counts() == {"discovered": 3}
        assert session.catalog.ledger.experiments_to_survey(limit=9) == []
    status, again = gather("--since", "2026-11-01")
    assert (status, accessions(again), again["known"], again["recorded"]) == (0, [], 3, 0)
    listed = gather("--since", "2026-11-01", "--include-previous")[1]
    assert (accessions(listed), listed["recorded"]) == (ALL, 0)
    assert all(item["known"] for item in listed["items"])


def test_survey_takes_what_the_quota_has_room_for(gather: Gather, installation: Installation) -> None:
    installation.settings["REFINEBIO_DISCOVERY_DAILY_QUOTA"] = "1"
    study = SyntheticStudy("SRP900011", first_public=DAY, last_updated=DAY)
    study.add_run()
    study.write(installation.home.parent / "studies")
    status, answer = gather("--since", "2026-11-01", "--source", "ena", "--survey")
    assert status == 0, answer
    assert [(item["experiment"], item["outcome"]) for item in answer["surveyed"]] == [("SRP900010", "done")]
    with installation.session() as session:
        assert session.catalog.ledger.experiment_counts() == {"discovered": 1, "surveyed": 1}


def test_an_archive_that_fails_is_named_and_the_others_are_taken(gather: Gather, installation: Installation) -> None:
    assert installation.archive is not None
    installation.archive.faults.add(Fault(match="biostudies", kind="status", status=503))
    status, answer = gather("--since", "2026-11-01")
    assert (status, accessions(answer), answer["recorded"]) == (1, ALL[1:], 2)
    (problem,) = answer["problems"]
    assert problem.startswith("array_express: ")


def test_a_list_is_taken_as_it_is_sorted_by_prefix_and_number(gather: Gather, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("GSE10\n# comment\nGSE9\nE-GEOD-8\nSRP000001\nGSE9\n")
    out = tmp_path / "out.txt"
    status, answer = gather("--ids", str(path), "--out", str(out))
    assert (status, accessions(answer)) == (0, ["GSE8", "GSE9", "GSE10", "SRP000001"])
    assert out.read_text() == "GSE8\nGSE9\nGSE10\nSRP000001\n"


def test_what_names_no_experiment_is_bad_input_and_the_others_are_taken(gather: Gather, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("GSE10\nGSM5\nPRJNA7\nhello\n")
    status, answer = gather("--ids", str(path))
    assert (status, accessions(answer), answer["not_experiments"]) == (2, ["GSE10"], ["GSM5", "PRJNA7", "hello"])
    assert answer["recorded"] == 1


def test_a_list_can_lie_in_s3(gather: Gather, installation: Installation, s3_address: str) -> None:
    client = boto3.client("s3", endpoint_url=s3_address)
    client.put_object(Bucket=BUCKET, Key="lists/new.txt", Body=b"GSE11\nE-MTAB-5\n")
    installation.settings["REFINEBIO_S3_ENDPOINT_URL"] = s3_address
    status, answer = gather("--ids", f"s3://{BUCKET}/lists/new.txt", "--dry-run")
    assert (status, accessions(answer)) == (0, ["E-MTAB-5", "GSE11"])
    status, answer = gather("--ids", f"s3://{BUCKET}/lists/other.txt", "--dry-run")
    assert (status, answer["error"]["code"]) == (2, "bad_input")


def test_forty_thousand_accessions_are_queued_within_seconds(
    gather: Gather, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    path = tmp_path / "all.txt"
    path.write_text("".join(f"{'GSE' if number % 6 else 'SRP'}{number:06d}\n" for number in range(39_000)))
    began = time.perf_counter()
    status, answer = gather("--ids", str(path))
    seconds = time.perf_counter() - began
    figures(f"39,000 accessions queued in {seconds:.1f} s")
    assert (status, answer["recorded"]) == (0, 39_000)
    assert seconds < 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--since"),
        (("--since", "yesterday"), "yesterday"),
        (("--since", "2026-11-20", "--until", "2026-11-19"), "later than"),
        (("--ids", "list.txt", "--since", "2026-11-20"), "cannot be combined"),
        (("--ids", "list.txt", "--organism", "Danio rerio"), "cannot be combined"),
        (("--since", "2026-11-20", "--source", "sra"), "sra"),
        (("--since", "2026-11-20", "--count", "0"), "--count"),
        (("--ids", "no-such-list.txt"), "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused(gather: Gather, arguments: tuple[str, ...], said: str) -> None:
    status, answer = gather(*arguments)
    assert status == 2
    assert said in answer["error"]["message"]


def test_people_get_accessions_on_standard_output_and_counts_beside_it(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with installation.in_process():
        assert main(["gather", "--since", "2026-11-01", "--source", "geo"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "GSE9000002\n"
    assert printed.err.splitlines()[-2:] == [
        "1 studies found, 0 known before; 1 chosen, 1 of them queued.",
        "Left out of geo: 1 (unsupported_platform).",
    ]


def test_the_demo_keeps_whole_studies_out(
    gather: Gather, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installation.catalog() as catalog:
        catalog.set_property("archive", "bundled examples")
    archive, installation.archive = installation.archive, None
    status, answer = gather("--since", "2026-11-01")
    installation.archive = archive
    assert (status, answer["error"]["code"]) == (2, "bad_configuration")
