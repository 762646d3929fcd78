"""Which column of p-values (or bead counts, or errors) belongs to which signals: by name, by place, by order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from refinebio_assets.microarray.illumina_columns import plain_key
from refinebio_assets.microarray.illumina_evidence import Column, monotony

Factor = tuple[float, str]
"""What a piece of evidence does to the confidence, and what it is."""


def pairings(signals: list[Column], found: list[Column]) -> Iterator[tuple[float, str, list[Column | None]]]:
    """Ways to give each signal its column: by the sample's name, by the place beside it, by the order in blocks.

    Args:
        signals: One per sample, in the order of the file.
        found: Candidates.

    Yields:
        How likely this way is beforehand, its name, and per signal its column or None.
    """
    by_key: dict[str, list[Column]] = {}
    for column in found:
        by_key.setdefault(plain_key(column.named.key), []).append(column)
    keys = [plain_key(column.named.key) for column in signals]
    if len(set(keys)) == len(keys) and all(len(one) == 1 for key, one in by_key.items() if key):
        by_name = [next(iter(by_key.get(key, ())), None) for key in keys]
        if any(by_name) and (len(found) > 1 or len(signals) == 1 or all(keys)):
            yield 1.0, "by name", by_name
    places = sorted(column.place for column in signals)
    yield from _beside(signals, found, places)
    if len(found) == len(signals):
        yield 0.95, "by order", [*sorted(found, key=lambda one: one.place)]


def _beside(
    signals: list[Column], found: list[Column], places: list[int]
) -> Iterator[tuple[float, str, list[Column | None]]]:
    """The nearest candidate between a signal and the next one, or the one before."""
    ends = [*places[1:], max(column.place for column in [*signals, *found]) + 1]
    begins = [-1, *places[:-1]]
    for prior, how, spans in (
        (0.98, "by their place behind them", dict(zip(places, zip(places, ends, strict=True), strict=True))),
        (0.93, "by their place before them", dict(zip(places, zip(begins, places, strict=True), strict=True))),
    ):
        between = [
            [one for one in found if spans[signal.place][0] < one.place < spans[signal.place][1]] for signal in signals
        ]
        if any(between):  # a second one is that of a sample whose signals cannot be read
            nearest = 0 if spans[places[0]][0] == places[0] else -1
            yield prior, how, [one[nearest] if one else None for one in between]


def judged(signals: list[Column], pairs: list[Column | None], how: str) -> tuple[list[Factor], bool, bool]:
    """What the values say about a pairing of signals and p-values.

    Args:
        signals: One per sample.
        pairs: The p-values of each, None where there are none.
        how: The way in which they were paired.

    Returns:
        Factors of the confidence; whether the p-values are ``1 - p``; whether the values confirm the pairing.
    """
    results = [
        monotony(signal.numbers, pair.numbers) for signal, pair in zip(signals, pairs, strict=True) if pair is not None
    ]
    told = [(score, direction) for score, direction in results if direction]
    factors: list[Factor] = []
    missing = sum(pair is None for pair in pairs)
    if missing:
        factors.append((max(0.4, 1.0 - 0.6 * missing / len(pairs)), f"{missing} signals have no p-values"))
    if not told:
        factors.append((0.95, "the p-values differ too little to check them against the signals"))
        return factors, False, False
    lowest = float(np.quantile([score for score, _ in told], 0.05, method="lower"))
    directions = Counter(direction for _, direction in told)
    direction = directions.most_common(1)[0][0]
    if directions[direction] < len(told):
        factors.append((0.5, "p-values fall with the signals of some samples and rise with those of others"))
    if lowest >= 0.8:
        factors.append((1.0, "the p-values follow the signals as detection p-values do"))
    else:
        by_name = how == "by name"
        weight = (0.9 if by_name else 0.75) if lowest >= 0.5 else 0.75 if by_name else 0.4
        factors.append((weight, f"p-values do not follow the signals strictly (agreement {lowest:.2f})"))
    return factors, direction > 0, lowest >= 0.8
