"""How many processed samples of each organism there are on each platform."""

from __future__ import annotations

from refinebio_assets.domain.vocabulary import SampleState, Technology
from resources.catalog import Catalog, DetectedPlatformToRecord, PlatformCounts
from tests.resources.catalog.studies import array, change, sample, series, study


def record(catalog: Catalog) -> None:
    arrays = [
        array("GSM0001"), array("GSM0002"), array("GSM0003", has_raw=False), array("GSM0004"),
        array("GSM0005", platform_accession=None), array("GSM0006", organism="BOS_TAURUS", taxonomy_id=9913),
    ]  # fmt: skip
    catalog.record_survey(series("GSE1", arrays), metadata_sha256="a" * 64)
    catalog.record_survey(study(samples=[sample("SRR0000001")]), metadata_sha256="a" * 64)


def processed(catalog: Catalog, experiment: str, *names: str) -> None:
    catalog.ledger.set_states([change(name, SampleState.PROCESSED, experiment) for name in names])


def test_processed_samples_are_counted_by_organism_technology_and_platform(catalog: Catalog) -> None:
    record(catalog)
    assert catalog.compendia.platforms() == []
    processed(catalog, "GSE1", "GSM0001", "GSM0002", "GSM0003", "GSM0005", "GSM0006")
    processed(catalog, "SRP000001", "SRR0000001")
    found = {
        (one.organism, one.technology, one.platform): (one.manufacturer, one.processed, one.with_raw)
        for one in catalog.compendia.platforms()
    }
    assert found == {
        ("BOS_TAURUS", Technology.MICROARRAY, "GPL1319"): ("AFFYMETRIX", 1, 1),
        ("DANIO_RERIO", Technology.MICROARRAY, None): (None, 1, 1),
        ("DANIO_RERIO", Technology.MICROARRAY, "GPL1319"): ("AFFYMETRIX", 3, 2),
        ("DANIO_RERIO", Technology.RNA_SEQ, "IlluminaHiSeq2500"): ("ILLUMINA", 1, 1),
    }


def test_the_platform_that_a_file_shows_counts_not_the_claimed_one(catalog: Catalog) -> None:
    catalog.record_survey(
        series("GSE1", [array("GSM0001"), array("GSM0002", platform_accession="GPL570", platform_name="Plus 2")]),
        metadata_sha256="a" * 64,
    )
    processed(catalog, "GSE1", "GSM0001", "GSM0002")
    shown = DetectedPlatformToRecord(
        sample="GSM0001", platform="GPL570", platform_name="Plus 2", manufacturer="AFFYMETRIX",
        named="HG-U133_Plus_2", evidence="header",
    )  # fmt: skip
    catalog.record_detected_platforms([shown])
    (counts,) = catalog.compendia.platforms()
    assert counts == PlatformCounts(
        organism="DANIO_RERIO", technology=Technology.MICROARRAY, platform="GPL570", manufacturer="AFFYMETRIX",
        processed=2, with_raw=2,
    )  # fmt: skip
