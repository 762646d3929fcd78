"""References of platforms, and the array samples that need them, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from refinebio_assets.domain.records import OriginalFile
from refinebio_assets.domain.vocabulary import ComputedFileKind, LedgerKind, PlatformReferenceKind, SampleState
from resources.catalog import Catalog, DetectedPlatformToRecord, PlatformReferenceToRecord
from tests.resources.catalog.studies import array, change, quant_file, quantification, sample, series, study

HUMAN, MOUSE, OTHER = "hgu133plus2", "mouse4302", "hgu95av2"
CHIP = PlatformReferenceKind.CHIP_ANNOTATION


def reference(platform: str = HUMAN, sha256: str = "1" * 64, **changes: Any) -> PlatformReferenceToRecord:
    values: dict[str, Any] = {
        "platform": platform,
        "platform_name": f"[{platform}] Affymetrix",
        "manufacturer": "AFFYMETRIX",
        "kind": CHIP,
        "source": "brainarray",
        "version": "25",
        "sha256": sha256,
        "key": f"platform_references/{platform}/chip_annotation/{sha256}/{platform}.npz",
        "filename": f"{platform}.npz",
        "size_bytes": 10,
        "num_probes": 100,
        "num_genes": 20,
        "organism": "HOMO_SAPIENS",
    }
    return PlatformReferenceToRecord(**(values | changes))


def on(platform: str, accession: str, **changes: Any) -> Any:
    cel = OriginalFile(url=f"https://x.example/{accession}.CEL.gz", filename=f"{accession}.CEL.gz", kind="cel")
    return array(accession, platform_accession=platform, platform_name=platform, files=(cel,), **changes)


@pytest.fixture
def surveyed(catalog: Catalog) -> Catalog:
    """GSM1 and GSM2 on the human array, GSM3 on that of the mouse."""
    samples = [on(HUMAN, "GSM0001"), on(HUMAN, "GSM0002"), on(MOUSE, "GSM0003")]
    catalog.record_survey(series("GSE1", samples), metadata_sha256="a" * 64)
    return catalog


def states(catalog: Catalog, experiment: str = "GSE1") -> dict[str, tuple[str, str]]:
    return {one.accession: (one.state.value, one.reason) for one in catalog.ledger.of_experiment(experiment)}


def waits(catalog: Catalog, *samples: str) -> None:
    catalog.ledger.set_states(
        [change(one, SampleState.SURVEYED, "GSE1", reason="no_platform_reference") for one in samples]
    )


def processed(catalog: Catalog, *samples: str) -> None:
    for one in samples:
        key = f"array_expression/GSE1/{one}.parquet"
        values = quant_file(one, key=key, kind=ComputedFileKind.ARRAY_VALUES)
        catalog.record_result(quantification(values, fingerprint=f"values {one}", metrics={"fingerprint": one}))
    catalog.ledger.set_states([change(one, SampleState.PROCESSED, "GSE1") for one in samples])


def test_the_last_reference_of_a_kind_is_current_and_the_same_one_stays_itself(surveyed: Catalog) -> None:
    first = surveyed.record_platform_reference(reference())
    second = surveyed.record_platform_reference(reference(sha256="2" * 64, version="26"))
    surveyed.record_platform_reference(reference(kind=PlatformReferenceKind.IDENTIFIER_MAP, sha256="3" * 64))
    again = surveyed.record_platform_reference(reference())
    assert (first.was_current, second.was_current, again.was_current) == (False, False, False)
    assert again.reference_id == first.reference_id != second.reference_id
    (current,) = surveyed.platform_references(HUMAN, kind=CHIP)
    assert (current.sha256, current.version, current.organism) == ("1" * 64, "25", "HOMO_SAPIENS")
    assert [one.kind.value for one in surveyed.platform_references()] == ["chip_annotation", "identifier_map"]
    assert surveyed.record_platform_reference(reference()).was_current


def test_a_reference_of_a_platform_that_no_sample_has_makes_the_platform(catalog: Catalog) -> None:
    catalog.record_platform_reference(reference(OTHER))
    assert [one.platform for one in catalog.platform_references()] == [OTHER]
    assert catalog.platform_samples() == []


def test_a_new_reference_brings_back_exactly_the_samples_of_its_platform(surveyed: Catalog) -> None:
    processed(surveyed, "GSM0001", "GSM0003")
    surveyed.ledger.set_states([change("GSM0002", SampleState.FAILED_PROCESSING, "GSE1", attempted=True)])
    recorded = surveyed.record_platform_reference(reference())
    assert (recorded.samples, recorded.experiments) == (("GSM0001", "GSM0002"), ("GSE1",))
    arrived = ("surveyed", "platform_reference_arrived")
    assert states(surveyed) == {"GSM0001": arrived, "GSM0002": arrived, "GSM0003": ("processed", "processed")}
    assert surveyed.ledger.entries(["GSM0002"])["GSM0002"].attempts == 0
    assert surveyed.record_platform_reference(reference()).samples == ()


def test_neither_corrupt_files_nor_withdrawn_samples_come_back(surveyed: Catalog) -> None:
    surveyed.ledger.set_states(
        [
            change("GSM0001", SampleState.CORRUPT_FILE, "GSE1"),
            change("GSM0002", SampleState.WITHDRAWN_UPSTREAM, "GSE1"),
        ]
    )
    assert surveyed.record_platform_reference(reference()).samples == ()


def test_the_array_that_the_file_shows_counts_not_the_one_that_was_submitted(surveyed: Catalog) -> None:
    shown = DetectedPlatformToRecord(
        sample="GSM0001", platform=OTHER, platform_name="U95", manufacturer="AFFYMETRIX", named="HG_U95Av2",
        evidence="cel_header",
    )  # fmt: skip
    surveyed.record_detected_platforms([shown])
    waits(surveyed, "GSM0001", "GSM0002")
    waiting = {one.platform: (one.samples, one.waiting) for one in surveyed.platform_samples()}
    assert waiting == {HUMAN: (1, 1), OTHER: (1, 1), MOUSE: (1, 0)}
    first = surveyed.arrays_to_process("GSE1")[0]
    assert (first.platform, first.detected_platform) == (HUMAN, OTHER)
    assert surveyed.record_platform_reference(reference()).samples == ("GSM0002",)
    assert surveyed.record_platform_reference(reference(OTHER)).samples == ("GSM0001",)


def test_an_unsupported_array_and_one_of_an_unknown_sample_are_recorded_or_left_out(surveyed: Catalog) -> None:
    known, unknown = (
        DetectedPlatformToRecord(
            sample=name, platform=None, platform_name=None, manufacturer=None, named="Unheard_Of", evidence="cel_header"
        )
        for name in ("GSM0001", "GSM9999")
    )
    surveyed.record_detected_platforms([known, unknown])
    assert surveyed.arrays_to_process("GSE1")[0].detected_platform is None


def test_arrays_to_process_have_their_files_and_values(surveyed: Catalog) -> None:
    processed(surveyed, "GSM0001")
    first, second, third = surveyed.arrays_to_process("GSE1")
    assert (first.accession, first.state, first.organism) == ("GSM0001", SampleState.PROCESSED, "DANIO_RERIO")
    assert first.values is not None
    assert first.values.metrics == {"fingerprint": "GSM0001"}
    assert (second.values, second.files[0].kind, third.platform) == (None, "cel", MOUSE)
    assert surveyed.array_to_process("GSE1", "GSM0002") == second
    assert surveyed.array_to_process("GSE1", "GSM9999") is None


def test_arrays_that_their_file_ruled_out_are_offered_and_outlast_a_survey(surveyed: Catalog) -> None:
    surveyed.ledger.set_states(
        [
            change("GSM0001", SampleState.UNSUPPORTED_PLATFORM, "GSE1", reason="wrong_chip", input_fingerprint="f"),
            change("GSM0002", SampleState.UNSUPPORTED_PLATFORM, "GSE1", reason="two_colour_array"),
        ]
    )
    assert [one.accession for one in surveyed.arrays_to_process("GSE1")] == ["GSM0001", "GSM0003"]
    samples = [on(HUMAN, "GSM0001"), on(HUMAN, "GSM0002"), on(MOUSE, "GSM0003")]
    surveyed.record_survey(series("GSE1", samples), metadata_sha256="b" * 64)
    assert states(surveyed)["GSM0001"] == ("unsupported_platform", "wrong_chip")
    assert states(surveyed)["GSM0002"] == ("surveyed", "eligible")
    assert surveyed.arrays_to_process("GSE1")[0].input_fingerprint == "f"
    other = OriginalFile(url="https://x.example/other.CEL.gz", filename="other.CEL.gz", kind="cel")
    changed = array("GSM0001", platform_accession=HUMAN, platform_name=HUMAN, files=(other,))
    surveyed.record_survey(series("GSE1", [changed, *samples[1:]]), metadata_sha256="c" * 64)
    assert states(surveyed)["GSM0001"] == ("surveyed", "eligible")


def test_experiments_with_arrays_to_process_are_asked_for_until_all_are_in_the_matrix(surveyed: Catalog) -> None:
    surveyed.record_survey(study(), metadata_sha256="a" * 64)
    assert surveyed.experiments_to_process_arrays(limit=9) == ["GSE1"]
    waits(surveyed, "GSM0001", "GSM0002", "GSM0003")
    assert surveyed.experiments_to_process_arrays(limit=9) == []
    surveyed.ledger.set_states([change("GSM0001", SampleState.QUANTIFIED, "GSE1")])
    assert surveyed.experiments_to_process_arrays(limit=9) == ["GSE1"]
    processed(surveyed, "GSM0001")
    surveyed.refresh_experiment_state("GSE1", processed=True)
    assert surveyed.experiments_to_process_arrays(limit=9) == []
    surveyed.record_survey(series("GSE2", [on(HUMAN, "GSM0001")]), metadata_sha256="a" * 64)
    assert surveyed.experiments_to_process_arrays(limit=9) == ["GSE2"]
    surveyed.refresh_experiment_state("GSE2", processed=True)
    assert surveyed.experiments_to_process_arrays(limit=9) == []
    surveyed.ledger.set_states([change("GSM0003", SampleState.SURVEYED, "GSE1", retryable=True)])
    assert surveyed.experiments_to_process_arrays(limit=9) == []


def test_values_of_shared_arrays_are_listed_with_their_owner(surveyed: Catalog) -> None:
    processed(surveyed, "GSM0001")
    surveyed.record_survey(series("GSE2", [on(HUMAN, "GSM0001"), on(HUMAN, "GSM0004")]), metadata_sha256="a" * 64)
    found = [(one.sample, one.owner, one.key) for one in surveyed.array_files("GSE2")]
    assert found == [("GSM0001", "GSE1", "array_expression/GSE1/GSM0001.parquet"), ("GSM0004", "GSE2", None)]
    assert surveyed.experiment_annotations("GSE2") == {"study": [{"center_name": "University"}]}
    assert surveyed.experiment_annotations("GSE9") == {}


def test_an_experiment_of_arrays_and_reads_is_processed_when_both_have_expression(catalog: Catalog) -> None:
    catalog.record_survey(series("E-MTAB-1", [on(HUMAN, "GSM0001"), sample("SRR0000001")]), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change("GSM0001", SampleState.PROCESSED, "E-MTAB-1")])
    assert catalog.refresh_experiment_state("E-MTAB-1", processed=True).state is SampleState.SURVEYED
    catalog.ledger.set_states([change("SRR0000001", SampleState.PROCESSED, "E-MTAB-1")])
    entry = catalog.refresh_experiment_state("E-MTAB-1", processed=True)
    assert (entry.state, entry.kind) == (SampleState.PROCESSED, LedgerKind.EXPERIMENT)


def test_a_removed_experiment_leaves_no_detected_platform(surveyed: Catalog) -> None:
    from sqlalchemy import func, select

    from resources.catalog.models import DetectedPlatform

    shown = DetectedPlatformToRecord(
        sample="GSM0001", platform=HUMAN, platform_name=HUMAN, manufacturer=None, named="HG-U133_Plus_2",
        evidence="cel_header",
    )  # fmt: skip
    surveyed.record_detected_platforms([shown])
    surveyed.remove_experiment("GSE1")
    with surveyed.reading() as session:
        assert session.scalar(select(func.count()).select_from(DetectedPlatform)) == 0
