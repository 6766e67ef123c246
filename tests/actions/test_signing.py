from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from monitor.actions import signing
from monitor.errors import ConfigError

NOW_S = 1_614_265_330
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = signing.parse_secret(SECRET)
OTHER = signing.parse_secret("whsec_" + base64.b64encode(bytes(range(32))).decode())

secrets = st.binary(min_size=24, max_size=64)


def signed(*keys: bytes, timestamp_s: int = NOW_S) -> dict[str, str]:
    return signing.headers(keys or (KEY,), ID, timestamp_s, BODY)


def test_the_published_vector_is_reproduced():
    # The example that the libraries of Standard Webhooks and Svix share in their own tests.
    assert signing.sign(KEY, ID, NOW_S, BODY) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(key=secrets, body=st.text(), message_id=st.from_regex(r"msg_[a-z0-9]{1,40}", fullmatch=True))
def test_the_reference_library_accepts_what_is_signed(key: bytes, body: str, message_id: str):
    secret = "whsec_" + base64.b64encode(key).decode()
    raw = body.encode()
    headers = signing.headers([signing.parse_secret(secret)], message_id, int(time.time()), raw)
    Webhook(secret).verify(raw, headers, json_parse=False)


def test_the_reference_library_accepts_either_key_while_one_is_replaced():
    new, old = signing.generate_secret(), signing.generate_secret()
    keys = [signing.parse_secret(new), signing.parse_secret(old)]
    headers = signing.headers(keys, ID, int(time.time()), BODY)
    assert [len(part) for part in headers["webhook-signature"].split(" ")] == [47, 47]
    for secret in (new, old):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.generate_secret()).verify(BODY, headers)


def test_signatures_stand_in_the_order_of_the_secrets():
    assert signed(KEY, OTHER)["webhook-signature"] == " ".join(
        signing.sign(key, ID, NOW_S, BODY) for key in (KEY, OTHER)
    )


def test_header_names_and_the_timestamp_are_those_of_the_specification():
    assert signed()["webhook-id"] == ID
    assert signed()["webhook-timestamp"] == "1614265330"
    assert set(signed()) == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_an_id_with_a_dot_is_never_signed():
    with pytest.raises(AssertionError):
        signing.headers([KEY], "msg.1", NOW_S, BODY)


def test_a_signed_message_verifies():
    assert signing.verify([KEY], signed(), BODY, NOW_S)


def test_what_the_reference_library_signs_verifies():
    signature = Webhook(SECRET).sign(ID, datetime.fromtimestamp(NOW_S, UTC), BODY.decode())
    headers = {"Webhook-Id": ID, "Webhook-Timestamp": str(NOW_S), "Webhook-Signature": signature}
    assert signing.verify([KEY], headers, BODY, NOW_S)


@given(position=st.integers(0, len(BODY) * 8 - 1))
def test_one_flipped_bit_of_the_body_is_noticed(position: int):
    flipped = bytearray(BODY)
    flipped[position // 8] ^= 1 << position % 8
    assert not signing.verify([KEY], signed(), bytes(flipped), NOW_S)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_changed_or_missing_is_noticed(name: str):
    headers = signed()
    last = headers[name][-2]
    changed = headers | {name: headers[name][:-2] + ("1" if last != "1" else "2") + headers[name][-1]}
    assert not signing.verify([KEY], changed, BODY, NOW_S)
    assert not signing.verify([KEY], {key: value for key, value in headers.items() if key != name}, BODY, NOW_S)


@pytest.mark.parametrize(
    ("age_s", "accepted"), [(0, True), (300, True), (301, False), (-300, True), (-301, False), (10**9, False)]
)
def test_a_timestamp_is_accepted_within_five_minutes_either_way(age_s: int, accepted: bool):
    assert signing.verify([KEY], signed(), BODY, NOW_S + age_s) is accepted


def test_the_tolerance_can_be_chosen():
    assert signing.verify([KEY], signed(), BODY, NOW_S + 301, tolerance_s=302)
    assert not signing.verify([KEY], signed(), BODY, NOW_S + 2, tolerance_s=1)


def test_a_receiver_with_a_new_and_an_old_key_accepts_both_and_no_third():
    for key in (KEY, OTHER):
        assert signing.verify([OTHER, KEY], signed(key), BODY, NOW_S)
        assert signing.verify([key], signed(OTHER, KEY), BODY, NOW_S)
    assert not signing.verify([OTHER], signed(KEY), BODY, NOW_S)
    assert not signing.verify([], signed(KEY), BODY, NOW_S)


def test_signatures_of_other_schemes_are_passed_over():
    headers = signed()
    mixed = headers | {"webhook-signature": f"v1a,abcd  v9 {headers['webhook-signature']}"}
    assert signing.verify([KEY], mixed, BODY, NOW_S)
    other_scheme = headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}
    assert not signing.verify([KEY], other_scheme, BODY, NOW_S)


@given(
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text() | st.sampled_from(["9" * 5000, "²", "-1", "1e9", str(NOW_S), ID]),
    )
)
def test_no_header_makes_verification_raise(headers: dict[str, str]):
    assert signing.verify([KEY], headers, BODY, NOW_S) is False


def test_an_id_that_cannot_be_encoded_does_not_make_verification_raise():
    assert not signing.verify([KEY], signed() | {"webhook-id": "\ud800"}, BODY, NOW_S)


def test_a_generated_secret_is_new_and_holds_32_bytes():
    one, other = signing.generate_secret(), signing.generate_secret()
    assert one != other
    assert len(signing.parse_secret(one)) == 32


@given(key=secrets)
def test_a_secret_is_decoded_with_or_without_padding_and_newline(key: bytes):
    encoded = base64.b64encode(key).decode()
    assert signing.parse_secret(f"whsec_{encoded}\n") == key
    assert signing.parse_secret(f"whsec_{encoded.rstrip('=')}") == key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "starts with whsec_"),
        ("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "starts with whsec_"),
        ("whsk_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "starts with whsec_"),
        ("whsec_not*base64*at*all*not*base64*at*all", "not base64"),
        ("whsec_sécrét", "not base64"),
        ("whsec_" + "A" * 33, "not base64"),
        ("whsec_" + base64.b64encode(b"s" * 23).decode(), "24 to 64 bytes, this one 23"),
        ("whsec_" + base64.b64encode(b"s" * 65).decode(), "24 to 64 bytes, this one 65"),
    ],
)
def test_a_bad_secret_is_refused_without_being_shown(text: str, said: str):
    with pytest.raises(ConfigError, match=said) as caught:
        signing.parse_secret(text, "/run/secrets/new")
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "/run/secrets/new" in shown
    secret = text.removeprefix("whsec_").removeprefix("whsk_")
    assert not secret or secret not in shown
