"""How long a step will still take."""

from __future__ import annotations

import pytest

from refinebio_assets.compendia.progress import Progress, iterations_left, with_estimates


def test_a_step_is_estimated_from_how_fast_it_was_in_this_process():
    told, now = [], iter([0.0, 10.0, 20.0])
    report = with_estimates(told.append, clock=lambda: next(now))
    report(Progress(step="filtering", done=500, total=1000))
    report(Progress(step="filtering", done=600, total=1000))
    report(Progress(step="filtering", done=800, total=1000))
    assert [progress.seconds_left for progress in told] == [None, pytest.approx(40), pytest.approx(20 / 300 * 200)]


def test_what_is_known_already_stays():
    told = []
    report = with_estimates(told.append)
    for done in (1, 2):
        report(Progress(step="imputing", done=done, total=200, seconds_left=7.0))
    assert {progress.seconds_left for progress in told} == {7.0}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([], None),
        ([float("inf"), 1e-2], None),
        ([1e-2, 1e-3, 1e-4], 1),
        ([1e-1, 1e-2], 3),
        ([1e-5, 1e-6], 0),
        ([1e-3, 1e-2], 50),
        ([1e-3, 1e-3], 50),
    ],
)
def test_iterations_are_foreseen_from_how_changes_fall(changes, left):
    assert iterations_left(changes, 1e-5, 50) == left
