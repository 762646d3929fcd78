"""Routing: every accession leads to its own archive and to no other experiment."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.accessions import AccessionType, SourceArchive
from refinebio_assets.domain.errors import InputError, MalformedPayloadError, UnsupportedAccessionError
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sources import (
    is_organism,
    own_accession,
    payload_samples,
    route,
    source_of,
    survey_payload,
)
from tests.survey.array_express_studies import SDRF_FILES, array_row, made_up, sequencing_row, table
from tests.survey.array_express_studies import payload as recorded_study
from tests.survey.geo_files import array_sample, payload

NUMBER = st.integers(min_value=0, max_value=10**14)
LONG = st.integers(min_value=0, max_value=10**12).map(lambda number: f"{number:06d}")
REGISTRY = PlatformRegistry.load()


def one_of(*prefixes: str, number: st.SearchStrategy[Any] = NUMBER) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, st.sampled_from(prefixes), number)


GRAMMARS: dict[AccessionType, st.SearchStrategy[str]] = {
    AccessionType.SRA_STUDY: one_of("SRP", "ERP", "DRP", number=LONG),
    AccessionType.SRA_EXPERIMENT: one_of("SRX", "ERX", "DRX", number=LONG),
    AccessionType.SRA_SAMPLE: one_of("SRS", "ERS", "DRS", number=LONG),
    AccessionType.SRA_RUN: one_of("SRR", "ERR", "DRR", number=LONG),
    AccessionType.BIOPROJECT: one_of("PRJNA", "PRJEB", "PRJDB"),
    AccessionType.BIOSAMPLE: one_of("SAMN", "SAMEA", "SAMD"),
    AccessionType.GEO_SERIES: one_of("GSE"),
    AccessionType.GEO_SAMPLE: one_of("GSM"),
    AccessionType.ARRAY_EXPRESS: one_of("E-MTAB-", "E-GEOD-", "E-MEXP-", "E-TABM-", "E-ERAD-"),
}
UNSUPPORTED = st.one_of(one_of("GPL", "GDS", "A-AFFY-", "A-GEOD-"), one_of("SRA", "ERA", "DRA", number=LONG))
ACCESSION = st.one_of(*GRAMMARS.values())


@pytest.mark.parametrize("kind", GRAMMARS)
@given(data=st.data())
def test_routing_is_total_and_keeps_the_whole_accession(kind: AccessionType, data: st.DataObject) -> None:
    accession = data.draw(GRAMMARS[kind])
    found = route(f" {accession.lower()}\n")

    assert (found.query, found.type) == (accession, kind)
    assert found.source in set(SourceArchive)
    if found.partition is not None:
        assert re.findall("[0-9]+", found.partition) == re.findall("[0-9]+", accession)
        assert found.partition in {accession, accession.replace("E-GEOD-", "GSE")}


@given(ACCESSION, ACCESSION)
def test_two_accessions_lead_to_one_experiment_only_if_one_is_the_copy_of_the_other(one: str, other: str) -> None:
    first, second = route(one).partition, route(other).partition
    if one != other and first is not None and first == second:
        assert one.replace("E-GEOD-", "GSE") == other.replace("E-GEOD-", "GSE")


@given(ACCESSION, st.text(alphabet="0123456789ABCabc-_.;", min_size=1, max_size=6))
def test_an_accession_with_more_to_it_is_never_cut_to_one(accession: str, more: str) -> None:
    try:
        found = route(accession + more)
    except UnsupportedAccessionError:
        return
    assert found.query == (accession + more).upper()


@given(UNSUPPORTED)
def test_what_is_no_experiment_is_refused_with_what_to_give_instead(accession: str) -> None:
    with pytest.raises(UnsupportedAccessionError, match=f"{accession} is .* Give "):
        route(accession)


@pytest.mark.parametrize("accession", ["GSM12345678", "GSM123456789", "GSE1234567", "SRR123456789", "E-MTAB-123456"])
def test_long_numbers_stay_whole(accession: str) -> None:
    assert route(accession).query == accession


@given(ACCESSION, st.integers(min_value=1, max_value=2))
def test_an_accession_with_a_space_in_it_is_no_organism(accession: str, position: int) -> None:
    with pytest.raises(UnsupportedAccessionError, match=f"Write {accession}"):
        route(f"{accession[:position]} {accession[position:]}")


@pytest.mark.parametrize(
    ("query", "kind", "partition"),
    [
        ("Danio rerio", "organism", "DANIO_RERIO"),
        ("Caenorhabditis elegans, EnsemblMetazoa", "organism", "CAENORHABDITIS_ELEGANS"),
        (", EnsemblPlants", "division", None),
    ],
)
def test_organisms_and_divisions_go_to_ensembl(query: str, kind: str, partition: str | None) -> None:
    found = route(query)
    assert is_organism(query)
    assert (found.type, found.source, found.partition) == (kind, "ENSEMBL", partition)


def test_an_unknown_division_is_refused() -> None:
    with pytest.raises(InputError, match="Atlantis"):
        route("Danio rerio, Atlantis")


@pytest.mark.parametrize(
    ("accession", "source", "own"),
    [
        ("SRP1000000", SourceArchive.SRA, "SRP1000000"),
        ("PRJNA1", SourceArchive.SRA, None),
        ("gse1", SourceArchive.GEO, "GSE1"),
        ("E-GEOD-1", SourceArchive.GEO, "GSE1"),
        ("E-MTAB-1", SourceArchive.ARRAY_EXPRESS, "E-MTAB-1"),
    ],
)
def test_an_experiment_is_surveyed_under_one_accession(accession: str, source: SourceArchive, own: str | None) -> None:
    assert (source_of(accession), own_accession(accession)) == (source, own)


def test_a_sample_has_no_source_of_experiments() -> None:
    with pytest.raises(UnsupportedAccessionError, match="not the accession of an experiment"):
        source_of("GSM1")


def test_a_payload_goes_to_the_survey_of_its_source() -> None:
    assert survey_payload(payload(array_sample()), REGISTRY).experiment.source is SourceArchive.GEO
    assert survey_payload(made_up(table(array_row())), REGISTRY).experiment.source is SourceArchive.ARRAY_EXPRESS
    sequencing = {"source": "SRA", "accession": "SRP000001", "read_run": [], "study": [], "biosamples": {}}
    assert survey_payload(sequencing, REGISTRY).experiment.source is SourceArchive.SRA


def test_a_payload_of_no_known_source_is_refused() -> None:
    with pytest.raises(MalformedPayloadError, match="DBGAP"):
        survey_payload({"source": "DBGAP", "accession": "SRP000001"}, REGISTRY)


@pytest.mark.parametrize("accession", SDRF_FILES)
def test_the_samples_of_a_study_are_those_that_the_survey_finds(accession: str) -> None:
    studied = recorded_study(accession)
    result = survey_payload(studied, REGISTRY)
    assert payload_samples(studied) == tuple(sample.record.accession for sample in result.samples)


def test_reads_that_ena_has_are_followed_for_arrays_and_sequencing_in_one_study() -> None:
    mixed = made_up(table(array_row()), table(sequencing_row()), sequence_studies=["ERP000001"])
    result = survey_payload(mixed, REGISTRY)
    assert result.linked_studies == ("ERP000001",)
    assert [sample.decision.state.value for sample in result.samples] == ["surveyed", "superseded"]
    assert result.experiment.aliases == ("ERP000001",)
    assert result.experiment.annotations["sequence_studies"] == ["ERP000001"]


def test_reads_that_ena_does_not_have_are_no_raw_data() -> None:
    result = survey_payload(made_up(table(sequencing_row()), sequence_studies=[]), REGISTRY)
    (sample,) = result.samples
    assert (sample.decision.state.value, sample.decision.reason) == ("no_raw_file", "no_sra_study")
    assert "ERR000001, of which ENA has no public study" in sample.decision.message
    assert result.linked_studies == ()

    gsm = array_sample(
        type="SRA", platform_id="GPL11154", supplementary_file=None,
        relation="SRA: https://www.ncbi.nlm.nih.gov/sra?term=SRX000001",
    )  # fmt: skip
    result = survey_payload(payload(gsm) | {"sequence_studies": []}, REGISTRY)
    assert result.samples[0].decision.reason == "no_sra_study"
    assert "SRX000001" in result.samples[0].decision.message
    followed = survey_payload(payload(gsm) | {"sequence_studies": ["SRP000009"]}, REGISTRY)
    assert followed.linked_studies == ("SRP000009",)
    assert "SRP000009" in followed.experiment.aliases


def test_a_study_whose_samples_are_all_ruled_out_is_not_followed() -> None:
    chip = array_sample(type="SRA", platform_id="GPL11154", supplementary_file=None, library_strategy="ChIP-Seq")
    assert survey_payload(payload(chip) | {"sequence_studies": ["SRP000009"]}, REGISTRY).linked_studies == ()


def test_the_name_of_an_assay_is_no_organism_whatever_is_in_it():
    for name in ("E-MTAB-900009-chip [1]", "e-mexp-31-a b, c", "E-GEOD-5-x y"):
        assert not is_organism(name)
        with pytest.raises(UnsupportedAccessionError):
            route(name)
    assert is_organism("Escherichia coli")
