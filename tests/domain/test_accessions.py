from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES, SAMPLE_TYPES, AccessionType, parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError

EXAMPLES = {
    "SRP068364": AccessionType.SRA_STUDY,
    "DRP003977": AccessionType.SRA_STUDY,
    "ERX1264364": AccessionType.SRA_EXPERIMENT,
    "SRS671406": AccessionType.SRA_SAMPLE,
    "SRR11181954": AccessionType.SRA_RUN,
    "SRR123456789": AccessionType.SRA_RUN,
    "SRA188845": AccessionType.SRA_SUBMISSION,
    "PRJNA1": AccessionType.BIOPROJECT,
    "PRJEB12126": AccessionType.BIOPROJECT,
    "PRJDB90": AccessionType.BIOPROJECT,
    "SAMN02947828": AccessionType.BIOSAMPLE,
    "SAMEA3708907": AccessionType.BIOSAMPLE,
    "SAMD00004104": AccessionType.BIOSAMPLE,
    "GSE1": AccessionType.GEO_SERIES,
    "GSM12345678": AccessionType.GEO_SAMPLE,
    "GPL570": AccessionType.GEO_PLATFORM,
    "GDS5881": AccessionType.GEO_DATASET,
    "E-MTAB-3050": AccessionType.ARRAY_EXPRESS,
    "A-AFFY-44": AccessionType.ARRAY_DESIGN,
}

prefixes = st.sampled_from(
    [
        "SRP",
        "ERP",
        "DRP",
        "SRX",
        "SRS",
        "SRR",
        "ERR",
        "SRA",
        "PRJNA",
        "PRJEB",
        "SAMN",
        "SAMEA",
        "SAMD",
        "GSE",
        "GSM",
        "GPL",
        "GDS",
        "E-MTAB-",
        "A-AFFY-",
    ]
)
numbers = st.from_regex(r"[0-9]{6,12}", fullmatch=True)
accessions = st.builds(str.__add__, prefixes, numbers)


@pytest.mark.parametrize(("text", "accession_type"), EXAMPLES.items())
def test_accessions_of_the_archives_are_recognised(text: str, accession_type: AccessionType):
    assert parse_accession(text).type is accession_type


@given(accessions)
def test_an_accession_keeps_every_digit_whatever_its_length(text: str):
    assert parse_accession(text).value == text


@given(accessions, st.sampled_from([str.lower, str.upper, lambda text: f"  {text}\n", str.title]))
def test_letter_case_and_white_space_do_not_change_what_is_named(text: str, spelling):
    assert parse_accession(spelling(text)) == parse_accession(text)


@given(
    accessions,
    st.text(min_size=1, max_size=5).filter(
        lambda text: (text.strip() and not text.strip().isascii()) or not text.strip().isdigit()
    ),
)
def test_nothing_is_cut_out_of_a_longer_word(text: str, addition: str):
    if addition.strip() == "":
        return
    for longer in (text + addition, addition + text):
        try:
            found = parse_accession(longer)
        except UnsupportedAccessionError:
            continue
        assert found.value == longer.strip().upper()


@given(accessions, accessions)
def test_different_accessions_are_never_taken_for_each_other(first: str, second: str):
    assert (parse_accession(first) == parse_accession(second)) is (first == second)


@given(st.text(max_size=20))
def test_any_text_is_an_accession_as_a_whole_or_refused(text: str):
    try:
        accession = parse_accession(text)
    except UnsupportedAccessionError:
        return
    assert accession.value == text.strip().upper()
    assert accession.value.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SRP",
        "SRP12345",
        "GSE",
        "GSM",
        "S-EPMC123",
        "Danio rerio",
        "SRR1000001;SRR1000002",
        "E-mtab",
        "SRP\u0661\u0662\u0663\u0664\u0665\u0666",
    ],
)
def test_what_is_no_accession_is_refused(text: str):
    with pytest.raises(UnsupportedAccessionError):
        parse_accession(text)


def test_an_accession_names_an_experiment_or_a_sample_but_not_both():
    assert not EXPERIMENT_TYPES & SAMPLE_TYPES
    assert parse_accession("GSE1").is_experiment
    assert parse_accession("SRR1000001").is_sample
    assert not parse_accession("GPL570").is_sample
