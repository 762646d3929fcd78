"""The plots of a compendium's report, as data URIs: the same figures give the same bytes.

Names that come from metadata never go into a plot (Matplotlib would read ``$`` as mathematics); legends are HTML.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.qc_report_html import technology_name
from refinebio_assets.compendia.quality_densities import BINS, BINS_PER_UNIT, LOWEST, Density, all_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 9
"""Groups that a legend names; the rest are "other"."""
CURVE_POINTS = 140
SMOOTHING = 0.015
"""Width of the kernel as a part of the values shown."""
OTHER = "#b4bac2"
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9", "#7a3e9d", "#e69f00", "#444b54")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_SIGNS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "◀", "▶")
_LINES = ("-", "--", "-.", ":")
_ZERO_BIN = -LOWEST * BINS_PER_UNIT
_WIDTH, _HEIGHT = 4.8, 3.3


@dataclass(frozen=True, slots=True)
class Group:
    """Samples of one label: how they are drawn, and what the legend says."""

    label: str
    members: NDArray[np.intp]
    color: str
    mark: str
    sign: str

    @property
    def entry(self) -> tuple[str, str, str]:
        """Sign, colour and text of the legend."""
        return self.sign, self.color, f"{self.label} ({len(self.members):,})"


def groups_of(labels: Sequence[str]) -> list[Group]:
    """The largest groups with a colour and a mark of their own each, then all others as one."""
    ordered = sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))
    named = [label for label, _ in ordered[:MOST_NAMED]]
    array = np.array(labels, dtype=object)
    found = [
        Group(label or "not stated", np.flatnonzero(array == label), _COLORS[place], _MARKS[place], _SIGNS[place])
        for place, label in enumerate(named)
    ]
    rest = np.flatnonzero([label not in named for label in labels])
    if len(rest):
        found.append(Group(f"{len(ordered) - len(named):,} others", rest, OTHER, ".", "•"))
    return found


def scatter(points: NDArray[np.float64], groups: Sequence[Group], *, axis_names: tuple[str, str]) -> str:
    """Two columns of numbers against each other, a mark per row; small groups lie on top."""
    with _figure() as (figure, axes):
        size = 26 if len(points) < 300 else 12 if len(points) < 1000 else 7
        drawn = sorted(groups, key=lambda group: (group.color != OTHER, -len(group.members)))
        for group in drawn:
            chosen = points[group.members]
            axes.scatter(
                chosen[:, 0],
                chosen[:, 1],
                s=size,
                c=group.color,
                marker=group.mark,
                alpha=0.7,
                linewidths=0,
                rasterized=True,
            )
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        return _svg(figure)


def density_curves(densities: Sequence[Density], *, after: bool) -> str:
    """A curve per technology, and one of all; exact zeros are left out before normalisation."""
    shown = [*densities, all_of(tuple(densities))] if len(densities) > 1 else list(densities)
    counts = np.array([density.after if after else density.before for density in shown], dtype=np.float64)
    if not after:
        counts[:, _ZERO_BIN] -= [density.zeros for density in shown]
    first, last = _shown_bins(counts)
    step = max(1, (last - first) // CURVE_POINTS)
    counts = _smooth(counts, (last - first) * SMOOTHING)
    heights = counts[:, first:last:step] * BINS_PER_UNIT / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    places = LOWEST + (np.arange(first, last, step) + 0.5) / BINS_PER_UNIT
    with _figure() as (figure, axes):
        for (_, color, _), line, curve in zip(
            density_legend(densities), _line_styles(len(shown)), heights, strict=True
        ):
            axes.plot(places, curve, line, color=color, linewidth=1.6)
        axes.set_xlabel("expression value (log2 scale)")
        axes.set_ylabel("density")
        axes.set_ylim(0, _top(heights))
        return _svg(figure)


def density_legend(densities: Sequence[Density]) -> list[tuple[str, str, str]]:
    """Sign, colour and text of each curve."""
    entries = [
        ("━", _COLORS[place % len(_COLORS)], f"{technology_name(one.label)} ({one.samples:,} samples)")
        for place, one in enumerate(densities)
    ]
    return [*entries, ("┅", "#1b2430", "all samples")] if len(densities) > 1 else entries


def share_histogram(counts: Sequence[int], *, what: str, of_what: str) -> str:
    """How many genes or samples have which share of missing values; logarithmic, so that single ones are seen."""
    with _figure() as (figure, axes):
        edges = np.linspace(0, 100, len(counts) + 1)
        axes.bar(
            edges[:-1],
            np.log10(np.add(counts, 1.0)),
            width=np.diff(edges),
            align="edge",
            color=_COLORS[0],
            edgecolor="white",
        )
        powers = [0, *(10**power for power in range(len(str(max(counts)))))]
        axes.set_yticks(np.log10(np.add(powers, 1.0)), [f"{power:,}" for power in powers])
        last = max((place for place, count in enumerate(counts) if count), default=0)
        axes.set_xlim(0, min(100, max(20, edges[last + 1] + 5)))
        axes.set_xlabel(f"% of {of_what} without a measured value")
        axes.set_ylabel(f"{what} (log scale)")
        return _svg(figure)


def gene_means(array: NDArray[np.float64], rna_seq: NDArray[np.float64]) -> str:
    """Each gene's mean on arrays against that in RNA-seq, a dot per gene."""
    with _figure() as (figure, axes):
        faint = float(np.clip(1500 / max(len(array), 1), 0.12, 0.7))
        axes.scatter(array, rna_seq, s=5, c=_COLORS[0], alpha=faint, linewidths=0, rasterized=True)
        axes.set_xlabel("mean on arrays (log2 scale)")
        axes.set_ylabel("mean in RNA-seq (log2 scale)")
        return _svg(figure)


def _line_styles(curves: int) -> Iterator[str]:
    """The last one, of all samples, is dotted."""
    return (_LINES[place % 3] if place < curves - 1 or curves == 1 else ":" for place in range(curves))


def _smooth(counts: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """With a Gaussian kernel so many bins wide, so that whole counts of reads do not show as a comb."""
    reach = int(np.ceil(4 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return np.array([np.convolve(line, kernel / kernel.sum(), mode="same") for line in counts])


def _shown_bins(counts: NDArray[np.float64]) -> tuple[int, int]:
    """The bins between which nearly all values of every curve lie, with a margin."""
    cumulated = np.cumsum(counts, axis=1)
    totals = np.maximum(cumulated[:, -1:], 1)
    first = min(int(np.argmax(line > 0.0005)) for line in cumulated / totals)
    last = max(int(np.argmax(line >= 0.9995)) for line in cumulated / totals)
    margin = max(2, (last - first) // 25)
    return max(0, first - margin), min(BINS, last + margin + 1)


def _top(heights: NDArray[np.float64]) -> float:
    """Above all curves, but for spikes beside which nothing else would be seen."""
    usual = float(np.quantile(heights[heights > 0], 0.97)) if (heights > 0).any() else 1.0
    return 1.08 * min(float(heights.max(initial=0.0)) or 1.0, 1.8 * usual)


@contextmanager
def _figure() -> Iterator[tuple[Figure, Axes]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": "refinebio",
        "svg.fonttype": "path",
        "font.size": 10,
        "font.family": ["DejaVu Sans"],
    }
    with mpl.rc_context({**dict(mpl.rcParamsDefault), **style}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT))
        axes = figure.subplots(gridspec_kw={"left": 0.15, "right": 0.97, "top": 0.97, "bottom": 0.16})
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=170, metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
