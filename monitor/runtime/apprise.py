"""The program that sends by the Apprise library: `python -m monitor.runtime.apprise`, once a message.

A process of its own: the library sends with its own clients, of which none can be held to a deadline from outside, and
its plugins stay out of the service's memory. Standard input: a JSON object of urls, title, body, type and picture (or
null). Ends with 0 where at least one address has taken the message, 1 where none has, 2 where there is nothing to send
with; one sentence about it on standard output.
"""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson

from monitor.errors import ConfigError

PICTURE_S = 5.0
PICTURE_MAX = 1 << 20


def need_apprise(name: str) -> None:
    """ConfigError where the library is missing. name: of the receiver that is configured."""
    if find_spec("apprise") is None:
        raise ConfigError(
            f"notify.{name} needs the Apprise library, which is not installed: install model-monitor[apprise]"
        )


def check_addresses(name: str, urls: str) -> None:
    """ConfigError where there is an address that the library cannot use; none is ever quoted."""
    need_apprise(name)
    useless = [number for number, url in enumerate(listed(urls), 1) if not _load(url)]
    if useless or not listed(urls):
        what = f"address {useless[0]} of its apprise_file" if useless else "its apprise_file, which names no address"
        raise ConfigError(
            f"notify.{name}: Apprise cannot use {what}: write one of its URLs a line, as in "
            "mailto://user:password@example.org"
        )


def listed(text: str) -> list[str]:
    """The addresses of a file: one a line, without comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _load(url: str) -> Any:
    """The library's object for an address, None where it cannot use it. The library logs addresses with their secrets,
    and takes seconds to load: only this program, and `monitor check`, do.
    """
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    found = Apprise()
    return found if found.add(url) else None


def send(told: dict[str, Any]) -> tuple[int, str]:
    """The exit code and the sentence."""
    urls = listed(told["urls"])
    with TemporaryDirectory(prefix="model-monitor-") as directory:
        picture = _fetched(told["picture"], told["token"], Path(directory)) if told["picture"] else None
        taken = 0
        for url in urls:
            address = _load(url)
            attach = picture if address and all(each.attachment_support for each in address) else None
            message = {"title": told["title"], "body": told["body"], "notify_type": told["type"]}
            taken += bool(address and address.notify(**message, body_format="text", attach=attach))
    if taken == 0:
        return 1, f"None of the {len(urls)} addresses of apprise_file has taken it."
    return 0, f"{taken} of the {len(urls)} addresses of apprise_file have taken it."


def _fetched(url: str, token: str | None, directory: Path) -> str | None:
    """The picture as a file; None where there is none: the message goes without."""
    try:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        answer = httpx.get(url, headers=headers, timeout=PICTURE_S, trust_env=False)
    except httpx.HTTPError:
        return None
    if answer.status_code != 200 or len(answer.content) > PICTURE_MAX:
        return None
    path = directory / "incident.png"
    path.write_bytes(answer.content)
    return str(path)


def main() -> int:
    if find_spec("apprise") is None:
        sys.stdout.write("The Apprise library is not installed: install model-monitor[apprise].")
        return 2
    code, said = send(orjson.loads(sys.stdin.buffer.read()))
    sys.stdout.write(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
