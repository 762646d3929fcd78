"""What every command shares: the ``--json`` option, output, progress and the mapping of errors to exit statuses.

Exit statuses: 0 done, 2 bad usage or bad input, 3 not found, 1 anything else; 130 and 143 after SIGINT and SIGTERM, 141
when the reader of our output went away (128 + signal number, as shells count).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.domain.errors import InputError, RefinebioError, ToolFailedError

if TYPE_CHECKING:
    from resources.settings import Settings

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
READER_GONE = 128 + signal.SIGPIPE
LINES_OF_A_TOOL_SHOWN = 15

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON value on standard output; errors are JSON objects too."
)


def read_settings() -> Settings:
    """The settings of this process, with logging set up as they say.

    Imports pydantic and structlog: commands that must start fast and need no setting do without it.

    Raises:
        ConfigurationError: A ``REFINEBIO_*`` variable has a value that does not fit.
    """
    from resources.logs import configure_logging
    from resources.settings import get_settings

    settings = get_settings()
    configure_logging(settings)
    return settings


def emit(value: Any, as_json: bool, *, text: str | Callable[[], str] | None = None) -> None:
    """Print a command's result on standard output.

    Args:
        value: Anything JSON can hold, and dataclasses, enums, dates, paths, sets, numpy values and pydantic models.
        as_json: What :data:`json_option` gave.
        text: What a person sees; without it mappings become ``key: value`` lines, sequences of mappings a table.
    """
    if as_json:
        click.echo(to_json(value))
    elif text is None:
        click.echo(_as_text(value))
    else:
        click.echo(text() if callable(text) else text)


def to_json(value: Any) -> str:
    """``value`` as indented JSON; NaN and infinities become null."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=_plain, option=options).decode()


def _plain(value: Any) -> Any:
    """What orjson does not know, in types that it does."""
    if isinstance(value, RefinebioError):
        return value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as text in aligned columns, header in capitals.

    Args:
        rows: One mapping per line.
        columns: Keys to show, in order; those of the first row if not given.
    """
    if not rows:
        return "(nothing)"
    names = list(columns or rows[0])
    cells = [[name.upper().replace("_", " ") for name in names]]
    cells += [["" if row.get(name) is None else str(row[name]) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _as_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, Mapping) for item in value):
            return table(value)
        return "\n".join(str(item) for item in value)
    return str(value)


class Progress:
    """How far a command is. This one keeps silent: the terminal's one inherits from it."""

    def advance(self, amount: float = 1) -> None:
        """``amount`` more of the total is done."""

    def describe(self, text: str) -> None:
        """Say what is being done now."""


@contextmanager
def progress(description: str, *, total: float | None = None, as_json: bool = False) -> Iterator[Progress]:
    """A progress bar on standard error; silent with ``--json`` or when standard error is no terminal.

    Args:
        description: What is being done.
        total: Steps to do; None when nobody knows.
        as_json: What :data:`json_option` gave.
    """
    if as_json or not sys.stderr.isatty():
        yield Progress()
        return
    from refinebio_assets.cli.progress_bar import progress_bar

    with progress_bar(description, total) as bar:
        yield bar


def say(text: str, *, as_json: bool = False) -> None:
    """One line for the person who watches, on standard error; silent with ``--json``."""
    if not as_json:
        click.echo(text, err=True)


def run_main(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run ``command`` and return the exit status; never raises for an error of the command.

    Args:
        command: The click command or group.
        arguments: Command line without the program's name; that of this process if not given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    with _terminated_by_exception():
        try:
            status = _invoke(command, words)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_standard_output()
            return READER_GONE
        except (KeyboardInterrupt, click.Abort):
            click.echo("Interrupted. Finished work is kept; run the same command again to go on.", err=True)
            return INTERRUPTED
        except click.ClickException as error:
            return _report_usage(error, as_json=as_json)
        except RefinebioError as error:
            _report(error.to_dict(), _explain(error), as_json=as_json)
            return error.exit_status
        except Exception as error:  # noqa: BLE001  the last line of defence: a person sees a sentence, not a stack
            return _report_unexpected(error, as_json=as_json)
    return status


def _invoke(command: click.Command, words: list[str]) -> int:
    try:
        with command.make_context("refinebio", words) as context:
            command.invoke(context)
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else int(finished.code is not None)
    return 0


def _report_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Click's own message on standard error; a file that cannot be opened is bad input, not "anything else"."""
    status = 2 if isinstance(error, click.FileError) else error.exit_code
    if as_json:
        click.echo(to_json({"error": {"code": "bad_usage", "message": error.format_message(), "remedy": None}}))
    error.show()
    return status


def _report_unexpected(error: Exception, *, as_json: bool) -> int:
    # SQLAlchemy's text repeats statement and values: the database's own words say what is wrong.
    message = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
    remedy = (
        "This is a defect of refinebio: REFINEBIO_LOG_LEVEL=DEBUG shows where it happened, "
        "docs/errors.md#internal_error says what to report."
    )
    if isinstance(error, OSError) or type(error).__name__ == "OperationalError":
        remedy = (
            "Check free space and permissions of the folders that `refinebio config` shows, or whether the database "
            "answers; finished work is kept, the same command goes on."
        )
    if os.environ.get("REFINEBIO_LOG_LEVEL", "").upper() == "DEBUG":
        traceback.print_exception(error)
    described = {"code": RefinebioError.code, "message": message, "remedy": remedy}
    _report(described, f"Error: unexpected {message}\n  {remedy}", as_json=as_json)
    return 1


def _report(described: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(text, err=True)
    if as_json:
        click.echo(to_json({"error": described}))


def _explain(error: RefinebioError) -> str:
    """The error for a person: where, what, a tool's last words, what to do, and its code in docs/errors.md."""
    where = f"{error.location}: " if isinstance(error, InputError) and error.location else ""
    lines = [f"Error: {where}{error.message}"]
    if isinstance(error, ToolFailedError) and error.output:
        lines += [f"  | {line}" for line in error.output.strip().splitlines()[-LINES_OF_A_TOOL_SHOWN:]]
    if error.remedy:
        lines.append(f"  {error.remedy}")
    lines.append(f"  (docs/errors.md#{error.code})")
    return "\n".join(lines)


@contextmanager
def _terminated_by_exception() -> Iterator[None]:
    """SIGTERM as an exception, so that started programs are ended and temporary files removed on the way out."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    try:
        previous = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: signals are someone else's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _forget_standard_output() -> None:
    """Point standard output to nowhere: the interpreter flushes it once more at exit, and nobody reads it now."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
