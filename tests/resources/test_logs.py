"""Structured logging: one line per event, on standard error, with the context of the work."""

import json
import logging

import pytest
import structlog

from resources.logs import configure_logging, get_logger, log_context
from resources.settings import Settings


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys) -> list[dict]:
    shown = capsys.readouterr()
    assert shown.out == ""
    return [json.loads(line) for line in shown.err.splitlines()]


def test_a_json_line_has_the_event_its_values_and_the_context(capsys):
    configure_logging(Settings(log_format="json"))

    with log_context(run_id="run-1", accession="SRR1", batch=None):
        get_logger("refinebio.salmon").info("sample quantified", mapping_rate=91.25)

    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "sample quantified",
        "level": "info",
        "logger": "refinebio.salmon",
        "mapping_rate": 91.25,
        "run_id": "run-1",
        "accession": "SRR1",
    }


def test_the_context_ends_with_its_block(capsys):
    configure_logging(Settings(log_format="json"))

    with log_context(accession="SRR1"), log_context(run_id="run-1"):
        pass
    get_logger("x").info("later")

    assert "accession" not in lines(capsys)[0]


def test_lines_of_libraries_look_the_same(capsys):
    configure_logging(Settings(log_format="json"))

    logging.getLogger("some.library").warning("disk %d %% full", 93, extra={"disk": "sda"})

    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["disk"]) == ("disk 93 % full", "warning", "sda")


def test_the_level_is_respected_and_chatty_libraries_wait_for_debug(capsys):
    configure_logging(Settings(log_format="json", log_level="INFO"))
    get_logger("ours").debug("unseen")
    logging.getLogger("alembic").info("unseen")
    assert lines(capsys) == []

    configure_logging(Settings(log_format="json", log_level="DEBUG"))
    get_logger("ours").debug("seen")
    logging.getLogger("alembic").info("seen")
    logging.getLogger("httpx").info("https://eutils.ncbi.nlm.nih.gov/?api_key=secret")
    assert [line["event"] for line in lines(capsys)] == ["seen", "seen"]


def test_configuring_twice_does_not_say_everything_twice(capsys):
    for _ in range(2):
        configure_logging(Settings(log_format="json"))

    get_logger("x").info("once")

    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_is_kept_without_local_variables(log_format, capsys):
    configure_logging(Settings(log_format=log_format))
    password = "hunter2"
    try:
        raise ValueError(len(password))
    except ValueError:
        get_logger("x").exception("broken")

    shown = capsys.readouterr().err
    assert "ValueError: 7" in shown
    assert "hunter2" not in shown.replace('password = "hunter2"', "")
