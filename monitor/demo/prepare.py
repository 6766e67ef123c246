"""`python -m monitor.demo.prepare BOOTSTRAP DIRECTORY`: what a service that watches the simulated model needs first."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from monitor.demo.demo import SECRET, write_reference, write_secret
from monitor.demo.program import run, say
from monitor.demo.simulation import TOPICS
from monitor.demo.topics import create_topics, missing_topics
from monitor.errors import ConfigError

TOKEN = "token"  # noqa: S105 - the name of its file.
PAGES = "http://127.0.0.1:8000"
"""Where a service has them that is not told otherwise."""


def main(
    bootstrap: Annotated[str, typer.Argument(help="Kafka's address, as in localhost:9092.")],
    directory: Annotated[Path, typer.Argument(help="Where the reference and the secrets go; those there stay.")],
) -> None:
    """Make the topics of the simulated model, its compiled reference, a secret that signs retrain requests, and a token
    for the service's pages.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory} is no folder to write to ({error.strerror}): name another") from None
    create_topics(bootstrap, missing_topics(bootstrap, TOPICS, say))
    write_reference(directory)
    if not (directory / SECRET).exists():
        write_secret(directory)
    say(f"the pages are at {PAGES}: any user name, and as the password {_token(directory / TOKEN)}")


def _token(path: Path) -> str:
    """Others may read it: Prometheus, which is another user, shows it, too."""
    if not path.exists():
        path.write_text(secrets.token_hex(16))
        path.chmod(0o444)
    return path.read_text()


if __name__ == "__main__":
    run(main, "python -m monitor.demo.prepare")
