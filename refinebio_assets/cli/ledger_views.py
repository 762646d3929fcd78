"""What people see of the ledger: tables of states, reasons, platforms, coverage and resolutions."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from resources.catalog import Resolution

WIDTH_OF_A_PIPE = 200
"""Columns when no terminal says how many it has: programs that read the tables should not see folded lines."""
KEYS_SHOWN = 20
"""Metadata keys without a rule that a person sees; ``--json`` has more."""


def overview_parts(overview: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tables of the whole catalog: states, states by archive, reasons, unsupported platforms."""
    states = sorted(overview["experiments"].keys() | overview["samples"].keys())
    counts = [[state, overview["experiments"].get(state, 0), overview["samples"].get(state, 0)] for state in states]
    yield _table("The catalog", ["State", "Experiments", "Samples"], counts)
    by_archive = [
        [one["source"].value, state.value, one["experiments"].get(state, 0), one["samples"].get(state, 0)]
        for one in overview["sources"]
        for state in sorted(one["experiments"].keys() | one["samples"].keys())
    ]
    yield _table("By archive", ["Archive", "State", "Experiments", "Samples"], by_archive)
    reasons = [[row["state"].value, row["reason"], row["count"]] for row in overview["reasons"]]
    yield _table("Most frequent reasons", ["State", "Reason", "Samples"], reasons)
    columns = ["accession", "name", "technology", "samples", "experiments"]
    platforms = [[_cell(row[name]) for name in columns] for row in overview["unsupported_platforms"]]
    headers = ["Platform", "Name", "Technology", "Samples", "Experiments"]
    yield _table("Unsupported platforms", headers, platforms)


def coverage_parts(name: str, coverage: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tables of one archive's, or experiment's, metadata: harmonised fields, and keys that no rule can use."""
    from rich.text import Text

    fields = [[row["field"], row["samples"], f"{row['share']:.1%}"] for row in coverage["fields"]]
    yield Text(f"{name}: harmonised fields of {coverage['samples']} samples")
    yield _table(None, ["Field", "Samples", "Share"], fields)
    keys = [[row["key"], row["samples"]] for row in coverage["unmatched"][:KEYS_SHOWN]]
    yield Text(f"{name}: keys that no rule takes or can read, most frequent first")
    yield _table(None, ["Key", "Samples"], keys)


def status_parts(item: Mapping[str, Any]) -> Iterator[RenderableType]:
    """An experiment or sample: its state in words, its samples, and what else was asked for."""
    from rich.text import Text

    query = item["query"]
    if item["outcome"] in {"not_found", "unsupported"}:
        yield Text(item["message"])
        return
    if item["note"] and item["outcome"] != "superseded":
        yield Text(item["note"])
    names = query if item["experiment"] in {query, None} else f"{query} in {item['experiment']}"
    title = f" ({item['title']})" if item.get("title") else ""
    state = f": {item['state'].value}. {item['message']}" if item["state"] else ""
    yield Text(f"{names}{title}{state}")
    if item.get("samples"):
        columns = ["accession", "title", "state", "reason", "message", "updated_at"]
        headers = ["Accession", "Title", "State", "Reason", "Message", "Updated"]
        yield _table(None, headers, [[_cell(row[name]) for name in columns] for row in item["samples"]])
    if item.get("linked_studies"):
        yield Text("Sequencing studies with its reads: " + ", ".join(item["linked_studies"]))
    yield Text("Samples: " + (", ".join(f"{count} {state}" for state, count in item["counts"].items()) or "none"))
    for accession, steps in item.get("history", {}).items():
        rows = [[_cell(step.at), step.state.value, step.reason, step.message, _cell(step.run_id)] for step in steps]
        yield _table(f"History of {accession}", ["When", "State", "Reason", "Message", "Run"], rows)
    if item.get("coverage"):
        yield from coverage_parts(item["experiment"], item["coverage"])


def resolution_table(resolutions: Sequence[Resolution]) -> RenderableType:
    """One row for each query."""
    rows = [
        [
            resolution.query,
            resolution.outcome,
            " ".join(resolution.experiments),
            " ".join(resolution.samples),
            " ".join(resolution.aliases) or resolution.message or "",
        ]
        for resolution in resolutions
    ]
    return _table(None, ["Accession", "Outcome", "Experiments", "Samples", "Other accessions"], rows)


def _table(title: str | None, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # Text: what archives write is no markup
    return table


def _cell(value: Any) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    return "" if value is None else str(value)


def print_parts(parts: Iterable[RenderableType]) -> None:
    """Print on standard output, as wide as the terminal is."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    console = Console(highlight=False, width=width)
    for part in parts:
        console.print(part)
