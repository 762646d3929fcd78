"""Which method a sample is processed with, and from which file."""

from __future__ import annotations

from typing import Any

import pytest

from refinebio_assets.domain.records import LedgerDecision, OriginalFile
from refinebio_assets.microarray.processor_choice import (
    ArrayInput,
    ArrayProcessor,
    choose_processor,
    has_two_agilent_labels,
    raw_archive,
)

SCAN, BEADS = ArrayProcessor.AFFYMETRIX, ArrayProcessor.BEAD_ARRAY
SUBMITTED, TWO, ONE = (
    ArrayProcessor.SUBMITTER_PROCESSED,
    ArrayProcessor.AGILENT_TWO_COLOR,
    ArrayProcessor.AGILENT_ONE_COLOR,
)
LABELS = {"geo": {"label_protocol_ch1": ["Agilent kit"], "label_protocol_ch2": "by AGILENT Low Input"}}


def file(name: str, kind: Any = "table", folder: str = "https://archive.example/") -> OriginalFile:
    return OriginalFile(url=f"{folder}{name}", filename=name, kind=kind)


@pytest.mark.parametrize(
    ("name", "kind", "facts", "expected"),
    [
        ("GSM1.CEL.gz", "cel", {"manufacturer": "AFFYMETRIX"}, (SCAN, ArrayInput.FILE)),
        ("GSM1.cel", "table", {"manufacturer": "ILLUMINA"}, (SCAN, ArrayInput.FILE)),
        ("GSM1.CEL", "cel", {"manufacturer": None, "is_supported": False}, (SCAN, ArrayInput.FILE)),
        ("GSM1.CEL", "cel", {"manufacturer": "AFFYMETRIX", "has_raw": False}, (SCAN, ArrayInput.FILE)),
        ("E-MTAB-1.raw.1.zip", "archive", {"manufacturer": "AFFYMETRIX"}, (SCAN, ArrayInput.ARCHIVE)),
        ("E-MTAB-1.raw.1.zip", "archive", {"manufacturer": "ILLUMINA"}, (BEADS, ArrayInput.ARCHIVE)),
        ("E-MTAB-1.raw.1.zip", "archive", {"is_supported": False}, (SCAN, ArrayInput.ARCHIVE)),
        ("GSE1_non-normalized.txt.gz", "table", {"manufacturer": "ILLUMINA"}, (BEADS, ArrayInput.FILE)),
        ("GSE1_family.soft.gz", "table", {"has_raw": False}, (SUBMITTED, ArrayInput.FAMILY)),
        ("GSM1.txt", "table", {"manufacturer": "ILLUMINA", "has_raw": False}, (SUBMITTED, ArrayInput.FILE)),
        ("a.processed.1.zip", "archive", {"manufacturer": "ILLUMINA"}, (SUBMITTED, ArrayInput.ARCHIVE)),
        ("GSM1.TXT", "table", {"manufacturer": "AFFYMETRIX"}, (SUBMITTED, ArrayInput.FILE)),
        ("GSM1.txt.gz", "table", {"manufacturer": "Agilent Tech.", "annotations": LABELS}, (TWO, ArrayInput.FILE)),
        ("GSM1.txt.gz", "table", {"manufacturer": "AGILENT"}, (ONE, ArrayInput.FILE)),
        ("GSM1.txt", "table", {"is_supported": False}, "unsupported_platform"),
        ("GSM1.txt", "table", {"manufacturer": "NimbleGen"}, "unknown_manufacturer"),
        ("SRR0123456_1.fastq.gz", "fastq", {}, "reads_beside_arrays"),
    ],
)  # fmt: skip
def test_the_file_the_raw_data_and_the_manufacturer_decide_in_this_order(
    name: str, kind: str, facts: dict[str, Any], expected: Any
) -> None:
    known: dict[str, Any] = {"has_raw": True, "manufacturer": None, "is_supported": True} | facts
    chosen = choose_processor([file(name, kind)], **known)
    if isinstance(chosen, LedgerDecision):
        assert chosen.reason == expected
    else:
        assert (chosen.processor, chosen.input) == expected


def test_a_cel_file_is_taken_whatever_stands_beside_it() -> None:
    files = [file("GSM1.EXP"), file("GSM1.txt.gz"), file("GSM1.CEL.gz", "cel")]
    chosen = choose_processor(files, has_raw=True, manufacturer="AFFYMETRIX", is_supported=True)
    assert not isinstance(chosen, LedgerDecision)
    assert chosen.file.filename == "GSM1.CEL.gz"


def test_without_a_file_there_is_nothing_to_process() -> None:
    chosen = choose_processor([], has_raw=True, manufacturer="AFFYMETRIX", is_supported=True)
    assert isinstance(chosen, LedgerDecision)
    assert chosen.state.value == "no_raw_file"


def test_two_colours_need_agilent_in_both_protocols() -> None:
    assert has_two_agilent_labels(LABELS)
    assert not has_two_agilent_labels({"geo": {"label_protocol_ch1": ["Agilent kit"]}})
    assert not has_two_agilent_labels({"geo": {"label_protocol_ch1": "Agilent", "label_protocol_ch2": "by hand"}})
    assert not has_two_agilent_labels({})


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"supplementary_file": ["ftp://x/GSE1_RAW.tar"]}, "ftp://x/GSE1_RAW.tar"),
        ({"supplementary_file_1": "ftp://x/README", "supplementary_file_2": "ftp://x/GSE1_raw.zip"}, "ftp://x/GSE1_raw.zip"),
        ({"supplementary_file": ["ftp://x/GSE1_RAW.tar.md5"]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_raw_archive_of_a_series_is_told_by_its_name(attributes: dict[str, Any], expected: str | None) -> None:
    assert raw_archive({"series": attributes}) == expected
    assert raw_archive({}) is None
