"""BeadArray tables: right columns with confidence, or a refusal; values as they stand."""

from __future__ import annotations

import gzip
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError, RefinebioError, UncertainTableError
from refinebio_assets.microarray.illumina_interpretation import LEAST_CONFIDENCE
from refinebio_assets.microarray.illumina_samples import SampleHint
from refinebio_assets.microarray.illumina_table import interpret_bead_table, read_bead_table
from tests.microarray import illumina_corpus as corpus

DATA = corpus.EXAMPLE.parent
SAMPLES = ("wt_1", "wt_2", "ko_1", "ko_2")
SIGNALS = [[f"{value:.1f}" for value, _ in sample] for sample in corpus.VALUES]
P_VALUES = [[f"{p:.5f}" for _, p in sample] for sample in corpus.VALUES]
ERRORS = [[f"{value / 20:.3f}" for value, _ in sample] for sample in corpus.VALUES]
ILMN = [f"ILMN_{1_650_000 + 37 * at}" for at in range(corpus.ROWS)]


def table(header, columns, ids=None, *, delimiter="\t"):
    """Lines of text with identifiers first."""
    rows = zip(ids or ILMN, *columns, strict=True)
    return ("\n".join(delimiter.join(row) for row in [header, *rows]) + "\n").encode()


def interleaved(*quantities):
    return [quantity[at] for at in range(len(SAMPLES)) for quantity in quantities]


def pairs(reading):
    return [(one.signal, one.detection) for one in reading.interpretation.columns]


def test_a_corpus_of_forms_is_read_exactly_or_refused():
    wrong, right, named = [], 0, 0
    variants = corpus.variants(400)
    for variant in variants:
        reading = interpret_bead_table(variant.content)
        read = reading.interpretation
        columns = tuple((one.signal, one.detection, one.beads, one.stderr) for one in read.columns)
        found = (read.id_column, columns, read.detection_is_reversed)
        if reading.confidence < LEAST_CONFIDENCE:
            continue
        if found != (variant.id_column, variant.columns, variant.is_reversed):
            wrong.append((variant.form, found))
        right += 1
        named += variant.names is None or tuple(one.name for one in read.columns) == variant.names
    assert wrong == []
    assert right >= 0.98 * len(variants)
    assert named >= 0.98 * right


@pytest.mark.parametrize(
    ("name", "samples", "kind"),
    [
        ("lumi_example_4_non-normalized.txt.gz", 4, "target"),
        ("MAQC_ILM_12_non-normalized.1500.txt.gz", 12, "target"),
        ("4343238080_A_ProbeSummary.1500.txt.gz", 1, "array_address"),
    ],
)
def test_real_tables_are_read(name, samples, kind):
    read = read_bead_table(DATA / name)
    assert len(read.columns) == len(read.signal) == samples
    assert read.id_kind == kind
    assert read.confidence >= 0.85
    assert read.scale == "linear"
    assert read.non_numeric == 0
    assert not np.isnan(read.signal).any()
    assert read.warnings == ()


def test_values_are_those_of_the_file():
    read = read_bead_table(DATA / "lumi_example_4_non-normalized.txt.gz")
    assert read.ids[0] == "GI_5729919-S"
    assert read.names == ("A01", "A02", "B01", "B02")
    assert read.signal[:, 0].tolist() == [195.0, 223.9, 191.0, 181.1]
    assert read.detection[:, 0].tolist() == [
        0.00377397999999995, 0.000179779999999963, 8.56999999998553e-06, 0.00248318000000003,
    ]  # fmt: skip


def test_bead_counts_and_errors_are_kept():
    read = read_bead_table(DATA / "4343238080_A_ProbeSummary.1500.txt.gz")
    assert (read.ids[0], read.signal[0, 0], read.stderr[0, 0], read.beads[0, 0]) == ("10008", 179.164, 6.113015, 46)
    assert read.detection is None


P_BY_SAMPLE = [word for sample in SAMPLES for word in (sample, "Detection Pval")]
READABLE = {
    "p-values before their signals": (
        table(
            ["ID_REF", *[word for one in SAMPLES for word in ("Detection Pval", one)]], interleaved(P_VALUES, SIGNALS)
        ),
        [(2, 1), (4, 3), (6, 5), (8, 7)],
    ),
    "p-values by name, in another order": (
        table(
            ["ID_REF", *[f"{one}.AVG_Signal" for one in SAMPLES], *[f"{one}.Detection Pval" for one in SAMPLES[::-1]]],
            [*SIGNALS, *P_VALUES[::-1]],
        ),
        [(1, 8), (2, 7), (3, 6), (4, 5)],
    ),
    "normalised values beside raw ones": (
        table(["ID_REF", "VALUE", "RAW_VALUE", "Detection Pval"], [ERRORS[0], SIGNALS[0], P_VALUES[0]]),
        [(2, 3)],
    ),
    "normal and tumour": (
        table(["ID_REF", "P1_N", "P1_T", "P2_N", "P2_T"], SIGNALS),
        [(1, None), (2, None), (3, None), (4, None)],
    ),
    "a header one column to the right": (
        table(["", "ID_REF", *P_BY_SAMPLE[:-1]], interleaved(SIGNALS, P_VALUES)),
        [(1, 2), (3, 4), (5, 6), (7, 8)],
    ),
    "a header in two lines": (
        ("\t".join(["", *[word for one in SAMPLES for word in (one, "")]]) + "\n").encode()
        + table(["ID_REF", *["AVG_Signal", "Detection Pval"] * 4], interleaved(SIGNALS, P_VALUES)),
        [(1, 2), (3, 4), (5, 6), (7, 8)],
    ),
    "spaces in names, spaces between cells": (
        table(["ID_REF", *P_BY_SAMPLE], interleaved(SIGNALS, P_VALUES), delimiter=" "),
        [(1, 2), (3, 4), (5, 6), (7, 8)],
    ),
    "background subtracted": (
        table(
            ["ID_REF", *P_BY_SAMPLE],
            interleaved([[f"{float(cell) - 150:.1f}" for cell in sample] for sample in SIGNALS], P_VALUES),
        ),
        [(1, 2), (3, 4), (5, 6), (7, 8)],
    ),
    "bead type file": (
        table(
            ["Illumicode", "N", "Mean GRN", "Dev GRN"],
            [[str(20 + at % 9) for at in range(corpus.ROWS)], SIGNALS[0], ERRORS[0]],
            [str(10_008 + 31 * at + at % 3) for at in range(corpus.ROWS)],
        ),
        [(2, None)],
    ),
}


@pytest.mark.parametrize("form", READABLE)
def test_unusual_forms_are_read(form):
    content, expected = READABLE[form]
    reading = interpret_bead_table(content)
    assert pairs(reading) == expected
    assert reading.confidence >= LEAST_CONFIDENCE, reading.doubts


DOUBTFUL = {
    "two columns of one name per sample": table(
        ["ID_REF", *[one for one in SAMPLES for _ in (0, 1)]], interleaved(SIGNALS, ERRORS)
    ),
    "two columns that pandas numbered": table(
        ["ID_REF", *[word for one in SAMPLES for word in (one, f"{one}.1")]], interleaved(SIGNALS, ERRORS)
    ),
    "p-values of other samples, without names": table(
        ["ID_REF", *SAMPLES, *["Detection Pval"] * 4], [*SIGNALS, *P_VALUES[1:], P_VALUES[0]]
    ),
    "no header": b"\n".join(table(["ID_REF", *SAMPLES], SIGNALS).split(b"\n")[1:]),
    "genes instead of probes": table(["SYMBOL", *SAMPLES], SIGNALS, [f"GEN{at}" for at in range(corpus.ROWS)]),
    "commas that may be decimal signs": table(
        ["ID_REF", *SAMPLES], [[f"{round(float(cell) * 100):,}" for cell in sample] for sample in SIGNALS]
    ),
}


@pytest.mark.parametrize("form", DOUBTFUL)
def test_doubtful_tables_are_refused_with_what_to_look_at(form):
    with pytest.raises(UncertainTableError) as refused:
        read_bead_table(DOUBTFUL[form])
    error = refused.value
    assert error.confidence < LEAST_CONFIDENCE
    assert error.evidence
    assert "confidence" in error.message
    assert "header" in error.remedy


@pytest.mark.parametrize("cells", [[""] * corpus.ROWS, ["n. d."] * corpus.ROWS], ids=["empty", "text"])
@pytest.mark.parametrize("names", [("{}", "Detection Pval"), ("{}.AVG_Signal", "{}.Detection Pval")])
def test_one_unreadable_column_leaves_the_others_as_they_are(names, cells):
    header = ["ID_REF", *[name.format(one) for one in SAMPLES for name in names]]
    read = read_bead_table(table(header, interleaved([*SIGNALS[:2], cells, SIGNALS[3]], P_VALUES)))
    assert read.names == ("wt_1", "wt_2", "ko_2")
    assert [(one.signal, one.detection) for one in read.columns] == [(1, 2), (3, 4), (7, 8)]
    assert any("were not read" in warning for warning in read.warnings)


def test_names_of_samples_make_a_plain_table_surer():
    content = table(["GENE", *SAMPLES], SIGNALS, [f"x{at}" for at in range(corpus.ROWS)])
    hints = [SampleHint(f"GSM{at}", one) for at, one in enumerate(SAMPLES)]
    assert interpret_bead_table(content, samples=hints).confidence > interpret_bead_table(content).confidence


def test_reversed_p_values_are_turned_round_and_told():
    upside_down = [[f"{1 - float(cell):.5f}" for cell in sample] for sample in P_VALUES]
    read = read_bead_table(table(["ID_REF", *P_BY_SAMPLE], interleaved(SIGNALS, upside_down)))
    assert read.reading.interpretation.detection_is_reversed
    np.testing.assert_allclose(read.detection, np.array(P_VALUES, dtype=float), atol=1e-9)


def test_logarithms_are_told():
    logarithms = [[f"{np.log2(float(cell)):.4f}" for cell in sample] for sample in SIGNALS]
    assert read_bead_table(table(["ID_REF", *P_BY_SAMPLE], interleaved(logarithms, P_VALUES))).scale == "log2"
    centred = [[f"{np.log2(float(cell)) - 7.5:.4f}" for cell in sample] for sample in SIGNALS]
    assert interpret_bead_table(table(["ID_REF", *SAMPLES], centred)).interpretation.scale == "centred"


def test_cells_that_are_no_numbers_are_missing_and_counted():
    cells = [list(sample) for sample in SIGNALS]
    cells[0][3], cells[1][5], cells[1][6] = "NA", "low", ""
    read = read_bead_table(table(["ID_REF", *P_BY_SAMPLE], interleaved(cells, P_VALUES)))
    assert np.argwhere(np.isnan(read.signal)).tolist() == [[0, 3], [1, 5], [1, 6]]
    assert read.non_numeric == 1
    assert read.warnings == ("1 cells hold no numbers and count as missing.",)


def test_short_and_long_lines_are_told():
    lines = table(["ID_REF", *P_BY_SAMPLE], interleaved(SIGNALS, P_VALUES)).decode().splitlines()
    lines[5] += "\t1\t2"
    lines[9] = "\t".join(lines[9].split("\t")[:4])
    read = read_bead_table("\n".join(lines).encode() + b"\n")
    assert len(read.ids) == corpus.ROWS - 1
    assert read.warnings == (
        f"1 of {corpus.ROWS} lines have too many cells, first line 6.",
        "1 lines end early; what they lack counts as missing.",
    )


def test_a_table_that_is_cut_off_is_malformed():
    content = table(["ID_REF", *P_BY_SAMPLE], interleaved(SIGNALS, P_VALUES))
    with pytest.raises(MalformedFileError, match="cut off"):
        read_bead_table(content[: content.rindex(b"\n", 0, -1) + 40])
    soft = b"^SAMPLE = GSM1\n!sample_table_begin\n" + content
    with pytest.raises(MalformedFileError, match="cut off"):
        read_bead_table(soft)


def test_a_family_of_several_samples_is_refused():
    one = b"!sample_table_begin\n" + table(["ID_REF", "VALUE"], SIGNALS[:1]) + b"!sample_table_end\n"
    with pytest.raises(InputError, match="2 samples"):
        read_bead_table(one + one)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"PK\x03\x04" + b"\0" * 50, "workbook"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (bytes(range(256)) * 10, "control character"),
        (b"just\nsome\nlines\nof text\n", "columns"),
        (b"one line", "no lines of values"),
        (gzip.compress(b"ID_REF\tS1\n" * 100, mtime=0)[:-20], "compressed data"),
    ],
)
def test_what_is_no_table_is_malformed(content, message):
    with pytest.raises(MalformedFileError, match=message):
        read_bead_table(content)


def test_a_file_that_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_bead_table(tmp_path / "nothing.txt")


def test_damage_anywhere_gives_values_or_an_error_of_ours():
    source = random.Random(0)
    seeds = [variant.content for variant in corpus.variants(12, seed=5)]
    for _ in range(400):
        content = bytearray(source.choice(seeds))
        for _ in range(source.choice((1, 3, 30))):
            at = source.randrange(len(content))
            action = source.randrange(4)
            if action == 0:
                content[at] = source.randrange(256)
            elif action == 1:
                del content[at : at + source.choice((1, 50, 2000))]
            elif action == 2:
                content[at:at] = source.choice(
                    (b"\n", b"\t", b'"', b"\0", b",", b"[Header]\n", bytes(content[at : at + 200]))
                )
            else:
                content[at:at] = bytes(source.randrange(256) for _ in range(8))
            content = content or bytearray(b"x")
        try:
            read = read_bead_table(bytes(content))
        except RefinebioError:
            continue
        assert read.signal.shape == (len(read.columns), len(read.ids))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=2000) | st.text(alphabet='\t\n\r ,;"ID_REF0123456789.-eNA[]#!^', max_size=600).map(str.encode)
)
def test_any_content_gives_a_table_or_an_error_of_ours(content):
    try:
        read = read_bead_table(content)
    except RefinebioError:
        return
    assert len(read.signal) == len(read.columns)
