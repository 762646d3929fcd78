"""Building blocks of a page that needs nothing but itself: no script, no font, no image from elsewhere.

Whatever comes from metadata is escaped here: text is text unless it is :class:`Markup`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

LONGEST_TEXT = 200
"""Characters of a title that are shown."""

NOTHING = "\N{EN DASH}"
"""Where there is no figure."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

STYLE = """
:root { color-scheme: light; --ink: #1b2430; --soft: #5a6675; --line: #d5dbe3; --tint: #f4f6f9; --good: #1b6e3c;
  --bad: #a61b1b; --look: #8a5a00; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  color: var(--ink); background: #fff; overflow-wrap: anywhere; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.1rem; }
header { padding-top: 1.8rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .3rem; }
p { margin: .5rem 0; max-width: 46rem; }
.soft, caption, figcaption { color: var(--soft); }
nav ul { list-style: none; padding: 0; margin: .8rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
a { color: var(--accent); }
.verdict { border-left: .35rem solid var(--good); background: var(--tint); padding: .7rem 1rem; margin: 1rem 0; }
.verdict p { margin: .15rem 0; }
.verdict.bad { border-color: var(--bad); }
.verdict.look { border-color: var(--look); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.facts div { background: var(--tint); border-radius: .4rem; padding: .6rem .8rem; }
.facts dt { color: var(--soft); font-size: .84rem; }
.facts dd { margin: 0; font-size: 1.2rem; font-weight: 600; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; min-width: 60%; }
caption { text-align: left; padding-bottom: .35rem; max-width: 46rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem .7rem .32rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
th { font-weight: 600; } thead th { border-bottom-color: var(--soft); }
td.long, th.long { overflow-wrap: anywhere; min-width: 9.5rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number, .share { white-space: nowrap; }
tbody th { min-width: 5.6rem; }
.good { color: var(--good); font-weight: 600; white-space: nowrap; }
.bad { color: var(--bad); font-weight: 600; white-space: nowrap; }
.look { color: var(--look); font-weight: 600; white-space: nowrap; }
.verdict.bad, .verdict.look { color: inherit; font-weight: inherit; white-space: normal; }
.bar { display: inline-block; height: .62rem; background: var(--accent); vertical-align: middle; }
.track { display: inline-block; width: 6rem; background: #e6eaf0; line-height: 0; margin-right: .5rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
figure { margin: .6rem 0; max-width: 32rem; } figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .88rem; }
.legend { list-style: none; padding: 0; margin: .2rem 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem;
  font-size: .88rem; }
.legend span { font-size: 1rem; margin-right: .3rem; }
footer { margin-top: 2.5rem; padding-bottom: 2rem; color: var(--soft); font-size: .88rem; }
@media print {
  body { font-size: 10.5pt; } nav { display: none; } header, main, footer { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; } figure, tr, .verdict { break-inside: avoid; } .wide { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Cell = str | int | Markup


def escaped(value: Cell) -> Markup:
    """As HTML: markup as it is, all else as text; control characters are shown as replacement characters."""
    if isinstance(value, Markup):
        return value
    text = f"{value:,}" if isinstance(value, int) else value
    return in_full(text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…")


def in_full(text: str) -> Markup:
    """Text as HTML, however long."""
    return Markup(escape(_CONTROL.sub("\ufffd", text)))


def foreign(text: str) -> Markup:
    """Text that others wrote: its direction does not reach beyond it."""
    return Markup(f"<bdi>{escaped(text)}</bdi>")


def joined(parts: Iterable[Markup]) -> Markup:
    """One after the other."""
    return Markup("\n".join(parts))


def paragraph(*sentences: Cell, css: str = "") -> Markup:
    """Sentences; markup among them stays markup."""
    kind = f' class="{css}"' if css else ""
    content = (one if isinstance(one, Markup) else in_full(str(one)) for one in sentences)
    return Markup(f"<p{kind}>{' '.join(content)}</p>")


def section(anchor: str, title: str, *content: Markup) -> Markup:
    """A part of the page that can be linked to."""
    return Markup(
        f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{escaped(title)}</h2>\n{joined(content)}\n</section>'
    )


def heading(title: str) -> Markup:
    """Within a section."""
    return Markup(f"<h3>{escaped(title)}</h3>")


def facts(values: Sequence[tuple[str, Cell]]) -> Markup:
    """Names and figures as tiles."""
    tiles = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in values)
    return Markup(f'<dl class="facts">{tiles}</dl>')


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, long: int | None = None) -> Markup:
    """A table whose rows are named by their first cell.

    Args:
        caption: What it shows.
        header: Names of the columns.
        rows: Cells; whole numbers and what :func:`number` makes are set to the right, and the header with them.
        long: Column that holds long text.
    """
    rows = list(rows)
    names = "".join(
        f'<th scope="col"{_kind(rows[0][place] if rows else name, place, long)}>{escaped(name)}</th>'
        for place, name in enumerate(header)
    )
    body = "".join(f"<tr>{_cells(row, long)}</tr>\n" for row in rows)
    label = escape(caption, quote=True)
    return Markup(
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{names}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def _cells(row: Sequence[Cell], long: int | None) -> str:
    first, *others = row
    cells = (f"<td{_kind(cell, place, long)}>{escaped(cell)}</td>" for place, cell in enumerate(others, start=1))
    return f'<th scope="row"{_kind("", 0, long)}>{escaped(first)}</th>{"".join(cells)}'


def _kind(cell: Cell, place: int, long: int | None) -> str:
    if place == long:
        return ' class="long"'
    return ' class="number"' if isinstance(cell, (int, Number)) else ""


class Number(Markup):
    """A figure, set to the right."""

    __slots__ = ()


def number(value: float | None, digits: int = 2) -> Number:
    """With so many decimals; a dash if there is none."""
    return Number(NOTHING if value is None else f"{value:.{digits}f}")


def percent(part: float) -> str:
    """A share in per cent: 0 and 100 only if it is exactly so."""
    if 0 < part < 0.0005:
        shown = "< 0.1"
    elif 0.9995 < part < 1:
        shown = "> 99.9"
    else:
        shown = f"{100 * part:.1f}".removesuffix(".0")
    return f"{shown}\N{NO-BREAK SPACE}%"


def technology_name(technology: str) -> str:
    """As people write it."""
    return {"MICROARRAY": "microarray", "RNA_SEQ": "RNA-seq"}.get(technology, "unknown technology")


def share_bar(part: float) -> Markup:
    """A share as a bar and a number."""
    width = f"{100 * min(max(part, 0), 1):.1f}"
    return Markup(
        f'<span class="share"><span class="track" aria-hidden="true"><span class="bar" style="width:{width}%"></span>'
        f"</span>{percent(part)}</span>"
    )


def legend(entries: Iterable[tuple[str, str, str]]) -> Markup:
    """Sign, colour and text of what a plot shows."""
    items = "".join(
        f'<li><span aria-hidden="true" style="color:{color}">{sign}</span>{foreign(text)}</li>'
        for sign, color, text in entries
    )
    return Markup(f'<ul class="legend">{items}</ul>')


def figure(image: str, alternative: str, caption: str = "") -> Markup:
    """An image given as a data URI."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Markup(f'<figure><img src="{image}" alt="{escape(alternative, quote=True)}">{below}</figure>')


def plots(*figures: Markup) -> Markup:
    """Figures beside each other where there is room."""
    return Markup(f'<div class="plots">{"".join(figures)}</div>')


def page(title: str, head: Markup, content: Sequence[tuple[str, str, Markup]], foot: Markup) -> str:
    """The whole page.

    Args:
        title: Of the document.
        head: What stands above all.
        content: Anchor, title and markup of each section.
        foot: What stands below.
    """
    links = "".join(f'<li><a href="#{anchor}">{escaped(name)}</a></li>' for anchor, name, _ in content)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n<header>{head}"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav></header>\n<main>\n'
        f"{joined(markup for _, _, markup in content)}\n</main>\n<footer>{foot}</footer>\n</body></html>\n"
    )
