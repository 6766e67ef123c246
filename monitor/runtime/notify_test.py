"""`monitor notify test`: whether those who are to be told can be told, before it matters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from monitor.actions.notification import trial_message
from monitor.config import load
from monitor.config.network import own_url
from monitor.config.problems import near
from monitor.errors import ConfigError, UnavailableError
from monitor.runtime.clock import wall_clock_ms
from monitor.runtime.delivery import Delivery
from monitor.runtime.notices import audience, check_installed, receiver

GRACE_S = 5.0
"""Beyond the longest deadline of a receiver."""


def notify_test(path: Path, only: str | None) -> Iterator[str]:
    """A sentence on each receiver, once its first attempt has ended; UnavailableError at the end where one failed."""
    config = load(path)
    told = config.notified()
    names = [each.name for each in told]
    if not told:
        raise ConfigError(f"{path} has no `notify`: add whom to tell, as in notify: {{slack: {{url_file: ...}}}}")
    if only is not None and only not in names:
        guess = near(only, names)
        advice = f"did you mean {guess!r}?" if guess else f"they are {', '.join(names)}"
        raise ConfigError(f"--receiver {only!r} is none of `notify`: {advice}")
    told = [each for each in told if only in (None, each.name)]
    for each in told:
        check_installed(each)
    server, token = config.server, config.token()
    here = own_url(server.host, server.port)
    base_url = server.public_url or here
    receivers = [receiver(each, server.public_url, here, token) for each in told]
    now_ms = wall_clock_ms()
    waiting = {each.name for each in told}
    failed = []
    delivery = Delivery(receivers)
    delivery.start()
    delivery.offer([trial_message(audience(each), base_url, now_ms) for each in told])
    deadline = time.monotonic() + max(each.timeout_s for each in receivers) + GRACE_S
    while waiting and (left := deadline - time.monotonic()) > 0:
        for attempt in delivery.outcomes(left):
            if attempt.receiver in waiting:
                waiting.discard(attempt.receiver)
                failed += [] if attempt.state == "delivered" else [attempt.receiver]
                yield f"{attempt.receiver}: {'has it' if attempt.state == 'delivered' else 'failed'}. {attempt.detail}"
    delivery.close(0.0)
    failed += sorted(waiting)
    if failed:
        raise UnavailableError(f"not told: {', '.join(failed)}")
