"""Standard Webhooks 1.0 signatures: who sent a message, that nobody changed it, and when it was sent.

Signed is `id.timestamp.body` with HMAC-SHA256; the headers are `webhook-id`, `webhook-timestamp` (integer seconds of
the attempt) and `webhook-signature` (`v1,<base64>`, several separated by spaces). While a secret is being replaced
the sender signs with both, so that a receiver that holds either accepts.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as entropy
from collections.abc import Mapping, Sequence

from monitor.errors import ConfigError

PREFIX = "whsec_"
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64

TOLERANCE_S = 300
"""The specification leaves the number to libraries; theirs is five minutes, either way."""


def generate_secret() -> str:
    """A new secret of 32 random bytes, as it is written to a secret file."""
    return PREFIX + base64.b64encode(entropy.token_bytes(32)).decode("ascii")


def parse_secret(text: str, where: str = "webhook secret") -> bytes:
    """The key in `whsec_<base64>`. Raises ConfigError, which names `where` it was and never any part of it."""
    text = text.strip()
    if not text.startswith(PREFIX):
        raise ConfigError(f"{where}: a signing secret starts with {PREFIX}, followed by base64")
    encoded = text.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{where}: what follows {PREFIX} is not base64") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ConfigError(
            f"{where}: a signing secret holds {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one {len(key)}"
        )
    return key


def sign(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature `v1,<base64>` of one message under one key."""
    signed = b".".join((message_id.encode("utf-8"), b"%d" % timestamp_s, body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii")


def headers(secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt, signed with every secret in the order given."""
    assert secrets, "an unsigned message"
    assert "." not in message_id, "an id with a dot makes the signed text ambiguous"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp_s, body) for secret in secrets),
    }


def verify(
    secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float, tolerance_s: float = TOLERANCE_S
) -> bool:
    """Whether any signature is that of any secret and the timestamp is within the tolerance of now, either way.

    Header names in any case. False, never an exception, whatever the sender wrote. A receiver then drops every
    `webhook-id` that it has seen before: the signature alone does not stop a repeat within the tolerance.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    signatures = [word.encode("utf-8", "replace") for word in given.get("webhook-signature", "").split()]
    if not (message_id and message_id.isascii() and timestamp.isascii() and timestamp.isdigit()):
        return False
    # Twelve digits of seconds last 31,000 years; longer ones are not worth the conversion.
    if len(timestamp) > 12 or abs(now_s - int(timestamp)) > tolerance_s:
        return False
    expected = [sign(secret, message_id, int(timestamp), body).encode("ascii") for secret in secrets]
    return any(hmac.compare_digest(one, other) for one in expected for other in signatures)
