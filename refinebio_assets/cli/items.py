"""Results of commands over many accessions, printed as they come: thousands of items need not be kept."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import click

from refinebio_assets.cli.common import to_json

ROWS_BEFORE_PRINTING = 50
"""Rows of a text table that are looked at for the widths of its columns; later ones are printed as they come."""

NARROWEST_COLUMN = 12
"""Width of columns of a table whose later rows are not known yet: most accessions fit."""

Item = Mapping[str, Any]


class ItemPrinter:
    """Prints items one after the other: a table, or one JSON value ``{"items": […], "summary": {…}}``.

    Use it as a context manager: what was printed so far is complete also when the work is interrupted; the JSON value
    then has ``"interrupted": true`` in place of the summary.

    Args:
        columns: Columns of the table.
        as_json: JSON instead of a table.
    """

    def __init__(self, columns: Sequence[str], *, as_json: bool) -> None:
        self._columns = columns
        self._as_json = as_json
        self._summary: Item | None = None
        self._printed = 0
        self._waiting: list[Item] = []
        self._widths: list[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._as_json:
            self._close_json()
        elif self._waiting:
            self._print_waiting()

    def add(self, item: Item, rows: Sequence[Item]) -> None:
        """Print an item.

        Args:
            item: As JSON shows it.
            rows: As the table shows it.
        """
        if self._as_json:
            text = textwrap.indent(to_json(item), "    ")
            click.echo(('{\n  "items": [\n' if not self._printed else ",\n") + text, nl=False)
        else:
            self._waiting.extend(rows)
            if len(self._waiting) >= ROWS_BEFORE_PRINTING or self._widths is not None:
                self._print_waiting()
        self._printed += 1

    def finish(self, summary: Item, text: str) -> None:
        """All items are there.

        Args:
            summary: As JSON shows it.
            text: For people, below the table; only if there were several items.
        """
        self._summary = summary
        if self._as_json:
            return
        if self._waiting:
            self._print_waiting()
        if self._printed > 1:
            click.echo(text)

    def _close_json(self) -> None:
        if self._summary is None:
            if self._printed:
                click.echo('\n  ],\n  "interrupted": true\n}')
            return
        start = "\n  ]" if self._printed else '{\n  "items": []'
        summary = textwrap.indent(to_json(self._summary), "  ").lstrip()
        click.echo(f'{start},\n  "summary": {summary}\n}}')

    def _print_waiting(self) -> None:
        if self._widths is None:
            more = len(self._waiting) >= ROWS_BEFORE_PRINTING
            self._widths = [self._width(name, at_least=NARROWEST_COLUMN if more else 0) for name in self._columns]
            self._print_row({name: name.upper().replace("_", " ") for name in self._columns})
        for row in self._waiting:
            self._print_row(row)
        self._waiting.clear()

    def _width(self, name: str, *, at_least: int) -> int:
        return max(at_least, len(name), *(len(_cell(row, name)) for row in self._waiting))

    def _print_row(self, row: Item) -> None:
        widths = zip(self._columns, self._widths or (), strict=True)
        click.echo("  ".join(_cell(row, name).ljust(width) for name, width in widths).rstrip())


def _cell(row: Item, name: str) -> str:
    return "" if row.get(name) is None else str(row[name])
