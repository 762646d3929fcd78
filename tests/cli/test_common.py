"""Output, progress and the mapping of errors to exit statuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import click
import numpy as np
import pytest

from refinebio_assets.cli.common import emit, json_option, progress, run_main, table, to_json
from refinebio_assets.domain import errors


def command_that(act: Callable[[], None]) -> click.Command:
    @click.command()
    @json_option
    def command(as_json: bool) -> None:
        act()

    return command


def command_raising(error: BaseException) -> click.Command:
    def act() -> None:
        raise error

    return command_that(act)


def error_classes() -> list[type[errors.RefinebioError]]:
    found, to_visit = [], [errors.RefinebioError]
    while to_visit:
        found.append(to_visit.pop())
        to_visit += found[-1].__subclasses__()
    # Others' subclasses are here or not, depending on what was imported before.
    return sorted((one for one in found if one.__module__ == errors.__name__), key=lambda one: one.__name__)


@pytest.mark.parametrize("error_class", error_classes(), ids=lambda error_class: error_class.__name__)
def test_every_error_ends_with_its_own_exit_status_and_says_what_to_do(error_class, capsys):
    status = run_main(command_raising(error_class("The tube is empty.", remedy="Fill it.")), [])

    shown = capsys.readouterr()
    assert status == error_class.exit_status
    assert shown.out == ""
    assert "Error: The tube is empty.\n  Fill it.\n" in shown.err
    assert f"docs/errors.md#{error_class.code}" in shown.err


def test_bad_input_names_file_and_line(capsys):
    error = errors.MalformedFileError("TPM is no number.", path="quant.sf", line=7)

    assert run_main(command_raising(error), []) == 2
    assert "quant.sf:7: TPM is no number." in capsys.readouterr().err


def test_with_json_the_error_is_an_object_on_standard_output_and_text_on_standard_error(capsys):
    error = errors.MalformedFileError("TPM is no number.", path="quant.sf", line=7)

    assert run_main(command_raising(error), ["--json"]) == 2

    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"error": error.to_dict()}
    assert "quant.sf:7: TPM is no number." in shown.err


def test_the_last_words_of_a_tool_are_shown(capsys):
    words = "\n".join(f"line {number}" for number in range(40))

    assert run_main(command_raising(errors.ToolFailedError("Salmon failed.", output=words)), []) == 1

    shown = capsys.readouterr().err
    assert "  | line 39\n" in shown
    assert "line 10\n" not in shown


def test_an_unexpected_error_is_one_sentence_without_a_stack(capsys, monkeypatch):
    monkeypatch.delenv("REFINEBIO_LOG_LEVEL", raising=False)

    assert run_main(command_raising(KeyError("SRR1")), []) == 1

    shown = capsys.readouterr().err
    assert "unexpected KeyError: 'SRR1'" in shown
    assert "REFINEBIO_LOG_LEVEL=DEBUG" in shown
    assert "Traceback" not in shown


def test_the_stack_of_an_unexpected_error_is_shown_on_demand(capsys, monkeypatch):
    monkeypatch.setenv("REFINEBIO_LOG_LEVEL", "debug")

    assert run_main(command_raising(KeyError("SRR1")), ["--json"]) == 1

    shown = capsys.readouterr()
    assert "Traceback" in shown.err
    assert json.loads(shown.out)["error"]["code"] == "internal_error"


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["unwanted"], ["--json", "unwanted"]])
def test_bad_usage_ends_with_2(arguments, capsys):
    assert run_main(command_that(lambda: None), arguments) == 2
    assert "Error: Got unexpected" in (err := capsys.readouterr().err) or "No such option" in err


def test_bad_usage_with_json_is_an_object_too(capsys):
    assert run_main(command_that(lambda: None), ["--json", "unwanted"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bad_usage"


def test_a_file_that_cannot_be_opened_is_bad_input():
    assert run_main(command_raising(click.FileError("x.tsv", "no such file")), []) == 2


@pytest.mark.parametrize(("error", "status"), [(SystemExit(7), 7), (SystemExit(None), 0), (SystemExit("why"), 1)])
def test_a_command_may_choose_its_exit_status(error, status):
    assert run_main(command_raising(error), []) == status


def test_ctrl_c_ends_with_130_and_says_that_work_is_kept(capsys):
    assert run_main(command_raising(KeyboardInterrupt()), []) == 130
    assert "Finished work is kept" in capsys.readouterr().err


def test_sigterm_lets_a_command_clean_up(tmp_path):
    left = tmp_path / "left-over"

    def act() -> None:
        left.touch()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            left.unlink()

    before = signal.getsignal(signal.SIGTERM)
    assert run_main(command_that(act), []) == 143
    assert not left.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_goes_away_is_no_error():
    script = (
        "import sys, click; from refinebio_assets.cli.common import run_main\n"
        "@click.command()\ndef many():\n    [click.echo('x' * 1000) for _ in range(10000)]\n"
        "sys.exit(run_main(many, []))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 141


class Colour(StrEnum):
    RED = "red"


@dataclass
class Fish:
    name: str
    colour: Colour
    seen: datetime
    where: Path


def test_json_holds_dataclasses_enums_dates_paths_sets_and_numpy_values():
    fish = Fish("zebrafish", Colour.RED, datetime(2026, 1, 2, tzinfo=UTC), Path("tank"))
    value = {"fish": fish, "set": {2, 1}, "mean": np.float64(0.5), "row": np.array([1.0, np.nan]), 3: None}

    assert json.loads(to_json(value)) == {
        "fish": {"name": "zebrafish", "colour": "red", "seen": "2026-01-02T00:00:00+00:00", "where": "tank"},
        "set": [1, 2],
        "mean": 0.5,
        "row": [1.0, None],
        "3": None,
    }


def test_people_see_tables_and_machines_see_json(capsys):
    rows = [{"accession": "SRR1", "state": "processed"}, {"accession": "SRR22", "state": None}]

    emit(rows, False)
    emit(rows, True)
    emit(rows, False, text=lambda: "two samples")

    shown = capsys.readouterr().out
    assert shown.startswith("ACCESSION  STATE\nSRR1       processed\nSRR22\n[")
    assert shown.endswith("]\ntwo samples\n")


def test_a_table_shows_the_columns_asked_for():
    assert table([{"a": 1, "mapping_rate": 2}], ["mapping_rate"]) == "MAPPING RATE\n2"
    assert table([]) == "(nothing)"


def test_progress_is_silent_without_a_terminal_and_with_json(capsys):
    for as_json in (False, True):
        with progress("Counting", total=2, as_json=as_json) as bar:
            bar.describe("Counting more")
            bar.advance()
    assert capsys.readouterr() == ("", "")


def test_progress_draws_on_the_terminal_of_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("Counting", total=2) as bar:
        bar.advance(2)
        bar.describe("Counted")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Counted" in shown.err
    assert "2/2" in shown.err


def test_progress_goes_on_while_standard_error_is_turned_into_a_log(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    kept = os.dup(2)
    with progress("Counting", total=2) as bar, (tmp_path / "log").open("wb") as log:
        os.dup2(log.fileno(), 2)
        try:
            bar.advance(2)
            bar.describe("Counted")
            os.write(2, b"of the step")
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    assert "Counted" in capfd.readouterr().err
    assert (tmp_path / "log").read_bytes() == b"of the step"
