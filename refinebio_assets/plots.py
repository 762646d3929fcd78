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


def _figure(*, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.0, height), layout="constrained")


def _markdown(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
