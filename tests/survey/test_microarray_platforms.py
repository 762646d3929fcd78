from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from refinebio_assets.survey.registry import PlatformRegistry

REGISTRY = PlatformRegistry.load()
ROWS = list(
    csv.DictReader(
        (files("refinebio_assets.survey") / "data" / "supported_microarray_platforms.csv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
)


def test_every_listed_accession_and_code_finds_its_array():
    assert len(ROWS) == 732
    for row in ROWS:
        platform = REGISTRY.microarray_platform(row["external_accession"])
        assert platform is not None
        assert row["internal_accession"] in (platform.accession, *platform.alternatives)
        by_code = REGISTRY.microarray_platform(row["internal_accession"].upper())
        assert by_code is not None
        assert by_code.accession == row["internal_accession"]
        assert by_code.has_brainarray is (row["is_brainarray"] == "y")


def test_gpl_and_a_geod_are_twins():
    assert REGISTRY.microarray_platform("A-GEOD-570") == REGISTRY.microarray_platform("gpl570")
    listed_as_a_geod = REGISTRY.microarray_platform("GPL22844")
    assert listed_as_a_geod is not None
    assert listed_as_a_geod.accession == "clariomdhuman"


@pytest.mark.parametrize("accession", ["GPL57", "GPL5700", "A-GEOD-5700", "A-AFFY-570", "", "GPL", "hgu133"])
def test_an_accession_is_never_taken_for_another(accession):
    assert REGISTRY.microarray_platform(accession) is None


def test_arrays_have_name_and_manufacturer():
    plus2 = REGISTRY.microarray_platform("GPL570")
    assert plus2 is not None
    assert (plus2.accession, plus2.manufacturer) == ("hgu133plus2", "AFFYMETRIX")
    assert plus2.name == "[HG-U133_Plus_2] Affymetrix Human Genome U133 Plus 2.0 Array"
    ht12 = REGISTRY.microarray_platform("A-MEXP-2072")
    assert ht12 is not None
    assert (ht12.accession, ht12.name, ht12.manufacturer) == (
        "Illumina_HumanHT-12_V4.0",
        "Illumina_HumanHT-12_V4.0",
        "ILLUMINA",
    )
    exon = REGISTRY.microarray_platform("HuEx-1_0-st")
    assert exon is not None
    assert exon.name != exon.accession


def test_a_chip_definition_version_does_not_hide_the_array():
    assert REGISTRY.microarray_platform("hugene10stv1") == REGISTRY.microarray_platform("hugene10st")


@pytest.mark.parametrize(
    ("accession", "code", "alternatives"),
    [
        ("GPL3240", "rae230a", ("htrat230pm",)),
        ("GPL9197", "hthgu133b", ("hgu133b",)),
        ("A-GEOD-15396", "hthgu133b", ("hgu133b",)),
    ],
)
def test_two_arrays_under_one_accession_are_both_told(accession, code, alternatives):
    platform = REGISTRY.microarray_platform(accession)
    assert platform is not None
    assert (platform.accession, platform.alternatives) == (code, alternatives)
