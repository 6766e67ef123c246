"""What one attempt means for its message: delivered, tried again later, or given up.

Retries follow the schedule that Standard Webhooks proposes: ten attempts over 75.6 hours. A receiver may ask for more
patience with `Retry-After`, never for less. Pure: the clock reading and the jitter are arguments.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from urllib.parse import urlsplit

from monitor.actions.outbox import Attempt, DeliveryState, Message
from monitor.actions.receiver import Answer, Meaning, NoResponse, Outcome, Problem

SCHEDULE_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each attempt: SCHEDULE_S[n] is the wait between the n-th failure and the next attempt."""

JITTER = 0.1
"""The most that a wait is lengthened, as a share of it, so that messages which failed together part."""

RETRY_AFTER_MAX_MS = 86_400_000
"""The longest `Retry-After` that is honoured."""

REFUSALS_MAX = 3
"""Attempts after which a 4xx is final: a deployment may answer 404 for a minute, a wrong URL does so for ever."""

PROBLEMS: Mapping[Problem, str] = MappingProxyType(
    {
        "timeout": "No answer within the deadline.",
        "dns": "The receiver's host name could not be resolved.",
        "refused": "The receiver refused the connection.",
        "unreachable": "The receiver could not be reached.",
        "tls": "No trusted TLS connection could be made.",
        "reset": "The connection broke before an answer.",
        "protocol": "The answer was not HTTP, was cut short, or its headers were too long.",
        "internal": "The request could not be made.",
    }
)


def judge(outcome: Outcome, message: Message, now_ms: int, jitter: float) -> Attempt:
    """How the attempt that ended at `now_ms` leaves the message.

    message: as it was before the attempt. jitter: in [0, 1), drawn by the caller. The next attempt is never due
    before the schedule says; a settled message is due at `now_ms`, which means nothing.
    """
    attempts = message.attempts + 1
    meaning, detail = _read(outcome)
    state: DeliveryState
    due_ms = now_ms
    if meaning == "delivered" or meaning == "disabled":
        state = meaning
    elif attempts >= (REFUSALS_MAX if meaning == "refused" else len(SCHEDULE_S)):
        state, detail = "failed", f"{detail} Given up after {attempts} attempts."
    else:
        state = "pending"
        scheduled_ms = int(SCHEDULE_S[attempts] * 1000 * (1 + JITTER * jitter))
        due_ms += max(scheduled_ms, asked_for_ms(outcome, now_ms))
    return Attempt(
        message=message.id,
        receiver=message.receiver,
        subject=message.subject,
        at_ms=now_ms,
        state=state,
        attempts=attempts,
        due_ms=due_ms,
        status=None if isinstance(outcome, NoResponse) else outcome.status,
        detail=detail,
        run=outcome.run if isinstance(outcome, Answer) else "",
    )


def _read(outcome: Outcome) -> tuple[Meaning, str]:
    """The outcome's class, whatever attempt it was, and one sentence about it."""
    if isinstance(outcome, NoResponse):
        return "retry", PROBLEMS[outcome.problem]
    if isinstance(outcome, Answer):
        return outcome.meaning, outcome.detail
    status = outcome.status
    if 200 <= status < 300:
        return "delivered", f"HTTP {status}."
    if status == 410:
        return "disabled", "HTTP 410: the receiver is gone."
    if 300 <= status < 400:
        return "retry", f"HTTP {status}: a redirect to {_host(outcome.location)} is not followed."
    if 400 <= status < 500 and status not in (408, 425, 429):
        return "refused", f"HTTP {status}: the receiver refused the request."
    return "retry", f"HTTP {status}."


def _host(location: str | None) -> str:
    """The host of a `Location`, if it is one: the rest may carry credentials, and all of it is the sender's choice."""
    try:
        host = urlsplit(location or "").hostname or ""
    except ValueError:
        host = ""
    return host if re.fullmatch(r"[a-z0-9._:-]{1,253}", host) else "an unnamed place"


def asked_for_ms(outcome: Outcome, now_ms: int) -> int:
    """The wait that `Retry-After` asks for, 0 without one: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    text = "" if isinstance(outcome, NoResponse) else (outcome.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        wait_ms = int(text) * 1000 if len(text) < 10 else RETRY_AFTER_MAX_MS
    else:
        wait_ms = _date_ms(text, now_ms) - now_ms
    return max(0, min(wait_ms, RETRY_AFTER_MAX_MS))


def _date_ms(text: str, default_ms: int) -> int:
    """Epoch milliseconds of an HTTP date in any of its three formats; the default where it is none."""
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return default_ms
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)
