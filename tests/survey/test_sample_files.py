"""Files and samples: every file has an outcome, every sample its files, and no accession is taken for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.survey.sample_files import FileOutcome, match_files

OURS = {"GSM1234": (), "GSM1235": (), "GSM12345678": ()}


def one(file: str, announced=OURS) -> tuple[str, tuple[str, ...]]:
    (match,) = match_files([file], announced).files
    return match.outcome.value, match.samples


@pytest.mark.parametrize(
    ("file", "outcome", "samples"),
    [
        ("GSM1234_x.CEL.gz", "matched", ("GSM1234",)),
        ("gsm1234.cel", "matched", ("GSM1234",)),
        ("a_GSM1234-rep1.CEL", "matched", ("GSM1234",)),
        ("GSE1_RAW.tar/GSM1234.CEL.gz", "matched", ("GSM1234",)),
        ("GSM1234/raw.CEL", "matched", ("GSM1234",)),
        ("GSM1235/GSM1234.CEL", "matched", ("GSM1234",)),
        ("GSM1234_GSM1234_2.CEL", "matched", ("GSM1234",)),
        ("GSM12345678.CEL", "matched", ("GSM12345678",)),
        ("GSM1234_SAMN00000001.CEL", "matched", ("GSM1234",)),
        ("GSM1234_vs_GSM1235.txt", "ambiguous", ("GSM1234", "GSM1235")),
        ("GSM1234_vs_GSM99.txt", "ambiguous", ("GSM1234",)),
        ("GSM12345.CEL", "other_sample", ()),
        ("GSM123.CEL", "other_sample", ()),
        ("GSM01234.CEL", "other_sample", ()),
        ("GSM1234a.CEL", "unmatched", ()),
        ("XGSM1234.CEL", "unmatched", ()),
        ("GPL570.annot.gz", "unmatched", ()),
        ("README.txt", "unmatched", ()),
        ("GSE1234_family.xml", "unmatched", ()),
        ("", "unmatched", ()),
    ],
)
def test_a_file_belongs_to_the_sample_whose_accession_is_a_whole_word_of_its_name(file, outcome, samples):
    assert one(file) == (outcome, samples)


def test_an_announced_name_decides_also_without_an_accession():
    announced = {"GSM1": ["Liver 1.CEL.gz"], "GSM2": ["kidney.CEL", "kidney_b.CEL"], "GSM3": []}
    found = match_files(["a/Liver 1.CEL", "KIDNEY.CEL.gz", "kidney_b.CEL", "spleen.CEL"], announced)
    assert [match.outcome.value for match in found.files] == ["matched", "matched", "matched", "unmatched"]
    assert found.by_sample == {"GSM1": ("a/Liver 1.CEL",), "GSM2": ("KIDNEY.CEL.gz", "kidney_b.CEL"), "GSM3": ()}


def test_a_table_that_several_samples_announce_is_shared():
    name = "GSE1_non-normalized.txt.gz"
    found = match_files([name], dict.fromkeys(["GSM1", "GSM2"], (name,)))
    assert found.files[0].outcome is FileOutcome.SHARED
    assert found.by_sample == dict.fromkeys(["GSM1", "GSM2"], (name,))


def test_a_name_that_speaks_against_the_sample_that_announced_it_is_ambiguous():
    found = match_files(["GSM2.CEL"], {"GSM1": ["GSM2.CEL"], "GSM2": []})
    assert (found.files[0].outcome, found.files[0].samples) == (FileOutcome.AMBIGUOUS, ("GSM1", "GSM2"))
    assert found.by_sample == {"GSM1": (), "GSM2": ()}
    assert found.with_outcome(FileOutcome.AMBIGUOUS) == found.files


def test_samples_of_array_express_and_of_the_sequence_archives_are_whole_words_too():
    announced = {"E-MTAB-3050-a b": (), "E-MTAB-3050-1": (), "E-MTAB-3050-10": (), "SRR100001": ()}
    assert one("E-MTAB-3050-10.CEL", announced) == ("matched", ("E-MTAB-3050-10",))
    assert one("e-mtab-3050-a b_x.CEL", announced) == ("matched", ("E-MTAB-3050-a b",))
    assert one("SRR100001_1.fastq.gz", announced) == ("matched", ("SRR100001",))
    assert one("SRR1000012.fastq.gz", announced) == ("other_sample", ())
    assert one("E-MTAB-3050-100.CEL", announced) == ("unmatched", ())


ACCESSIONS = st.integers(1, 99_999_999).map("GSM{}".format)
FILES = st.text(st.sampled_from("GSMgsm0123456789_-./ xCEL"), max_size=25)


@given(st.lists(st.one_of(FILES, ACCESSIONS.map("{}_a.CEL.gz".format))), st.lists(ACCESSIONS, unique=True, max_size=6))
def test_every_file_and_every_sample_is_accounted_for(files, samples):
    found = match_files(files, dict.fromkeys(samples, ()))
    assert [match.file for match in found.files] == files
    assert set(found.by_sample) == set(samples)
    given_out = [file for names in found.by_sample.values() for file in names]
    assert len(given_out) == sum(match.outcome is FileOutcome.MATCHED for match in found.files)
    assert all((not match.samples) == (match.outcome.value in {"unmatched", "other_sample"}) for match in found.files)


@given(ACCESSIONS, ACCESSIONS, st.sampled_from(["{}.CEL.gz", "{}_a.cel", "x-{}.txt", "raw/{}", "{}/a.CEL", "{} 1.CEL"]))
def test_a_file_is_never_given_to_a_sample_of_another_number(named, sample, form):
    matched = bool(match_files([form.format(named.lower())], {sample: ()}).by_sample[sample])
    assert matched is (named == sample)


@given(st.text(max_size=40), st.lists(st.text(max_size=10), max_size=4))
def test_any_names_are_taken(file, names):
    found = match_files([file], {"GSM1": names, "E-MTAB-1-x": ()})
    assert len(found.files) == 1
