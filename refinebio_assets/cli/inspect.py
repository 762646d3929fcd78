"""``refinebio inspect``: what any file of this field is, and what would be stored from it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import json_option, progress

if TYPE_CHECKING:
    from rich.console import RenderableType

SAMPLES_SHOWN = 20
EXPERIMENTS_SHOWN = 10
WARNINGS_SHOWN = 5
_LONGEST_TEXT = 60
_WIDTH_OF_A_PIPE = 200
_BAD_INPUT = 2


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def inspect(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """What FILE is, told by its content, and what would be stored from it.

    Files may be compressed (gzip, bzip2, xz, Zstandard). Parts of one document that are given together are joined.
    With --json, every line is one JSON object about one file.

    Exit status: 2 if a file cannot be read; the others are shown all the same.
    """
    from refinebio_assets.inspection.inspection import inspect_files
    from refinebio_assets.inspection.sra_archive_run import ask_sra_toolkit

    failed = False
    with progress("Looking at files", total=len(files), as_json=as_json or len(files) == 1) as bar:
        for report in inspect_files(files, ask_toolkit=ask_sra_toolkit):
            answer = report.to_dict()
            failed = failed or report.error is not None
            if as_json:
                click.echo(_line(answer))
            else:
                _print(answer)
            bar.advance()
    if failed:
        context.exit(_BAD_INPUT)


def _line(answer: Mapping[str, Any]) -> str:
    """One object on one line; what is no UTF-8 in a file's own texts or name does not stop it."""
    import orjson

    try:
        return orjson.dumps(answer, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, as in file names that are no UTF-8: the standard library escapes it
        import json

        return json.dumps(answer, default=str)


def _print(answer: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE)
    for part in _parts(answer):
        console.print(part)
    console.print()


def _parts(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    sure = f", confidence {answer['confidence']:g}" if answer["confidence"] < 1 else ""
    packed = f", {' in '.join(reversed(answer['compression']))}" if answer["compression"] else ""
    yield Text(_printable(f"{answer['file']}: {answer['kind']}{packed}{sure}"), style="bold")
    if "error" in answer:
        error = answer["error"]
        where = f"line {error['line']}: " if error["line"] is not None else ""
        yield Text(_printable(f"  Error: {where}{error['message']} {error['remedy'] or ''}"), style="red")
    elif answer["kind"] == "unknown":
        yield from (Text(_printable(f"  {line}")) for line in answer["evidence"])
    yield from _header(answer)
    yield from _experiments(answer["experiments"])
    yield from _samples(answer["samples"])
    shown = answer["warnings"][:WARNINGS_SHOWN]
    yield from (Text(_printable(f"  Note: {warning}"), style="yellow") for warning in shown)
    if len(answer["warnings"]) > len(shown):
        yield Text(f"  … and {len(answer['warnings']) - len(shown)} more notes; --json has them.")


def _header(answer: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    facts = {name: value for name, value in answer["header"].items() if value not in (None, "", [], {}, 0)}
    for name, value in facts.items():
        yield Text(_printable(f"  {name.replace('_', ' ')}: {_short(value)}"))
    if answer["columns"]:
        yield Text(_printable(f"  {len(answer['columns'])} columns: {_short(answer['columns'])}"))


def _experiments(experiments: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if not experiments:
        return
    rows = [
        {
            "experiment": each.get("accession"),
            "title": _cut(str(each.get("title", ""))),
            "technology": each.get("technology", ""),
            "samples": each.get("sample_count", ""),
            "states": ", ".join(f"{count} {state}" for state, count in each.get("states", {}).items()),
        }
        for each in experiments[:EXPERIMENTS_SHOWN]
    ]
    yield from _table(rows, len(experiments), "experiments")


def _samples(samples: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if not samples:
        return
    fields = Counter(field for sample in samples for field in sample["harmonized"])
    columns = [field for field, _ in fields.most_common(5)]
    rows = [
        {
            "sample": sample["accession"],
            "title": _cut(sample["title"]),
            "platform": sample["platform"],
            "organism": sample["organism"],
            "state": sample["state"],
            **{field: _cut(sample["harmonized"].get(field, "")) for field in columns},
        }
        for sample in samples[:SAMPLES_SHOWN]
    ]
    yield from _table(rows, len(samples), "samples")


def _table(rows: list[dict[str, Any]], total: int, what: str) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    shown = Table(*(name.upper().replace("_", " ") for name in names), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        shown.add_row(*(Text(_printable("" if row[name] is None else str(row[name]))) for name in names))
    yield Padding(shown, (0, 0, 0, 2), expand=False)
    if total > len(rows):
        yield Text(f"  … and {total - len(rows)} more {what}; --json has them all.")


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return _cut(", ".join(f"{key} {item}" for key, item in value.items()), 160)
    if isinstance(value, list):
        return _cut(", ".join(_short(item) if isinstance(item, Mapping) else str(item) for item in value), 160)
    return _cut(str(value), 160)


def _cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _printable(text: str) -> str:
    """Without what a file could send to the terminal: control characters and halves of surrogate pairs."""
    kept = "".join(letter if letter.isprintable() else "�" for letter in text)
    return kept.encode("utf-8", errors="replace").decode()
