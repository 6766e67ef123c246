from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from monitor.actions import signing
from monitor.actions.outbox import Message
from monitor.actions.webhook import Webhook
from monitor.demo.receiver import BODY_MAX, RetrainReceiver
from monitor.runtime.delivery import Delivery

KEY = signing.parse_secret(signing.generate_secret())
OTHER = signing.parse_secret(signing.generate_secret())
NOW_S = 1_764_000_000
BODY = b'{"data":{"model":"fraud"}}'


@pytest.fixture
def receiver() -> Iterator[RetrainReceiver]:
    with RetrainReceiver([KEY], now_s=lambda: NOW_S) as running:
        yield running


def post(
    receiver: RetrainReceiver, body: bytes = BODY, message_id: str = "msg_1", key: bytes = KEY, age_s: int = 0
) -> int:
    headers = signing.headers([key], message_id, NOW_S - age_s, body)
    return httpx.post(receiver.url, content=body, headers=headers, trust_env=False).status_code


def test_a_signed_request_is_accepted_and_remembered(receiver: RetrainReceiver):
    assert post(receiver) == 202
    assert receiver.received() == ({"data": {"model": "fraud"}},)
    assert (receiver.repeats, receiver.refused) == (0, 0)


def test_a_repeat_is_accepted_and_dropped(receiver: RetrainReceiver):
    assert [post(receiver), post(receiver), post(receiver, b'{"second":1}', "msg_2")] == [202, 202, 202]
    assert receiver.received() == ({"data": {"model": "fraud"}}, {"second": 1})
    assert receiver.repeats == 1


def test_a_wrong_or_stale_signature_is_refused(receiver: RetrainReceiver):
    assert post(receiver, key=OTHER) == 401
    assert post(receiver, age_s=301) == 401
    assert httpx.post(receiver.url, content=BODY, trust_env=False).status_code == 401
    assert (receiver.received(), receiver.refused) == ((), 3)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff"])
def test_a_signed_body_that_is_no_object_is_refused(receiver: RetrainReceiver, body: bytes):
    assert post(receiver, body) == 400
    assert receiver.received() == ()


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"", 411),
        (b"content-length: -1\r\n", 411),
        (b"content-length: %d\r\n" % (BODY_MAX + 1), 413),
        (b"content-length: " + b"9" * 5000 + b"\r\n", 413),
    ],
)
def test_a_body_without_length_or_beyond_the_limit_is_refused_unread(
    receiver: RetrainReceiver, length: bytes, status: int
):
    with socket.create_connection(("127.0.0.1", int(receiver.url.split(":")[2].split("/")[0])), 10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + length + b"\r\n")
        assert connection.makefile("rb").readline().split()[1] == b"%d" % status


def test_two_receivers_take_ports_of_their_own(receiver: RetrainReceiver):
    with RetrainReceiver([KEY]) as second:
        assert second.url != receiver.url


def test_nothing_listens_after_the_context_is_left():
    with RetrainReceiver([KEY], now_s=lambda: NOW_S) as receiver:
        assert post(receiver) == 202
    with pytest.raises(httpx.ConnectError):
        post(receiver)


def test_what_the_service_sends_is_accepted():
    with RetrainReceiver([OTHER, KEY], now_s=time.time) as receiver:
        delivery = Delivery([Webhook("pipeline", receiver.url, (KEY,))])
        delivery.start()
        delivery.offer([Message("msg_1", "pipeline", "trg_1", BODY, created_ms=0)])
        [attempt] = delivery.outcomes(20)
        delivery.close(20)
        assert attempt.state == "delivered"
        assert receiver.received() == ({"data": {"model": "fraud"}},)
