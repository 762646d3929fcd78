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
        matrix: samples x genes; NaN is left out.
        samples: Names of the rows.
        label: Name of the axis.
        title: Alternative text of the image.
    """
    figure = _figure(height=3.0)
    axes = figure.subplots()
    finite = matrix[np.isfinite(matrix)]
    edges = np.linspace(0.0, max(float(finite.max(initial=1.0)), 1.0), DENSITY_POINTS + 1)
    for row, sample in list(zip(matrix, samples, strict=True))[:MAX_CURVES]:
        heights, _ = np.histogram(row[np.isfinite(row)], bins=edges, density=True)
        axes.plot((edges[1:] + edges[:-1]) / 2, heights, linewidth=1, label=sample)
    axes.set_xlabel(label)
    axes.set_ylabel("density")
    if len(samples) <= 10:
        axes.legend(fontsize=7)
    return _markdown(figure, title)


def _figure(*, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.0, height), layout="constrained")


def _markdown(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
