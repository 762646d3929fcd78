"""Rate limits and back-off, on a clock that only moves when someone sleeps."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedPayloadError, TransientArchiveError
from resources.archives import ArchiveClient
from resources.archives.rate_limit import EUTILS_HOST, HostRateLimits, TokenBucket
from resources.archives.retry import PauseRequestedError, RetryPolicy, retry_after_seconds
from resources.settings import Settings


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_requests_are_spaced_by_the_rate():
    clock = FakeClock()
    bucket = TokenBucket(3.0, clock=clock, sleep=clock.sleep)
    moments = []
    for _ in range(7):
        bucket.take()
        moments.append(clock.now)
    assert moments == pytest.approx([n / 3 for n in range(7)])


def test_an_idle_bucket_saves_up_to_its_capacity_only():
    clock = FakeClock()
    bucket = TokenBucket(1.0, capacity=2, clock=clock, sleep=clock.sleep)
    clock.now = 100.0
    assert [bucket.take() for _ in range(3)] == pytest.approx([0, 0, 1])


@given(rate=st.floats(0.5, 50), requests=st.integers(2, 40))
def test_no_window_of_a_second_holds_more_than_the_rate(rate, requests):
    clock = FakeClock()
    bucket = TokenBucket(rate, clock=clock, sleep=clock.sleep)
    moments = []
    for _ in range(requests):
        bucket.take()
        moments.append(clock.now)
    most = max(sum(start <= moment < start + 1 - 1e-6 for moment in moments) for start in moments)
    assert most <= rate + 1


def test_threads_share_one_bucket():
    waits = []
    bucket = TokenBucket(10.0, clock=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=bucket.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([n / 10 for n in range(1, 20)])


def test_hosts_are_limited_apart_and_by_their_own_rate():
    clock = FakeClock()
    slept = []
    limits = HostRateLimits(5.0, of_host={"slow": 1.0}, clock=clock, sleep=slept.append)
    for host in ("a", "slow", "b", "slow", "a"):
        limits.wait(host)
    assert slept == pytest.approx([1.0, 0.2])


@pytest.mark.parametrize(("key", "interval"), [(None, 1 / 3), ("k", 1 / 10)])
def test_ncbi_is_asked_three_times_a_second_and_ten_with_a_key(key, interval):
    slept = []
    client = ArchiveClient.from_settings(Settings(ncbi_api_key=key), sleep=slept.append)
    client._rate_limits._clock = lambda: 0.0
    client._rate_limits.wait(EUTILS_HOST)
    client._rate_limits.wait(EUTILS_HOST)
    assert slept == pytest.approx([interval])


def test_a_mirror_on_this_machine_has_no_rate_limit_and_another_has():
    for mirror, waits in (("http://127.0.0.1:1", 0), ("https://mirror.example.org", 1)):
        slept = []
        client = ArchiveClient.from_settings(Settings(archive_mirror_url=mirror), sleep=slept.append)
        client._rate_limits._clock = lambda: 0.0
        client._rate_limits.wait("www.ebi.ac.uk")
        client._rate_limits.wait("www.ebi.ac.uk")
        assert len(slept) == waits


def test_waits_double_up_to_a_minute_with_jitter_below():
    error = TransientArchiveError("down")
    upper = RetryPolicy(uniform=lambda: 1.0)
    assert [upper.wait_before(n, error) for n in range(2, 10)] == [1, 2, 4, 8, 16, 32, 60, 60]
    lower = RetryPolicy(uniform=lambda: 0.0)
    assert [lower.wait_before(n, error) for n in range(2, 5)] == [0.5, 1, 2]


def test_tries_are_bounded_and_the_last_error_is_raised():
    slept, tries = [], []

    def action():
        tries.append(len(tries))
        raise TransientArchiveError(f"failure {len(tries)}")

    with pytest.raises(TransientArchiveError, match="failure 4"):
        RetryPolicy(attempts=4, sleep=slept.append).run(action)
    assert len(tries) == 4
    assert len(slept) == 3


def test_errors_that_will_not_pass_are_not_tried_again():
    tries = []

    def action():
        tries.append(1)
        raise MalformedPayloadError("wrong")

    with pytest.raises(MalformedPayloadError):
        RetryPolicy(attempts=4, sleep=lambda _: None).run(action)
    assert len(tries) == 1


def test_a_requested_pause_is_kept_exactly_and_a_very_long_one_not_waited_for():
    slept, outcomes = [], [PauseRequestedError("busy", seconds=17), "answer"]

    def action():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert RetryPolicy(sleep=slept.append).run(action) == "answer"
    assert slept == [17]
    outcomes.append(PauseRequestedError("closed for the day", seconds=86_400))
    with pytest.raises(TransientArchiveError, match="86400 s"):
        RetryPolicy(sleep=slept.append).run(action)
    assert slept == [17]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header, seconds):
    assert retry_after_seconds(header, now=datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)) == seconds


@given(st.text())
def test_retry_after_of_any_text_never_fails(header):
    seconds = retry_after_seconds(header)
    assert seconds is None or seconds >= 0
