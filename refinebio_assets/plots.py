"""Plots for asset metadata: Markdown with the image inside, as the Dagster UI shows it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 60
MAX_CURVES = 60
DENSITY_POINTS = 120
LEAST_DENSITY_POINTS = 10
MAX_MA_PLOTS = 4


def bars(values: Mapping[str, float], *, label: str, limit: float | None = None, title: str) -> str:
    """A horizontal bar per sample, the lowest first.

    Args:
        values: Value by sample.
        label: Name of the axis, with its unit.
        limit: Where to draw a line (a threshold).
        title: Alternative text of the image.
    """
    shown = sorted(values.items(), key=lambda item: item[1])[:MAX_BARS]
    figure = _figure(height=0.6 + 0.22 * max(len(shown), 2))
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [value for _, value in shown], color="#4c72b0")
    if limit is not None:
        axes.axvline(limit, color="#c44e52", linestyle="--", linewidth=1)
    axes.set_xlabel(label)
    axes.invert_yaxis()
    return _markdown(figure, title)


def densities(matrix: NDArray[np.float64], samples: Sequence[str], *, label: str, title: str) -> str:
    """Distribution of each sample's values as a curve.

    Args:
        matrix: samples x genes; NaN and 0 (not expressed: a spike beside which nothing else is seen) are left out.
        samples: Names of the rows.
        label: Name of the axis.
        title: Alternative text of the image.
    """
    figure = _figure(height=3.0)
    axes = figure.subplots()
    shown = np.isfinite(matrix) & (matrix > 0)
    # About as many points as the square root of the values: fewer hide the shape, more show noise.
    points = int(np.clip(np.sqrt(shown.sum(axis=1).max(initial=0)), LEAST_DENSITY_POINTS, DENSITY_POINTS))
    edges = np.linspace(0.0, float(matrix[shown].max(initial=1.0)), points + 1)
    for row, taken, sample in list(zip(matrix, shown, samples, strict=True))[:MAX_CURVES]:
        heights = np.histogram(row[taken], bins=edges)[0] / max(int(taken.sum()), 1) / (edges[1] - edges[0])
        axes.plot((edges[1:] + edges[:-1]) / 2, heights, linewidth=1, label=sample)
    axes.set_xlabel(label)
    axes.set_ylabel("density")
    if len(samples) <= 10:
        axes.legend(fontsize=7, frameon=False)
    return _markdown(figure, title)


def value_densities(matrix: NDArray[np.float64], samples: Sequence[str], *, title: str) -> str:
    """Distribution of each sample's values as a curve; unlike :func:`densities`, for values of any sign.

    Args:
        matrix: samples x genes; NaN is left out.
        samples: Names of the rows.
        title: What the samples are.
    """
    figure = _figure(height=3.0)
    axes = figure.subplots()
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(np.quantile(finite, share)) for share in (0.001, 0.999)) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, DENSITY_POINTS + 1)
    for row, sample in list(zip(matrix, samples, strict=True))[:MAX_CURVES]:
        values = row[np.isfinite(row)]
        heights = np.histogram(values, bins=edges)[0] / max(len(values), 1) / (edges[1] - edges[0])
        axes.plot((edges[1:] + edges[:-1]) / 2, heights, linewidth=1, label=sample)
    axes.set_xlabel(f"value ({title})")
    axes.set_ylabel("density")
    if len(samples) <= 10:
        axes.legend(fontsize=7, frameon=False)
    return _markdown(figure, f"densities {title}")


def curves(places: Sequence[float], heights: Mapping[str, Sequence[float]], *, label: str, title: str) -> str:
    """Curves over common places, drawn as far as any of them is above zero; every second one of a pair is solid.

    Args:
        places: Where the heights are.
        heights: By name of the curve: pairs of before (dashed) and after (solid), in order.
        label: Name of the axis.
        title: Alternative text of the image.
    """
    figure = _figure(height=3.0)
    axes = figure.subplots()
    seen = [at for at in range(len(places)) if any(curve[at] > 0 for curve in heights.values())] or [0]
    shown = slice(seen[0], seen[-1] + 1)
    for number, (name, curve) in enumerate(heights.items()):
        style = "-" if number % 2 else "--"
        axes.plot(places[shown], curve[shown], style, color=f"C{number // 2}", linewidth=1, label=name)
    axes.set_xlabel(label)
    axes.set_ylabel("density")
    axes.legend(fontsize=7, frameon=False)
    return _markdown(figure, title)


def ma_plots(
    samples: Sequence[str], points: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], *, title: str
) -> str:
    """Difference to the median array (M) by mean (A), one panel per sample.

    Args:
        samples: At most :data:`MAX_MA_PLOTS` of them are shown.
        points: A and M of each sample.
        title: What the samples are.
    """
    shown = list(zip(samples, points, strict=True))[:MAX_MA_PLOTS]
    figure = _figure(height=2.6)
    panels = figure.subplots(1, max(len(shown), 1), squeeze=False, sharey=True)[0]
    for axes, (sample, (mean, difference)) in zip(panels, shown, strict=False):
        axes.scatter(mean, difference, s=1, linewidths=0, alpha=0.5)
        axes.axhline(0.0, color="#c44e52", linewidth=1)
        axes.set_title(sample, fontsize=8)
        axes.set_xlabel("A")
    panels[0].set_ylabel("M")
    return _markdown(figure, f"MA plots {title}")


def _figure(*, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.0, height), layout="constrained")


def _markdown(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
