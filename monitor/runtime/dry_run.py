"""What `monitor triggers dry-run` prints: the exact requests that a trigger would bring, of which none is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from monitor import __version__
from monitor.actions.example import example
from monitor.actions.outbox import Message
from monitor.actions.pipeline import Pipeline
from monitor.actions.receiver import Request
from monitor.actions.retrain import Receipt
from monitor.actions.webhook import Webhook
from monitor.config import Config, Receiver, load
from monitor.config.network import own_url
from monitor.config.problems import listed, near
from monitor.errors import ConfigError
from monitor.runtime.clock import wall_clock_ms
from monitor.runtime.receivers import receiver

MASK = "***"
EVIDENCE = 3
"""Features that the example names as drifting."""


def dry_run(config: Path, model: str | None, to: str | None) -> Iterator[str]:
    """The requests for an example trigger of each model, or one, to whom it asks or to the receiver named `to`.

    Secret files are not read: *** stands for what is in them.
    """
    loaded = load(config)
    by_name = {name: Receiver(name, settings, (MASK,)) for name, settings in loaded.file.webhooks.items()}
    _must_be(to, by_name, "receiver", "webhooks")
    _must_be(model, loaded.models, "model", "models")
    asked = {name: to or (each.retrain.webhook if each.retrain else None) for name, each in loaded.models.items()}
    pairs = [(name, by_name[who]) for name, who in asked.items() if who is not None and model in (None, name)]
    if not pairs:
        whose = f"model {model!r}" if model else "no model"
        raise ConfigError(
            f"{whose} asks nobody for a retrained one: add `retrain: {{webhook: NAME}}`, or name --receiver"
        )
    yield "Nothing is sent: these are the requests for an example trigger."
    for name, configured in pairs:
        message = _example(loaded, name, configured.name)
        for when, request in _requests(configured, message):
            yield ""
            yield f"# model {name}, webhook {configured.name}: {when}"
            yield from _shown(request, configured.settings.url)


def _must_be(name: str | None, known: Iterable[str], what: str, where: str) -> None:
    names = list(known)
    if name is not None and name not in names:
        guess = near(name, names)
        advice = f"did you mean {guess!r}?" if guess else f"there are {listed(names) or 'none'}"
        raise ConfigError(f"{name!r} is no {what} of `{where}`: {advice}")


def _example(config: Config, model: str, to: str) -> Message:
    settings, server = config.models[model], config.server
    base_url = server.public_url or own_url(server.host, server.port)
    return example(
        model,
        list(settings.watched)[:EVIDENCE],
        settings.performance.metric,
        to,
        Receipt(__version__, config.digest, base_url=base_url),
        wall_clock_ms(),
    )


def _requests(configured: Receiver, message: Message) -> list[tuple[str, Request]]:
    made = receiver(configured, (MASK.encode(),))
    if isinstance(made, Pipeline):
        return made.requests(message, message.created_ms)
    assert isinstance(made, Webhook), "receivers of retrain requests are of two kinds"
    request = next(made.deliver([message], message.created_ms))
    assert isinstance(request, Request), "a webhook is sent to"
    return [("for the run", request)]


def _shown(request: Request, address: str) -> Iterator[str]:
    """The request as text. What the address in the file has as its query may be a token."""
    query = urlsplit(address).query
    url = request.url.replace(f"?{query}", f"?{MASK}", 1) if query else request.url
    yield f"{request.method} {url}"
    for name, value in request.headers.items():
        yield f"{name}: {_masked(name, value)}"
    if request.body:
        yield ""
        yield from _body(request)


def _masked(name: str, value: str) -> str:
    if name == "authorization":
        return f"{value.partition(' ')[0]} {MASK}"
    return f"v1,{MASK}" if name == "webhook-signature" else value


def _body(request: Request) -> Iterator[str]:
    if request.headers["content-type"].partition(";")[0] == "application/x-www-form-urlencoded":
        yield from (f"{name}={value}" for name, value in parse_qsl(request.body.decode(), keep_blank_values=True))
    else:
        yield json.dumps(json.loads(request.body), indent=2, ensure_ascii=False)
