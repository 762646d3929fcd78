"""Who hears of a build, and how long it will take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from refinebio_assets.compendia.asset_reports import ProgressLog, checks_table, counts_table, reasons_list
from refinebio_assets.compendia.progress import Progress
from refinebio_assets.compendia.watching import Estimate, in_words, watched_by, watcher


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def progress(self, organism: str, progress: Progress, /) -> None:
        self.heard.append((organism, progress.step))

    def finished(self, organism: str, outcome: Mapping[str, Any], /) -> None:
        self.heard.append((organism, outcome["outcome"]))


class Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, *arguments: object) -> None:
        self.lines.append(message % arguments)


def test_only_who_watches_hears_of_a_build_and_only_while_watching() -> None:
    ears = Ears()
    with watched_by(ears):
        watcher().progress("DANIO_RERIO", Progress(step="filtering", done=1, total=2))
        watcher().finished("DANIO_RERIO", {"outcome": "built"})
    watcher().finished("DANIO_RERIO", {"outcome": "nobody hears"})
    assert ears.heard == [("DANIO_RERIO", "filtering"), ("DANIO_RERIO", "built")]


def test_the_log_gets_a_few_lines_of_each_step_and_the_watcher_all() -> None:
    ears, lines = Ears(), Lines()
    with watched_by(ears):
        report = ProgressLog("DANIO_RERIO", lines)
        for done in range(1, 1001):
            report(Progress(step="filtering", done=done, total=1000))
        report(Progress(step="testing the imputation", done=0, total=None))
    assert len(ears.heard) == 1001
    assert lines.lines[0] == "DANIO_RERIO: filtering 1 of 1,000"
    assert lines.lines[-2:] == ["DANIO_RERIO: filtering 1,000 of 1,000", "DANIO_RERIO: testing the imputation"]
    assert len(lines.lines) == 7


def test_the_share_done_never_falls_and_ends_near_one() -> None:
    estimate = Estimate()
    steps = ["counting genes", "filtering", "imputing", "writing", "writing text", "testing the imputation"]
    shares = [
        estimate.share(Progress(step=step, done=done, total=None if step == "imputing" else 10))
        for step in steps
        for done in range(11)
    ]
    assert shares == sorted(shares)
    assert estimate.share(Progress(step="filtering", done=1, total=10)) == shares[-1]
    assert 0.9 < shares[-1] <= 1
    assert estimate.share(Progress(step="something new", done=1, total=10)) == shares[-1]


def test_the_rest_is_told_from_what_this_process_did_not_from_what_an_earlier_one_had_done() -> None:
    estimate = Estimate()
    assert estimate.rest(0.5, 100.0) is None
    assert estimate.rest(0.51, 110.0) is None
    assert estimate.rest(0.75, 150.0) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (12.4, "about 12 s"), (47, "about 50 s"), (200, "about 3 min"), (9000, "about 2.5 h")],
)
def test_durations_are_said_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_pages_say_counts_reasons_and_checks() -> None:
    counts = counts_table({"samples_in_store": 1234, "genes_kept": 7, "method": "refinebio-2"})
    assert counts.splitlines()[2:] == ["| samples with expression | 1,234 |", "| genes in the compendium | 7 |"]
    assert reasons_list({}) == "none"
    assert reasons_list({"too old": 2000}) == "- **2,000**: too old"
    check = {"name": "empty_samples", "description": "One is."}
    lines = [
        checks_table([check | {"passed": passed, "blocking": blocking}]).splitlines()[2]
        for passed, blocking in ((True, True), (False, True), (False, False))
    ]
    assert [line.split(" | ")[1] for line in lines] == ["passed", "**failed**", "look at it"]
