"""Lists of accessions, and results that are printed as they come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from refinebio_assets.cli.accession_lists import read_queries
from refinebio_assets.cli.items import ROWS_BEFORE_PRINTING, ItemPrinter
from refinebio_assets.domain.errors import InputError


def test_a_list_may_have_comments_blank_lines_and_the_line_ends_of_any_system(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbf# first\r\nGSE1\r\n\r\n  SRP000001  # why\nDanio rerio, Ensembl\rGSE1\n")

    assert read_queries([" GSE2 "], str(file)) == ["GSE2", "GSE1", "SRP000001", "Danio rerio, Ensembl"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe\x00"])
def test_a_list_without_accessions_is_bad_input(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(InputError):
        read_queries([], str(file))


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_queries([], str(tmp_path / "missing"))


@pytest.mark.parametrize("items", [0, 1, 3])
def test_items_are_one_json_value(capsys: pytest.CaptureFixture[str], items: int) -> None:
    with ItemPrinter(("name",), as_json=True) as printer:
        for number in range(items):
            printer.add({"name": f"a\n{number}"}, [])
        printer.finish({"items": items}, "")

    answer = json.loads(capsys.readouterr().out)
    assert answer == {"items": [{"name": f"a\n{number}"} for number in range(items)], "summary": {"items": items}}


def test_what_was_printed_before_an_interruption_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with ItemPrinter(("name",), as_json=True) as printer:
            printer.add({"name": "done"}, [])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert json.loads(capsys.readouterr().out) == {"items": [{"name": "done"}], "interrupted": True}


def test_an_error_before_the_first_item_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with ItemPrinter(("name",), as_json=True):
            read_queries([], None)

    with pytest.raises(InputError):
        work()
    assert capsys.readouterr().out == ""


def test_a_long_table_is_printed_while_it_grows(capsys: pytest.CaptureFixture[str]) -> None:
    with ItemPrinter(("name", "state"), as_json=False) as printer:
        for number in range(ROWS_BEFORE_PRINTING + 1):
            printer.add({}, [{"name": f"GSE{number}", "state": None}])
        shown = capsys.readouterr().out.splitlines()
        assert len(shown) == ROWS_BEFORE_PRINTING + 2
        printer.finish({}, "51 items.")

    assert shown[:2] == ["NAME          STATE", "GSE0"]
    assert capsys.readouterr().out == "51 items.\n"
