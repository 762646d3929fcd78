"""The SRA's XML as ENA's rows: packages of NCBI, sets of ENA, and documents that are not to be trusted."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from refinebio_assets.survey.sra_xml import SraXml, join_sra_xml, read_sra_xml
from refinebio_assets.survey.sra_xml_elements import DEEPEST_ELEMENT, read_elements

FOLDER = Path(__file__).parent.parent / "data" / "inspection"
PACKAGES = FOLDER / "experiment_packages_SRP251352.xml.gz"
REGISTRY = PlatformRegistry.load()


def read(text: str) -> SraXml:
    return read_sra_xml(io.BytesIO(text.encode()))


def package(run: str = "", *, sample: str = "") -> str:
    """A package of one eligible run with some parts changed."""
    return f"""<EXPERIMENT_PACKAGE_SET><EXPERIMENT_PACKAGE>
    <EXPERIMENT accession="SRX1000001" alias="e"><TITLE>An experiment</TITLE><STUDY_REF accession="SRP1000001"/>
      <DESIGN><SAMPLE_DESCRIPTOR accession="SRS1000001"/><LIBRARY_DESCRIPTOR>
        <LIBRARY_STRATEGY>RNA-Seq</LIBRARY_STRATEGY><LIBRARY_SOURCE>TRANSCRIPTOMIC</LIBRARY_SOURCE>
        <LIBRARY_SELECTION>cDNA</LIBRARY_SELECTION><LIBRARY_LAYOUT><PAIRED NOMINAL_LENGTH="300"/></LIBRARY_LAYOUT>
      </LIBRARY_DESCRIPTOR></DESIGN>
      <PLATFORM><ILLUMINA><INSTRUMENT_MODEL>Illumina HiSeq 2000</INSTRUMENT_MODEL></ILLUMINA></PLATFORM>
    </EXPERIMENT>
    <STUDY accession="SRP1000001" alias="GSE1000001"><DESCRIPTOR><STUDY_TITLE>A study</STUDY_TITLE></DESCRIPTOR></STUDY>
    <SAMPLE accession="SRS1000001"><TITLE>A sample</TITLE><SAMPLE_NAME><TAXON_ID>7955</TAXON_ID>
      <SCIENTIFIC_NAME>Danio rerio</SCIENTIFIC_NAME></SAMPLE_NAME>
      <SAMPLE_ATTRIBUTES><SAMPLE_ATTRIBUTE><TAG>tissue</TAG><VALUE>liver</VALUE></SAMPLE_ATTRIBUTE>
      <SAMPLE_ATTRIBUTE><TAG>age</TAG><VALUE>3</VALUE><UNITS>months</UNITS></SAMPLE_ATTRIBUTE></SAMPLE_ATTRIBUTES>{sample}
    </SAMPLE>
    <RUN_SET><RUN accession="SRR1000001" {run}><EXPERIMENT_REF accession="SRX1000001"/>
      <SRAFiles><SRAFile supertype="Primary ETL" url="https://x.org/SRR1000001" size="9" md5="{"0" * 32}"/></SRAFiles>
    </RUN></RUN_SET></EXPERIMENT_PACKAGE></EXPERIMENT_PACKAGE_SET>"""  # fmt: skip


def survey(document: SraXml) -> Any:
    (payload,) = document.payloads()
    return survey_sra(payload, REGISTRY)


def test_packages_say_what_pysradb_reads_from_them():
    rows = {row["run_accession"]: row for row in read_sra_xml(PACKAGES).read_runs()}
    theirs = list(
        csv.DictReader(io.StringIO(gzip.decompress((FOLDER / "pysradb_SRP251352.csv.gz").read_bytes()).decode()))
    )
    columns = {
        "secondary_study_accession": "study_accession",
        "experiment_accession": "experiment_accession",
        "experiment_title": "experiment_title",
        "tax_id": "sample_taxon_id",
        "scientific_name": "sample_scientific_name",
        "library_strategy": "experiment_library_strategy",
        "library_source": "experiment_library_source",
        "library_selection": "experiment_library_selection",
        "secondary_sample_accession": "sample_accession",
        "sample_alias": "sample_alias",
        "instrument_model": "experiment_instrument_model",
        "read_count": "run_1_total_spots",
        "base_count": "run_1_total_bases",
    }
    assert len(rows) == 92
    assert {row["experiment_accession"] for row in rows.values()} == {each["experiment_accession"] for each in theirs}
    for each in theirs:
        row = rows[each["run_1_accession"]]
        assert {ours: row.get(ours, "") for ours in columns} == {ours: each[name] for ours, name in columns.items()}


def test_every_study_of_a_document_is_a_payload_of_its_own():
    document = read_sra_xml(PACKAGES)
    payloads = document.payloads()
    assert sum(len(payload["read_run"]) for payload in payloads) == len(document.runs) == 92
    assert {payload["accession"] for payload in payloads} == {
        row["secondary_study_accession"] for row in document.read_runs()
    }


def test_a_package_becomes_an_experiment_with_aliases_and_publication_and_a_harmonised_run():
    result = survey(read_sra_xml(FOLDER / "experiment_package_SRX3791763.xml"))
    assert result.experiment.accession == "SRP131661"
    assert result.experiment.aliases == ("GSE109774", "PRJNA432002")
    assert result.experiment.pubmed_id == "30283141"
    record = result.samples[0].record
    assert (record.accession, record.organism, record.platform_name) == (
        "SRR6835844", "MUS_MUSCULUS", "Illumina NovaSeq 6000",
    )  # fmt: skip
    assert set(record.aliases) == {"SRX3791763", "SRS3044236", "SAMN08712896", "GSM3040890"}
    raw = {value.field: value.raw_value for value in record.harmonized}
    assert (raw["age"], raw["specimen_part"]) == ("3 months", "Tongue")


def test_sets_of_ena_complete_each_other():
    names = ("SRR1533126", "SRX666716", "SRS671406", "SRP045126", "SRA177342")
    document = join_sra_xml(read_sra_xml(FOLDER / f"ena_{name}.xml") for name in names)
    result = survey(document)
    assert result.experiment.title == "Homo sapiens Transcriptome or Gene expression"
    (sample,) = result.samples
    assert sample.record.library_strategy == "RNA-Seq"
    assert {value.field: value.value for value in sample.record.harmonized}["sex"] == "female"
    assert set(document.submissions) == {"SRA177342"}


def test_one_set_alone_says_what_it_says():
    document = read_sra_xml(FOLDER / "ena_SRR000001.xml")
    assert document.read_runs() == [document.runs["SRR000001"]]
    assert document.runs["SRR000001"]["secondary_study_accession"] == "SRP000001"
    assert document.runs["SRR000001"]["first_public"] == "2010-02-26"


def test_attributes_are_harmonised_with_and_without_a_biosample():
    identifiers = '<IDENTIFIERS><EXTERNAL_ID namespace="BioSample">SAMN01</EXTERNAL_ID></IDENTIFIERS>'
    for sample in ("", identifiers):
        harmonized = {
            value.field: value.value for value in survey(read(package(sample=sample))).samples[0].record.harmonized
        }
        assert (harmonized["specimen_part"], harmonized["age"]) == ("liver", "3")


def test_runs_behind_an_access_committee_and_hidden_ones_are_told_apart():
    states = {
        'cluster_name="dbgap" is_public="true"': SampleState.CONTROLLED_ACCESS,
        'is_public="false"': SampleState.WITHDRAWN_UPSTREAM,
        'is_public="true" cluster_name="public"': SampleState.SURVEYED,
        "": SampleState.SURVEYED,
    }
    assert {run: survey(read(package(run))).samples[0].decision.state for run in states} == states


def test_samples_of_a_pool_are_joined_as_ena_does():
    members = "".join(
        f'<Member accession="SRS100000{number}" organism="{organism}" tax_id="{tax}"/>'
        for number, organism, tax in ((1, "Danio rerio", 7955), (2, "Mus musculus", 10090))
    )
    text = package().replace("<EXPERIMENT_REF", f"<Pool>{members}</Pool><EXPERIMENT_REF")
    (row,) = read(text).read_runs()
    assert row["secondary_sample_accession"] == "SRS1000001;SRS1000002"
    assert row["scientific_name"] == "Danio rerio;Mus musculus"
    assert survey(read(text)).samples[0].decision.reason == "unknown_organism"


def test_an_entity_that_comes_twice_is_one():
    once = package()
    inner = once.removeprefix("<EXPERIMENT_PACKAGE_SET>").removesuffix("</EXPERIMENT_PACKAGE_SET>")
    twice = read(f"<EXPERIMENT_PACKAGE_SET>{inner}{inner}</EXPERIMENT_PACKAGE_SET>")
    assert twice.read_runs() == read(once).read_runs()


def test_entities_without_an_accession_are_counted():
    document = read('<RUN_SET><RUN alias="a"/><RUN accession="SRX1000001"/><RUN accession="SRR1000001"/></RUN_SET>')
    assert (set(document.runs), document.without_accession) == ({"SRR1000001"}, 2)


LAUGHS = '<!DOCTYPE RUN_SET [<!ENTITY a "ha">{}]><RUN_SET><RUN>&z;</RUN></RUN_SET>'.format(
    "".join(f'<!ENTITY {chr(98 + n)} "{"&" + chr(97 + n) + ";"}{"&" + chr(97 + n) + ";"}">' for n in range(25))
)
REFUSED = {
    "a billion laughs": LAUGHS,
    "an external entity": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><RUN_SET>&x;</RUN_SET>',
    "another root": "<html><body/></html>",
    "nothing": "",
    "half a document": package()[:900],
    "a document that is too deep": "<RUN_SET><RUN>"
    + "<a>" * DEEPEST_ELEMENT
    + "</a>" * DEEPEST_ELEMENT
    + "</RUN></RUN_SET>",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_a_line_is(what):
    with pytest.raises(MalformedFileError) as caught:
        read(REFUSED[what])
    assert caught.value.line is not None


def test_a_unit_without_end_is_refused_before_it_fills_the_memory():
    with pytest.raises(MalformedFileError, match="more than 32 MiB"):
        read_sra_xml(io.BytesIO(b"<RUN_SET><RUN>" + b"<RUN_LINKS>x</RUN_LINKS>" * 100_000))


def test_documents_of_any_length_are_read_in_the_memory_of_their_rows():
    one = b'<RUN accession="SRR%07d"><SPOT_DESCRIPTOR>' + b"<READ_SPEC>x</READ_SPEC>" * 50 + b"</SPOT_DESCRIPTOR></RUN>"
    pieces = io.BytesIO(b"<RUN_SET>" + b"".join(one % number for number in range(3000)) + b"</RUN_SET>")
    tracemalloc.start()
    count = sum(1 for _ in read_elements(pieces, ("RUN",), name="runs"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 3000
    assert peak < 2_000_000


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_documents_are_read_or_refused(data):
    text = bytearray(package().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(st.sampled_from([b"<", b">", b"&", b"\0", b"\xff", b"]]>", b"</RUN>", b'"', b""]))
        text[position : position + data.draw(st.integers(0, 40))] = piece
    try:
        document = read_sra_xml(io.BytesIO(bytes(text)))
    except MalformedFileError:
        pass
    else:
        for payload in document.payloads():
            assert len(survey_sra(payload, REGISTRY).samples) == len(payload["read_run"])
