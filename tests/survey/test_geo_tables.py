"""Data tables of samples in SOFT files as numbers."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.survey.geo_family import EntityKind
from refinebio_assets.survey.geo_tables import SampleTable, numeric_column, read_sample_tables
from tests.survey.geo_files import SOFT, geoparse, read_family


def tables(source, **options) -> dict[str, SampleTable]:
    found: dict[str, SampleTable] = {}

    def keep(table: SampleTable) -> None:
        found[table.sample] = table

    read_sample_tables(source, keep, **options)
    return found


def soft(*lines: str, sample: str = "GSM1") -> io.BytesIO:
    text = [f"^SAMPLE = {sample}", "!sample_table_begin", *lines, "!sample_table_end", ""]
    return io.BytesIO("\n".join(text).encode())


def test_ids_values_and_detection_p_values_of_a_sample():
    table = tables(
        soft("ID_REF\tVALUE\tABS_CALL\tDETECTION P-VALUE", "1007_s_at\t7.5\tP\t0.001", "1053_at\t-2e3\tA\t0.6")
    )["GSM1"]
    assert table.ids.tolist() == ["1007_s_at", "1053_at"]
    assert table.value.values.tolist() == [7.5, -2000.0]
    assert table.detection.values.tolist() == [0.001, 0.6]
    assert table.detection.name == "DETECTION P-VALUE"
    assert table.column_names == ("ID_REF", "VALUE", "ABS_CALL", "DETECTION P-VALUE")
    assert (table.duplicate_ids, table.rows_without_id, table.value.missing, table.value.not_numeric) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "name", ["Detection Pval", "DETECTION_PVAL", "Detection P-Value", "ABS_CALL_P_VALUE", "P-value"]
)
def test_detection_p_values_are_found_by_their_usual_names(name):
    assert tables(soft(f"ID_REF\tVALUE\t{name}", "a\t1\t0.5"))["GSM1"].detection.values.tolist() == [0.5]


@pytest.mark.parametrize("name", ["Detection", "ABS_CALL", "STDEV"])
def test_other_columns_are_not_taken_for_p_values(name):
    assert tables(soft(f"ID_REF\tVALUE\t{name}", "a\t1\t0.5"))["GSM1"].detection is None


def test_cells_that_are_no_numbers_are_counted_and_the_rows_kept():
    cells = ["1", "", "null", "NA", "1,5", "inf", "1_000", '"2.5"', " 3 ", "P", "0x10", "1e999"]
    table = tables(soft("ID_REF\tVALUE", *(f"{n}\t{cell}" for n, cell in enumerate(cells)), "12"))["GSM1"]
    numbers = table.value.values
    assert table.ids.tolist() == [str(n) for n in range(13)]
    assert [float(x) for x in numbers[~np.isnan(numbers)]] == [1.0, 2.5, 3.0]
    assert (table.value.missing, table.value.not_numeric) == (4, 6)


def test_further_columns_come_on_request_and_those_that_are_not_there_do_not():
    table = tables(soft("ID_REF\tVALUE\tCH1_Mean", "a\t1\t5"), columns=["ch1 mean", "CH2_MEAN"])["GSM1"]
    assert list(table.others) == ["ch1 mean"]
    assert table.others["ch1 mean"].values.tolist() == [5.0]
    assert table.others["ch1 mean"].name == "CH1_Mean"


def test_a_table_without_values_and_rows_without_an_id_are_told():
    table = tables(soft("ID_REF\tSIGNAL", "a\t1", "\t2", "a\t3"))["GSM1"]
    assert table.value is None
    assert table.ids.tolist() == ["a", "a"]
    assert (table.duplicate_ids, table.rows_without_id) == (1, 1)


def test_only_the_wanted_samples_are_read():
    text = soft("ID_REF\tVALUE", "a\t1").getvalue() + soft("ID_REF\tVALUE", "a\t2", sample="GSM2").getvalue()
    found = tables(io.BytesIO(text), samples={"GSM2"})
    assert list(found) == ["GSM2"]
    assert found["GSM2"].value.values.tolist() == [2.0]


def test_identifiers_of_old_files_are_read_as_latin_1():
    table = tables(
        io.BytesIO("^SAMPLE = GSM1\n!sample_table_begin\nID_REF\tVALUE\nµ1\t1\n!sample_table_end\n".encode("latin-1"))
    )
    assert table["GSM1"].ids.tolist() == ["µ1"]


WITH_TABLES = [
    path for path in SOFT if any(e.kind is EntityKind.SAMPLE and e.table for e in read_family(path).entities)
]


@pytest.mark.parametrize("path", WITH_TABLES, ids=lambda path: path.name)
def test_every_table_of_real_files_is_read_whole(path):
    family = read_family(path)
    expected = {
        entity.name: entity.table
        for entity in family.entities
        if entity.kind is EntityKind.SAMPLE and entity.table is not None and entity.table.columns
    }
    found = tables(path)
    assert set(found) == set(expected)
    for name, table in found.items():
        assert table.column_names == expected[name].columns
        assert len(table.ids) + table.rows_without_id == expected[name].rows
        if table.value is not None:
            no_number = int(np.isnan(table.value.values).sum())
            assert no_number == table.value.missing + table.value.not_numeric


def test_there_are_real_files_with_tables():
    assert len(WITH_TABLES) > 10
    assert geoparse()


def test_memory_is_bounded_by_one_table():
    rows = "".join(f"{n}_at\t{n}.5\n" for n in range(5000))
    one = f"!sample_table_begin\nID_REF\tVALUE\n{rows}!sample_table_end\n"

    def peak(samples: int) -> int:
        file = io.BytesIO("".join(f"^SAMPLE = GSM{n}\n{one}" for n in range(samples)).encode())
        tracemalloc.start()
        try:
            read_sample_tables(file, lambda _: None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(30) < 1.5 * peak(2)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_read_back_equal(numbers):
    column = numeric_column("VALUE", [repr(number).encode() for number in numbers])
    assert column.values.tolist() == numbers
    assert (column.missing, column.not_numeric) == (0, 0)


@given(st.lists(st.binary(max_size=8).filter(lambda cell: not set(cell) & set(b"\t\n\r"))))
def test_any_cells_are_numbers_or_counted(cells):
    column = numeric_column("VALUE", cells)
    assert column.values.shape == (len(cells),)
    assert int(np.isnan(column.values).sum()) == column.missing + column.not_numeric
    assert not np.isinf(column.values).any()
