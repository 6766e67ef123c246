from __future__ import annotations

import itertools
import logging
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook as ReferenceVerifier

from monitor import __version__
from monitor.actions import signing
from monitor.actions.outbox import Attempt, Message
from monitor.actions.receiver import Answer, Conversation, NoResponse, Outcome, Reply, Request, Response
from monitor.actions.retry import PROBLEMS, SCHEDULE_S
from monitor.actions.webhook import Webhook
from monitor.runtime.clock import now
from monitor.runtime.delivery import Delivery
from monitor.runtime.post import BODY_MAX
from monitor.windows.streams import Now
from tests import receivers
from tests.ports import closed_port
from tests.receivers import Behaviour, Receiver, answers

START_MS = 1_764_000_000_000
DAY_MS = 86_400_000
SECRETS = (signing.generate_secret(), signing.generate_secret())
KEYS = tuple(signing.parse_secret(secret) for secret in SECRETS)
BODY = b'{"type":"model.retrain.requested"}'
WAIT_S = 60.0


class FakeClock:
    """Moves only when told. set_on_ms: how far the wall clock was set on, which the steady one does not know."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms
        self.set_on_ms = 0

    def __call__(self) -> Now:
        return Now(self.now_ms + self.set_on_ms, self.now_ms)


class Bench:
    """A running Delivery and its clock."""

    def __init__(self, delivery: Delivery, clock: FakeClock) -> None:
        self.delivery, self.clock = delivery, clock

    def next(self) -> Attempt:
        """The attempt that ends next, and alone."""
        [attempt] = self.delivery.outcomes(WAIT_S)
        return attempt

    def take(self, count: int) -> list[Attempt]:
        """The attempts that end next."""
        attempts: list[Attempt] = []
        while len(attempts) < count:
            ended = self.delivery.outcomes(WAIT_S)
            assert ended, f"only {attempts} ended"
            attempts += ended
        return attempts

    def at(self, now_ms: int) -> None:
        """Move the clock, and let the threads see it."""
        self.clock.now_ms = now_ms
        self.delivery.offer(())

    def send(self, *ids: str, receiver: str = "pipeline") -> None:
        self.delivery.offer([message(one, receiver) for one in ids])


def message(message_id: str = "msg_1", receiver: str = "pipeline") -> Message:
    return Message(message_id, receiver, f"trg of {message_id}", BODY, created_ms=START_MS)


@contextmanager
def sending(*to: Webhook | Scripted, **options: object) -> Iterator[Bench]:
    clock = FakeClock()
    delivery = Delivery(to, clock=clock, jitter=lambda: 0.0, **options)
    delivery.start()
    try:
        yield Bench(delivery, clock)
    finally:
        delivery.close(WAIT_S)


@contextmanager
def sending_to(*script: Behaviour, timeout_s: float = 15.0) -> Iterator[tuple[Bench, Receiver]]:
    # The receiver closes first, so that what hangs on it ends and the delivery has nothing to wait for.
    with Receiver(*script) as receiver:
        webhook = Webhook("pipeline", receiver.url, KEYS, timeout_s)
        with sending(webhook) as bench:
            yield bench, receiver


def first_attempt(url: str, timeout_s: float = 15.0) -> Attempt:
    with sending(Webhook("pipeline", url, KEYS, timeout_s)) as bench:
        bench.send("msg_1")
        return bench.next()


def test_a_request_carries_the_exact_bytes_and_the_reference_library_accepts_it():
    with Receiver(answers(202)) as receiver:
        delivery = Delivery([Webhook("pipeline", receiver.url, KEYS)], clock=now)
        delivery.start()
        delivery.offer([message()])
        [attempt] = delivery.outcomes(WAIT_S)
        delivery.close(WAIT_S)
    assert (attempt.state, attempt.status, attempt.attempts) == ("delivered", 202, 1)
    [request] = receiver.requests
    assert request.body == BODY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"model-monitor/{__version__}"
    assert request.headers["webhook-id"] == "msg_1"
    for secret in SECRETS:
        ReferenceVerifier(secret).verify(request.body, request.headers)


def test_a_failure_is_tried_again_when_due_with_the_same_id_and_a_new_timestamp():
    with sending_to(answers(500), answers(200)) as (bench, receiver):
        bench.send("msg_1")
        failed = bench.next()
        assert (failed.state, failed.attempts, failed.due_ms) == ("pending", 1, START_MS + 5000)
        bench.at(START_MS + 4999)
        assert len(receiver.requests) == 1
        bench.at(START_MS + 5000)
        delivered = bench.next()
        assert (delivered.state, delivered.attempts, delivered.at_ms) == ("delivered", 2, START_MS + 5000)
        first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg_1"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.body == second.body == BODY


def test_retry_after_is_waited_for():
    with sending_to(answers(429, retry_after="60"), answers(200)) as (bench, receiver):
        bench.send("msg_1")
        assert bench.next().due_ms == START_MS + 60_000
        bench.at(START_MS + 59_999)
        assert len(receiver.requests) == 1
        bench.at(START_MS + 60_000)
        assert bench.next().state == "delivered"


def test_a_receiver_that_is_gone_gets_nothing_more():
    with sending_to(answers(503), answers(410)) as (bench, receiver):
        bench.send("msg_1")
        assert bench.next().state == "pending"
        bench.send("msg_2")
        attempts = bench.take(2)
        bench.send("msg_3")
        attempts.append(bench.next())
        assert [(one.message, one.state, one.attempts, one.status) for one in attempts] == [
            ("msg_2", "disabled", 1, 410),
            ("msg_1", "disabled", 1, None),
            ("msg_3", "disabled", 0, None),
        ]
        assert len(receiver.requests) == 2


def test_a_redirect_is_not_followed_and_only_its_host_is_told():
    with Receiver(answers(200)) as target:
        elsewhere = f"http://localhost:{target.port}/secret-path?token=secret"
        with sending_to(answers(302, location=elsewhere)) as (bench, _):
            bench.send("msg_1")
            attempt = bench.next()
        assert target.requests == []
    assert (attempt.state, attempt.status) == ("pending", 302)
    assert "localhost" in attempt.detail
    assert "secret" not in attempt.detail


@pytest.mark.parametrize(
    "behaviour",
    [receivers.hangs, receivers.drips_headers, receivers.floods_interim_answers],
    ids=lambda one: one.__name__,
)
def test_the_deadline_cuts_an_answer_that_never_comes(behaviour: Behaviour):
    # These receivers go on until the peer leaves: that the attempt ends at all is the deadline's doing.
    with sending_to(behaviour, timeout_s=0.3) as (bench, _):
        bench.send("msg_1")
        attempt = bench.next()
    assert (attempt.state, attempt.status) == ("pending", None)
    assert attempt.detail == PROBLEMS["timeout"]


def test_the_deadline_cuts_a_body_that_drips_and_the_status_counts():
    with sending_to(receivers.drips_body, timeout_s=3.0) as (bench, _):  # On a busy machine the status takes a while.
        bench.send("msg_1")
        attempt = bench.next()
    assert (attempt.state, attempt.status, attempt.detail) == ("pending", 503, "HTTP 503.")


def test_an_endless_body_is_left_after_its_first_bytes():
    with sending_to(receivers.never_ends_its_body, timeout_s=1000.0) as (bench, _):
        bench.send("msg_1")
        attempt = bench.next()
    assert (attempt.state, attempt.status) == ("delivered", 202)


def test_a_body_within_the_limit_is_read_to_its_end():
    with sending_to(answers(200, b"a" * (BODY_MAX - 1))) as (bench, _):
        bench.send("msg_1")
        assert bench.next().state == "delivered"


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (receivers.floods_headers, "protocol"),
        (receivers.speaks_another_protocol, "protocol"),
        (receivers.closes_within_headers, "protocol"),
        (receivers.resets, "reset"),
        (receivers.resets_within_headers, "reset"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_broken_answer_is_tried_again(behaviour: Behaviour, problem: str):
    with sending_to(behaviour) as (bench, _):
        bench.send("msg_1")
        attempt = bench.next()
    assert (attempt.state, attempt.status) == ("pending", None)
    assert attempt.detail == PROBLEMS[problem]


def test_a_body_that_breaks_off_does_not_take_the_status_back():
    with sending_to(receivers.resets_within_body) as (bench, _):
        bench.send("msg_1")
        assert bench.next().state == "delivered"


def test_a_lost_answer_is_followed_by_the_same_id_so_that_the_receiver_can_drop_it():
    with sending_to(receivers.resets, answers(202)) as (bench, receiver):
        bench.send("msg_1")
        assert bench.next().state == "pending"
        bench.at(START_MS + 5000)
        assert bench.next().state == "delivered"
        assert [request.headers["webhook-id"] for request in receiver.requests] == ["msg_1", "msg_1"]


def test_a_refused_connection_is_tried_again():
    attempt = first_attempt(f"http://127.0.0.1:{closed_port()}/")
    assert (attempt.state, attempt.detail) == ("pending", PROBLEMS["refused"])


def test_a_host_whose_every_address_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    port = closed_port()
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    assert first_attempt(f"http://receiver.invalid:{port}/").detail == PROBLEMS["refused"]


def test_an_unknown_host_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    attempt = first_attempt("http://receiver.invalid/")
    assert (attempt.state, attempt.detail) == ("pending", PROBLEMS["dns"])


def test_an_error_that_nobody_foresaw_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    with sending(Webhook("pipeline", "http://receiver.invalid/", KEYS)) as bench:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", lambda *_, **__: 1 / 0)
            bench.send("msg_1")
            assert bench.next().detail == PROBLEMS["internal"]
        bench.at(START_MS + 5000)
        assert bench.next().attempts == 2


def test_the_deadline_holds_while_a_name_is_resolved_and_the_next_message_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait() and [])
    with sending(Webhook("pipeline", "http://receiver.invalid/", KEYS, timeout_s=0.2)) as bench:
        try:
            for number in range(2):
                bench.send(f"msg_{number}")
                assert bench.next().detail == PROBLEMS["timeout"]
        finally:
            answered.set()


def test_the_deadline_holds_in_a_tls_handshake_and_nothing_is_said_in_the_clear():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        attempt = first_attempt(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.3)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1) == b"\x16", "not a TLS handshake record"
    assert attempt.detail == PROBLEMS["timeout"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_must_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    context, certificate = receivers.certified(tmp_path)
    with Receiver(answers(202), tls=context) as receiver:
        url = f"https://localhost:{receiver.port}/"
        assert first_attempt(url).detail == PROBLEMS["tls"]
        assert receiver.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert first_attempt(url).state == "delivered"
        assert first_attempt(url.replace("localhost", "127.0.0.1")).detail == PROBLEMS["tls"]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    with Receiver(answers(200)) as proxy, sending_to(answers(202)) as (bench, _):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        bench.send("msg_1")
        assert bench.next().status == 202
        assert proxy.requests == []


def test_neither_query_nor_secrets_are_shown(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with sending_to(answers(500), answers(202)) as (bench, receiver):
        bench.send("msg_1")
        shown = [repr(bench.next())]
        bench.at(START_MS + 5000)
        shown += [repr(bench.next()), repr(Webhook("pipeline", receiver.url, KEYS))]
        assert receiver.requests[0].target == "/hook?token=in-the-query"
    text = "\n".join(shown) + caplog.text
    assert "in-the-query" not in text
    assert not any(
        secret.removeprefix("whsec_") in text or repr(key) in text for secret, key in zip(SECRETS, KEYS, strict=True)
    )


def test_a_hung_receiver_does_not_delay_another():
    with Receiver(receivers.hangs) as hung, Receiver(answers(202)) as good:
        delivery = Delivery([Webhook("hung", hung.url, KEYS), Webhook("good", good.url, KEYS)], clock=FakeClock())
        delivery.start()
        delivery.offer([message("msg_1", "hung")])
        hung.wait_for_requests(1)
        for number in range(3):
            delivery.offer([message(f"msg_good_{number}", "good")])
            [attempt] = delivery.outcomes(WAIT_S)
            assert (attempt.receiver, attempt.state) == ("good", "delivered")
        hung.hang_up()
        delivery.close(WAIT_S)
        assert [attempt.receiver for attempt in delivery.outcomes()] == ["hung"]


def test_a_message_offered_twice_is_sent_once_and_a_settled_one_repeats_its_outcome():
    with sending_to(answers(202)) as (bench, receiver):
        bench.send("msg_1", "msg_1")
        delivered = bench.next()
        bench.send("msg_1")
        assert bench.next() == delivered
        bench.send("msg_2")
        assert bench.next().message == "msg_2"
        assert [request.headers["webhook-id"] for request in receiver.requests] == ["msg_1", "msg_2"]


def test_a_message_that_waits_for_its_next_attempt_is_not_hurried_by_another_offer():
    with sending_to(answers(500), answers(202)) as (bench, receiver):
        bench.send("msg_1")
        bench.next()
        bench.send("msg_1", "msg_2")
        assert bench.next().message == "msg_2"
        assert len(receiver.requests) == 2


def test_a_message_of_before_a_restart_goes_on_where_it_was():
    with sending_to(answers(500)) as (bench, receiver):
        old = Message("msg_1", "pipeline", "trg_1", BODY, START_MS, attempts=9, due_ms=START_MS + 7)
        bench.delivery.offer([old])
        bench.at(START_MS + 6)
        assert receiver.requests == []
        bench.at(START_MS + 7)
        assert (attempt := bench.next()).state == "failed"
    assert attempt.attempts == 10


def test_a_message_to_a_receiver_that_is_no_longer_configured_fails_and_says_so():
    with sending_to(answers(202)) as (bench, _):
        bench.send("msg_1", receiver="removed")
        attempt = bench.next()
    assert (attempt.state, attempt.attempts, attempt.receiver) == ("failed", 0, "removed")
    assert "configured" in attempt.detail


def test_nothing_is_sent_before_start():
    with Receiver(answers(202)) as receiver:
        delivery = Delivery([Webhook("pipeline", receiver.url, KEYS)], clock=FakeClock())
        delivery.offer([message()])
        assert delivery.outcomes(0.05) == []
        assert receiver.requests == []
        delivery.start()
        [attempt] = delivery.outcomes(WAIT_S)
        delivery.close(WAIT_S)
    assert attempt.state == "delivered"


def test_a_delivery_that_never_started_closes():
    Delivery([Webhook("pipeline", "http://receiver.example/", KEYS)]).close(WAIT_S)


def test_close_waits_for_the_attempt_under_way_and_begins_no_other():
    answer = threading.Event()

    def answers_when_told(exchange: receivers.Exchange) -> None:
        answer.wait(WAIT_S)
        answers(202)(exchange)

    with sending_to(answers_when_told) as (bench, receiver):
        bench.send("msg_1", "msg_2")
        receiver.wait_for_requests(1)
        closing = threading.Thread(target=bench.delivery.close, args=(WAIT_S,))
        closing.start()
        answer.set()
        closing.join(WAIT_S)
        assert [attempt.state for attempt in bench.delivery.outcomes()] == ["delivered"]
        assert len(receiver.requests) == 1


def test_close_does_not_wait_beyond_its_deadline():
    with Receiver(receivers.hangs) as receiver:
        delivery = Delivery([Webhook("pipeline", receiver.url, KEYS)], clock=FakeClock())
        delivery.start()
        delivery.offer([message()])
        receiver.wait_for_requests(1)
        delivery.close(0.01)
        assert delivery.outcomes() == []


@dataclass(frozen=True)
class Scripted:
    """A receiver whose conversation the test writes."""

    talk: Callable[[Sequence[Message]], Conversation]
    name: str = "pipeline"
    most: int = 1
    pace_ms: int = 0
    timeout_s: float = 15.0

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        return self.talk(messages)


def together(messages: Sequence[Message]) -> Conversation:
    return (yield Request("http://chat.example/", b" ".join(each.id.encode() for each in messages)))


def test_messages_that_are_due_go_together_as_many_as_the_receiver_takes_at_its_pace():
    posts: list[tuple[int, bytes]] = []

    async def post(request: Request, _: float) -> Reply:
        posts.append((bench.clock.now_ms, request.body))
        return Response(200)

    with sending(Scripted(together, most=2, pace_ms=1000), post=post) as bench:
        bench.send("a")
        assert bench.next().state == "delivered"
        bench.send("b", "c", "d")
        bench.at(START_MS + 999)
        assert bench.delivery.outcomes(0.05) == []
        bench.at(START_MS + 1000)
        assert {each.message for each in bench.take(2)} == {"b", "c"}
        bench.at(START_MS + 2000)
        assert bench.next().message == "d"
    assert posts == [(START_MS, b"a"), (START_MS + 1000, b"b c"), (START_MS + 2000, b"d")]


def at_once(messages: Sequence[Message]) -> Conversation:
    return (yield Request("http://chat.example/", messages[0].body))


@pytest.mark.parametrize(("pace_ms", "first"), [(0, Response(200)), (1000, Response(200)), (0, Response(429, "1"))])
def test_a_clock_that_is_set_back_silences_nobody(pace_ms: int, first: Response):
    replies = iter([first])

    async def post(request: Request, _: float) -> Reply:
        return next(replies, Response(200))

    def created(message_id: str) -> Message:
        wall_ms = bench.clock().wall_ms
        return Message(message_id, "pipeline", message_id, BODY, wall_ms, due_ms=wall_ms)

    with sending(Scripted(at_once, most=2, pace_ms=pace_ms), post=post) as bench:
        bench.delivery.offer([created("before")])
        assert bench.next().message == "before"
        older = created("meanwhile")
        bench.clock.set_on_ms = -3_600_000
        bench.delivery.offer([older, created("after")])
        bench.at(START_MS + 1000)
        assert {each.message for each in bench.take(2)} == {"meanwhile", "after"}


def test_a_clock_that_is_set_changes_no_wait_that_has_begun():
    async def post(request: Request, _: float) -> Reply:
        return Response(200)

    gathers = Message("msg_1", "pipeline", "inc_1", BODY, START_MS, due_ms=START_MS + 30_000)
    with sending(Scripted(at_once), post=post) as bench:
        bench.delivery.offer([gathers])
        bench.clock.set_on_ms = 3_600_000
        bench.at(START_MS + 29_999)
        assert bench.delivery.outcomes(0.05) == []
        bench.clock.set_on_ms = -3_600_000
        bench.at(START_MS + 30_000)
        assert bench.next().state == "delivered"


def test_a_conversation_may_take_several_requests_and_says_what_they_came_to():
    asked: list[str] = []

    async def post(request: Request, _: float) -> Reply:
        asked.append(request.url)
        return Response(200, body=b"token" if request.url.endswith("/token") else b'{"run": 7}')

    def talk(messages: Sequence[Message]) -> Conversation:
        token = yield Request("http://engine.example/token", b"")
        assert isinstance(token, Response)
        reply = yield Request("http://engine.example/run", token.body)
        assert isinstance(reply, Response)
        return Answer("delivered", "It runs.", reply.status, run="7")

    with sending(Scripted(talk), post=post) as bench:
        bench.send("msg_1")
        attempt = bench.next()
    assert asked == ["http://engine.example/token", "http://engine.example/run"]
    assert (attempt.state, attempt.status, attempt.detail, attempt.run) == ("delivered", 200, "It runs.", "7")


def test_one_deadline_covers_a_whole_conversation():
    left: list[float] = []

    async def post(request: Request, timeout_s: float) -> Reply:
        left.append(timeout_s)
        return Response(200)

    def talk(messages: Sequence[Message]) -> Conversation:
        yield Request("http://engine.example/token", b"")
        return (yield Request("http://engine.example/run", b""))

    with sending(Scripted(talk, timeout_s=9.0), post=post) as bench:
        bench.send("msg_1")
        bench.next()
    first, second = left
    assert 0 < second < first <= 9.0


def test_a_conversation_with_a_bug_is_a_failed_attempt_and_the_thread_lives():
    def talk(messages: Sequence[Message]) -> Conversation:
        if messages[0].id == "bad":
            raise KeyError("bug")
        yield Request("http://receiver.example/", b"")
        return Response(200)

    async def post(request: Request, _: float) -> Reply:
        return Response(200)

    with sending(Scripted(talk), post=post) as bench:
        bench.send("bad", "good")
        assert [(each.message, each.state, each.detail) for each in bench.take(2)] == [
            ("bad", "pending", PROBLEMS["internal"]),
            ("good", "delivered", "HTTP 200."),
        ]


def about(subject: str, message_id: str) -> Message:
    return Message(message_id, "pipeline", subject, BODY, created_ms=START_MS)


def test_a_newer_message_about_the_same_takes_the_place_of_one_that_waits():
    with sending_to(answers(500), answers(200), answers(200)) as (bench, receiver):
        bench.delivery.offer([about("inc_1", "opened"), about("inc_2", "other")])
        assert {(each.message, each.state) for each in bench.take(2)} == {
            ("opened", "pending"),
            ("other", "delivered"),
        }
        bench.delivery.offer([about("inc_1", "resolved")])
        ended = {each.message: (each.state, each.attempts) for each in bench.take(2)}
        assert ended == {"opened": ("superseded", 1), "resolved": ("delivered", 1)}
        bench.at(START_MS + DAY_MS)
        assert bench.delivery.outcomes(0.05) == []
        assert [each.headers["webhook-id"] for each in receiver.requests] == ["opened", "other", "resolved"]


def test_a_message_that_fails_after_a_newer_one_came_is_not_tried_again():
    newer = threading.Event()

    def fails_when_told(exchange: receivers.Exchange) -> None:
        newer.wait(WAIT_S)
        answers(500)(exchange)

    with sending_to(fails_when_told, answers(200)) as (bench, receiver):
        bench.delivery.offer([about("inc_1", "opened")])
        receiver.wait_for_requests(1)
        bench.delivery.offer([about("inc_1", "resolved")])
        newer.set()
        assert [(each.message, each.state) for each in bench.take(2)] == [
            ("opened", "superseded"),
            ("resolved", "delivered"),
        ]


outcomes = st.one_of(
    st.builds(Response, st.sampled_from([200, 204, 302, 400, 404, 408, 410, 429, 500, 503])),
    st.just(NoResponse("timeout")),
)


@settings(max_examples=60, deadline=None)
@given(scripts=st.lists(st.lists(outcomes, min_size=10, max_size=10), min_size=1, max_size=4))
def test_no_message_is_sent_once_it_is_settled_nor_before_it_is_due(scripts: list[list[Outcome]]):
    posts: list[tuple[str, int]] = []
    remaining = {f"msg_{number}": iter(script) for number, script in enumerate(scripts)}

    async def post(request: Request, _: float) -> Reply:
        message_id = request.headers["webhook-id"]
        posts.append((message_id, bench.clock.now_ms))
        return next(remaining[message_id])

    with sending(Webhook("pipeline", "http://receiver.example/", KEYS), post=post) as bench:
        bench.send(*remaining)
        attempts: list[Attempt] = []
        latest: dict[str, Attempt] = {}
        while pending := [one for one in remaining if one not in latest or latest[one].state == "pending"]:
            if all(one in latest for one in pending):
                bench.at(max(bench.clock.now_ms, min(latest[one].due_ms for one in pending)))
            attempts += bench.take(1)
            latest = {one.message: one for one in attempts}
        sent_before_the_end = len(posts)
        bench.at(bench.clock.now_ms + 10 * DAY_MS)
        bench.send(*remaining)
    assert len(posts) == sent_before_the_end

    by_message = {one: [attempt for attempt in attempts if attempt.message == one] for one in remaining}
    sent = Counter(one for one, _ in posts)
    for one, tried in by_message.items():
        assert [attempt.state for attempt in tried[:-1]] == ["pending"] * (len(tried) - 1)
        assert tried[-1].state != "pending"
        assert tried[-1].attempts == sent[one] <= len(SCHEDULE_S)
        times = [now_ms for posted, now_ms in posts if posted == one]
        for (earlier, later), wait_s in zip(itertools.pairwise(times), SCHEDULE_S[1:], strict=False):
            assert later - earlier >= wait_s * 1000
    gone = [number for number, attempt in enumerate(attempts) if attempt.status == 410]
    if gone:
        assert all(attempt.state == "disabled" for attempt in attempts[gone[0] :])


def test_waiting_threads_do_not_spin():
    looks = itertools.count()

    def clock() -> Now:
        next(looks)
        return Now.at(START_MS)

    delivery = Delivery([Webhook("pipeline", "http://receiver.example/", KEYS)], clock=clock)
    delivery.start()
    delivery.offer([Message("msg_1", "pipeline", "trg_1", BODY, START_MS, due_ms=START_MS + 3_600_000)])
    assert delivery.outcomes(0.2) == []
    delivery.close(WAIT_S)
    assert next(looks) < 10
