from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey import geo_miniml
from refinebio_assets.survey.geo_family import DataTable, SoftFamily
from refinebio_assets.survey.geo_miniml import read_miniml_family
from refinebio_assets.survey.geo_series_matrix import read_series_matrix
from tests.survey.geo_files import MINIML, SERIES_MATRIX, text_of

SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<MINiML xmlns="http://www.ncbi.nlm.nih.gov/geo/info/MINiML">
  <Platform iid="GPL1"><Title>Array</Title><Sample-Ref ref="GSM9"/></Platform>
  <Sample iid="GSM1">
    <Status database="GEO"><Submission-Date>2003-10-20</Submission-Date><Release-Date>2003-11-25</Release-Date></Status>
    <Title>Kidney</Title>
    <Accession database="GEO">GSM1</Accession>
    <Channel-Count>2</Channel-Count>
    <Channel position="1">
      <Source>tumour</Source>
      <Organism taxid="9606">Homo sapiens</Organism>
      <Characteristics tag="tissue">
kidney
      </Characteristics>
      <Label>Cy3</Label>
    </Channel>
    <Channel position="2"><Characteristics tag="tissue">pool</Characteristics></Channel>
    <Hybridization-Protocol>16 h &amp; 42 °C</Hybridization-Protocol>
    <Platform-Ref ref="GPL1"/>
    <Contact-Ref ref="contrib1"/>
    <Supplementary-Data type="CEL">ftp://ftp.ncbi.nlm.nih.gov/x/GSM1.CEL.gz</Supplementary-Data>
    <Instrument-Model><Predefined>Illumina HiSeq 2000</Predefined></Instrument-Model>
    <Relation type="SRA" target="https://www.ncbi.nlm.nih.gov/sra?term=SRX1"/>
    <Data-Table>
      <Column position="1"><Name>ID_REF</Name><Description/></Column>
      <Column position="2"><Name>VALUE</Name><Description>log2</Description></Column>
      TABLE
    </Data-Table>
  </Sample>
  <Contributor iid="contrib1">
    <Person><First>A</First><Last>B</Last></Person><Organization>An institute</Organization>
  </Contributor>
</MINiML>
"""


def miniml(text: str) -> SoftFamily:
    return read_miniml_family(io.BytesIO(text.encode()))


def test_the_real_document_names_its_samples_and_describes_its_series():
    family = read_miniml_family(MINIML)
    assert family.accession() == "GSE180363"
    assert len(family.samples) == 16
    series = family.series[0]
    assert series.first("title") == "Genome-wide chromatin accessibility of founder mice pancreatic islets"
    assert series.attributes["sample_id"] == tuple(sample.name for sample in family.samples)
    assert series.first("contact_institute") == "University of Wisconsin-Madison"
    assert series.attributes["relation"][0] == "SubSeries of: GSE180810"
    assert len(series.attributes["supplementary_file"]) == 24


def test_attributes_are_named_as_in_soft():
    sample = miniml(SAMPLE).samples[0]
    assert {name: sample.attributes[name] for name in sample.attributes} == {
        "submission_date": ("2003-10-20",),
        "status": ("Public on 2003-11-25",),
        "title": ("Kidney",),
        "geo_accession": ("GSM1",),
        "channel_count": ("2",),
        "source_name_ch1": ("tumour",),
        "organism_ch1": ("Homo sapiens",),
        "taxid_ch1": ("9606",),
        "characteristics_ch1": ("tissue: kidney",),
        "characteristics_ch2": ("tissue: pool",),
        "label_ch1": ("Cy3",),
        "hyb_protocol": ("16 h & 42 °C",),
        "platform_id": ("GPL1",),
        "contact_name": ("A,,B",),
        "contact_institute": ("An institute",),
        "supplementary_file": ("ftp://ftp.ncbi.nlm.nih.gov/x/GSM1.CEL.gz",),
        "instrument_model": ("Illumina HiSeq 2000",),
        "relation": ("SRA: https://www.ncbi.nlm.nih.gov/sra?term=SRX1",),
    }


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ('<External-Data rows="22283">GSM1-tbl-1.txt</External-Data>', 22283),
        ("<Internal-Data>\na\t1\nb\t2\n</Internal-Data>", 3),
        ("", 0),
    ],
)
def test_tables_are_passed_over_but_their_shape_is_kept(table, rows):
    sample = miniml(SAMPLE.replace("TABLE", table)).samples[0]
    assert sample.table == DataTable(columns=("ID_REF", "VALUE"), rows=rows)
    assert sample.column_descriptions["VALUE"] == "log2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("<html><body>Error</body></html>", "not MINiML"),
        ("<MINiML><Sample>", "no well-formed XML"),
        ("plain text", "no well-formed XML"),
        ('<?xml version="1.0" encoding="nonesuch"?><MINiML/>', "no well-formed XML|cannot be read"),
        ('<!DOCTYPE x [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><MINiML>&b;</MINiML>', "DOCTYPE"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><MINiML>&a;</MINiML>', "DOCTYPE"),
        ("<MINiML>" + "<a>" * 50 + "</a>" * 50 + "</MINiML>", "deep"),
    ],
)
def test_what_is_no_miniml_is_refused(text, message):
    with pytest.raises(MalformedFileError, match=message) as caught:
        miniml(text)
    assert caught.value.line is not None


def test_an_entity_may_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(geo_miniml, "LARGEST_ENTITY_BYTES", 100_000)
    with pytest.raises(MalformedFileError, match="of text"):
        miniml("<MINiML><Sample><Title>" + "a" * 200_000 + "</Title></Sample></MINiML>")
    table = "<Data-Table><Internal-Data>" + "a\t1\n" * 100_000 + "</Internal-Data></Data-Table>"
    assert miniml(f"<MINiML><Sample iid='GSM1'>{table}</Sample></MINiML>").samples[0].table is not None


def test_truncated_gzip_is_refused():
    with pytest.raises(MalformedFileError, match="cannot be read to its end"):
        read_miniml_family(io.BytesIO(gzip.compress(SAMPLE.encode())[:-20]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SAMPLE)), st.integers(0, 20), st.text(max_size=10))
def test_changed_documents_are_read_or_refused_and_never_crash(start, length, replacement):
    changed = SAMPLE[:start] + replacement + SAMPLE[start + length :]
    try:
        family = read_miniml_family(io.BytesIO(changed.encode("utf-8", "surrogatepass")))
    except MalformedFileError:
        return
    assert len(family.samples) <= 1


def test_a_series_matrix_gives_each_sample_its_own_values():
    family = read_series_matrix(SERIES_MATRIX)
    assert family.accession() == "GSE52778"
    assert len(family.samples) == len(family.series[0].attributes["sample_id"]) == 16
    untreated, treated = family.samples[:2]
    assert untreated.attributes["characteristics_ch1"][0] == "treatment: Untreated"
    assert treated.attributes["characteristics_ch1"][0] == "treatment: Dexamethasone"
    assert family.series[0].table is not None
    assert family.series[0].table.columns[1] == "GSM1275862"


def test_another_file_is_no_series_matrix():
    with pytest.raises(MalformedFileError, match="no series matrix"):
        read_series_matrix(io.BytesIO(text_of("GSE18162.soft.gz")))
