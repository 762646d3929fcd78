"""Every recorded study goes through the production path: each of its accessions gets one decision, and only one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.survey.geo_family import SoftFamily
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sources import payload_samples, survey_payload
from refinebio_assets.survey.sra_xml import read_sra_xml
from tests.survey import array_express_studies, geo_files

DATA = Path(__file__).parent.parent / "data"
REGISTRY = PlatformRegistry.load()
XML = sorted((DATA / "inspection").glob("experiment_package*"))
GSM = re.compile(r"GSM[0-9]+")
RUN = re.compile(r"[SED]RR[0-9]{6,}")
Payloads = Callable[[], list[dict[str, Any]]]


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def geo_payloads(path: Path) -> list[dict[str, Any]]:
    family: SoftFamily = geo_files.read_family(path)
    return [family.to_payload()] if family.accession() is not None else []


def sra_payload(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    studies = dict.fromkeys((row["secondary_study_accession"] or row["study_accession"]).split(";")[0] for row in rows)
    return [
        {
            "source": "SRA", "accession": study, "study": [], "biosamples": {}, "publication": None,
            "read_run": [
                row for row in rows
                if (row["secondary_study_accession"] or row["study_accession"]).split(";")[0] == study
            ],
        }
        for study in studies
    ]  # fmt: skip


def recorded_rows() -> list[dict[str, Any]]:
    rows = json.loads((DATA / "metadata/ena_read_run_rows.json").read_text())
    return [row for row in rows if row.get("secondary_study_accession") or row.get("study_accession")]


SOURCES: dict[str, Payloads] = {
    **{path.name: lambda path=path: geo_payloads(path) for path in geo_files.FAMILIES},  # type: ignore[misc]
    **{path.name: lambda path=path: read_sra_xml(path).payloads() for path in XML},  # type: ignore[misc]
    **{
        accession: lambda accession=accession: [array_express_studies.payload(accession)]  # type: ignore[misc]
        for accession in array_express_studies.STUDIES_WITH_IDF
    },
    "sra_DRP000595.json": lambda: [json.loads((DATA / "metadata/sra_DRP000595.json").read_text())],
    "ena_read_run_rows.json": lambda: sra_payload(recorded_rows()),
    "ena_read_run_1000.json.gz": lambda: sra_payload(
        [
            {"secondary_study_accession": "", **row}
            for row in json.loads(plain(DATA / "inspection/ena_read_run_1000.json.gz"))
        ]
    ),
}
# Submissions and GEO's own examples give no accessions; platform files hold no samples of a series.
WITHOUT_STUDY = {
    "GDS242.soft.gz", "GDS243.soft.gz", "GDS84.soft.gz", "GDS994.soft.gz", "GPL226_family.soft.gz",
    "GPL2899_family.soft.gz", "soft_ex_affy.txt.gz", "soft_ex_affy_chp.txt.gz", "soft_ex_dual.txt.gz",
    "soft_ex_family.txt.gz", "soft_ex_platform.txt.gz", "soft_ex_series.txt.gz",
}  # fmt: skip


def test_only_files_without_accessions_have_no_payload():
    assert {name for name, payloads in SOURCES.items() if not payloads()} == WITHOUT_STUDY


@pytest.mark.parametrize("name", sorted(set(SOURCES) - WITHOUT_STUDY))
def test_each_accession_of_a_payload_has_one_decision(name):
    for payload in SOURCES[name]():
        samples = survey_payload(payload, REGISTRY).samples
        accessions = [sample.record.accession for sample in samples]
        assert len(set(accessions)) == len(accessions)
        assert set(accessions) == set(payload_samples(payload))
        assert all(sample.decision.reason and sample.decision.message for sample in samples)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - WITHOUT_STUDY))
def test_the_outcome_does_not_depend_on_the_order_of_keys(name):
    for payload in SOURCES[name]():
        first, second = survey_payload(payload, REGISTRY), survey_payload(reversed_keys(payload), REGISTRY)
        assert [sample.decision for sample in first.samples] == [sample.decision for sample in second.samples]
        assert [sample.record.harmonized for sample in first.samples] == [
            sample.record.harmonized for sample in second.samples
        ]
        assert [sample.record.title for sample in first.samples] == [sample.record.title for sample in second.samples]
        assert first.coverage == second.coverage


def reversed_keys(value: Any) -> Any:
    """The same JSON with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(each) for each in value] if isinstance(value, list) else value


# Counted with nothing but the text of the files, so that no reader of ours vouches for itself.


@pytest.mark.parametrize("path", geo_files.SOFT, ids=lambda path: path.name)
def test_as_many_samples_are_decided_as_a_family_file_speaks_of(path):
    payloads = geo_payloads(path)
    text = plain(path).decode("latin-1")
    described = set(re.findall(r"^\^SAMPLE *= *(GSM[0-9]+)", text, re.MULTILINE | re.IGNORECASE))
    listed = set(re.findall(r"^!Series_sample_id *= *(GSM[0-9]+)", text, re.MULTILINE | re.IGNORECASE))
    decided = {sample.record.accession for each in payloads for sample in survey_payload(each, REGISTRY).samples}
    assert decided == (described | listed if payloads else set())


@pytest.mark.parametrize("path", XML, ids=lambda path: path.name)
def test_as_many_runs_are_decided_as_packages_hold(path):
    runs = set(re.findall(r"<RUN\b[^>]*\baccession=\"([SED]RR[0-9]+)\"", plain(path).decode()))
    results = [survey_payload(payload, REGISTRY) for payload in read_sra_xml(path).payloads()]
    decided = [sample.record.accession for result in results for sample in result.samples]
    assert runs
    assert sorted(decided) == sorted(runs)


@pytest.mark.parametrize("accession", sorted(array_express_studies.STUDIES_WITH_IDF))
def test_as_many_assays_are_decided_as_sdrfs_name(accession):
    named = 0
    for sdrf in array_express_studies.SDRF_FILES[accession]:
        text = array_express_studies.mage_tab(sdrf)
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
        names = [header.index(each) for each in ("Assay Name", "Hybridization Name") if each in header]
        assert names
        named += len({tuple(row[column].strip() for column in names) for row in rows if len(row) > max(names)})
    samples = survey_payload(array_express_studies.payload(accession), REGISTRY).samples
    assert len(samples) == named
