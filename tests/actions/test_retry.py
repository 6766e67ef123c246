from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.actions.outbox import Message
from monitor.actions.receiver import NoResponse, Outcome, Response
from monitor.actions.retry import PROBLEMS, SCHEDULE_S, judge

NOW_MS = 1_764_000_000_000
MESSAGE = Message("msg_1", "pipeline", "trg_1", b"{}", created_ms=NOW_MS)
DAY_MS = 86_400_000

# Written out as the contract has it, not computed from the code.
MINUTE, HOUR = 60, 3600
CONTRACT_S = (0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)

outcomes = st.one_of(
    st.builds(Response, st.integers(100, 599), st.none() | st.sampled_from(["0", "60", "999999999", "soon", ""])),
    st.sampled_from([NoResponse(problem) for problem in PROBLEMS]),
)


def expected_state(status: int, attempts: int) -> str:
    """The contract, status by status."""
    if status in range(200, 300):
        return "delivered"
    if status == 410:
        return "disabled"
    if status in range(400, 500) and status not in {408, 425, 429}:
        return "failed" if attempts >= 3 else "pending"
    return "failed" if attempts >= 10 else "pending"


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_does_what_the_contract_says_at_every_attempt(status: int):
    for before in range(10):
        attempt = judge(Response(status), replace(MESSAGE, attempts=before), NOW_MS, 0.0)
        assert attempt.state == expected_state(status, before + 1)
        assert (attempt.status, attempt.attempts, attempt.at_ms) == (status, before + 1, NOW_MS)
        assert (attempt.message, attempt.receiver) == ("msg_1", "pipeline")
        assert str(status) in attempt.detail


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_request_without_answer_is_tried_again_until_the_schedule_ends(problem: str):
    outcome = NoResponse(problem)
    states = [judge(outcome, replace(MESSAGE, attempts=before), NOW_MS, 0.0).state for before in range(10)]
    assert states == ["pending"] * 9 + ["failed"]
    assert judge(outcome, MESSAGE, NOW_MS, 0.0).status is None


def test_waits_are_those_of_the_contract():
    assert SCHEDULE_S == CONTRACT_S
    for before in range(9):
        attempt = judge(Response(500), replace(MESSAGE, attempts=before), NOW_MS, 0.0)
        assert attempt.due_ms - NOW_MS == CONTRACT_S[before + 1] * 1000


def test_jitter_lengthens_a_wait_by_a_tenth_at_most():
    for before in range(9):
        attempt = judge(Response(500), replace(MESSAGE, attempts=before), NOW_MS, 0.999)
        assert 1.09 < (attempt.due_ms - NOW_MS) / (CONTRACT_S[before + 1] * 1000) <= 1.1


@pytest.mark.parametrize("status", [429, 503, 302, 404])
@pytest.mark.parametrize(
    ("retry_after", "wait_s"),
    [
        ("60", 60),
        (" 3600 ", 3600),
        ("0", 5),
        ("4", 5),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        (formatdate(NOW_MS / 1000 + 90, usegmt=True), 90),
        ("Mon, 24 Nov 2025 16:01:30 -0000", 90),
        ("Monday, 24-Nov-25 16:01:30 GMT", 90),
        ("Mon Nov 24 16:01:30 2025", 90),
        (formatdate(NOW_MS / 1000 - 90, usegmt=True), 5),
        (formatdate(NOW_MS / 1000 + 10 * 86_400, usegmt=True), 86_400),
        (f"Mon, 24 Nov {'9' * 30} 16:01:30 GMT", 5),
        ("Mon, 24 Nov 2025 16:01:30 +99999999999999999999", 5),
        ("soon", 5),
        ("-60", 5),
        ("1.5", 5),
        ("٣٦٠٠", 5),
        ("", 5),
    ],
)
def test_retry_after_is_honoured_up_to_a_day_and_never_shortens_the_schedule(
    status: int, retry_after: str, wait_s: int
):
    attempt = judge(Response(status, retry_after), MESSAGE, NOW_MS, 0.0)
    assert attempt.state == "pending"
    assert attempt.due_ms - NOW_MS == wait_s * 1000


@given(text=st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [-+A-Z0-9]{0,6}"))
def test_no_retry_after_breaks_the_schedule(text: str):
    attempt = judge(Response(503, text), MESSAGE, NOW_MS, 0.0)
    assert 5000 <= attempt.due_ms - NOW_MS <= DAY_MS


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("http://169.254.169.254/latest/meta-data?token=hidden", "169.254.169.254"),
        ("https://user:hidden@Elsewhere.example:8443/hidden", "elsewhere.example"),
        ("//other.example/hidden", "other.example"),
        ("http://[::1]/hidden", "::1"),
        ("/hidden", "an unnamed place"),
        ("http://[hidden", "an unnamed place"),
        ("http://a\x1b[31mhidden/", "an unnamed place"),
        (None, "an unnamed place"),
    ],
)
def test_a_redirect_is_a_failure_of_which_only_the_host_is_told(location: str | None, named: str):
    attempt = judge(Response(302, location=location), MESSAGE, NOW_MS, 0.0)
    assert attempt.state == "pending"
    assert f"redirect to {named} is not followed" in attempt.detail
    assert "hidden" not in attempt.detail


def test_giving_up_is_said():
    assert judge(Response(404), replace(MESSAGE, attempts=2), NOW_MS, 0.0).detail.endswith("Given up after 3 attempts.")
    assert "Given up" not in judge(Response(404), MESSAGE, NOW_MS, 0.0).detail


@given(script=st.lists(outcomes, min_size=12, max_size=12), jitter=st.floats(0, 1, exclude_max=True))
def test_any_run_of_outcomes_ends_within_ten_attempts_and_never_hurries(script: list[Outcome], jitter: float):
    message, now_ms, tried = MESSAGE, NOW_MS, 0
    for outcome in script:
        attempt = judge(outcome, message, now_ms, jitter)
        tried += 1
        assert attempt.attempts == tried
        if attempt.state != "pending":
            break
        assert attempt.due_ms >= now_ms + CONTRACT_S[tried] * 1000
        assert attempt.due_ms <= now_ms + max(1.1 * CONTRACT_S[tried] * 1000, DAY_MS)
        message, now_ms = replace(message, attempts=attempt.attempts, due_ms=attempt.due_ms), attempt.due_ms
    assert attempt.state != "pending"
    assert tried <= 10
