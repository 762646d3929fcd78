"""References of platforms and detected platforms in the API."""

from __future__ import annotations

from pathlib import Path

from refinebio_assets.domain.vocabulary import PlatformReferenceKind
from resources.catalog import Catalog, DetectedPlatformToRecord, PlatformReferenceToRecord
from tests.graphql_api.conftest import serve

QUERY = """{ platforms(filter: {names: ["zebrafish"]}) { accession references {
    kind source version sha256 filename sizeBytes numProbes numGenes isCurrent organism { name } downloadUrl } } }"""
DETECTED = """{ samples(first: 2) { nodes { accession platform { accession }
    detectedPlatform { named evidence share platform { accession } } } } }"""


def record(catalog: Catalog, sha256: str, version: str) -> None:
    catalog.record_platform_reference(
        PlatformReferenceToRecord(
            platform="zebrafish", platform_name="Zebrafish", kind=PlatformReferenceKind.CHIP_ANNOTATION,
            source="brainarray", version=version, sha256=sha256, key=f"platform_references/zebrafish/{sha256}.npz",
            filename="zebrafish.npz", size_bytes=7, num_probes=9, num_genes=3, organism="DANIO_RERIO",
        )
    )  # fmt: skip


def test_a_platform_shows_its_references_the_current_one_first(catalog: Catalog, tmp_path: Path) -> None:
    api = serve(catalog, tmp_path / "home", experiments=1, samples=2)
    record(catalog, "1" * 64, "24")
    record(catalog, "2" * 64, "25")
    (platform,) = api.ask(QUERY)["platforms"]
    current, earlier = platform["references"]
    assert (current["version"], current["isCurrent"], earlier["isCurrent"]) == ("25", True, False)
    assert (current["kind"], current["organism"]["name"]) == ("CHIP_ANNOTATION", "DANIO_RERIO")
    assert current["downloadUrl"].startswith("http://testserver/files/")


def test_a_sample_shows_what_was_submitted_and_what_its_file_shows(catalog: Catalog, tmp_path: Path) -> None:
    api = serve(catalog, tmp_path / "home", experiments=1, samples=2)
    first, second = api.ask(DETECTED)["samples"]["nodes"]
    assert first["detectedPlatform"] is None
    catalog.record_detected_platforms(
        [
            DetectedPlatformToRecord(
                sample=first["accession"], platform="zebrafish", platform_name=None, manufacturer=None,
                named="Zebrafish", evidence="cel_header",
            ),
            DetectedPlatformToRecord(
                sample=second["accession"], platform=None, platform_name=None, manufacturer=None,
                named="Unheard_Of", evidence="cel_header",
            ),
        ]
    )  # fmt: skip
    first, second = api.ask(DETECTED)["samples"]["nodes"]
    assert first["detectedPlatform"]["platform"] == {"accession": "zebrafish"}
    assert second["detectedPlatform"] == {
        "named": "Unheard_Of", "evidence": "cel_header", "share": None, "platform": None,
    }  # fmt: skip
