"""Secrets stand in files, which are read when they are needed and never shown."""

from __future__ import annotations

from pathlib import Path

from monitor.config.document import Location
from monitor.config.grafana import Access, Grafana
from monitor.config.problems import Problem
from monitor.config.server import TOKEN_MIN, Server


def read_secret(directory: Path, path: str, where: Location, problems: list[Problem]) -> str:
    """What a file holds; where it cannot be used, nothing, and the problem is added."""
    try:
        text = (directory / path).read_text(encoding="utf-8").strip()
    except OSError as error:
        problems.append((where, f"names {path}, which cannot be read ({error.strerror}): put the secret there"))
        return ""
    except UnicodeDecodeError:
        problems.append((where, f"names {path}, which is not text: put the secret there as UTF-8"))
        return ""
    if not text:
        problems.append((where, f"names {path}, which is empty: put the secret there"))
    return text


def read_token(directory: Path, server: Server, problems: list[Problem]) -> str | None:
    """What everybody has to know who asks the service; None where only this machine may ask."""
    if server.token_file is None:
        return None
    where = ("server", "token_file")
    token = read_secret(directory, server.token_file, where, problems)
    if token and (len(token) < TOKEN_MIN or not _in_header(token)):
        text = f"names {server.token_file}, which holds no token: write {TOKEN_MIN} letters and digits or more, alone"
        problems.append((where, text))
    return token


def read_access(directory: Path, grafana: Grafana, problems: list[Problem]) -> Access:
    """Grafana, with what shows it who asks."""
    where = ("grafana", "token_file")
    token = read_secret(directory, grafana.token_file, where, problems)
    if not _in_header(token):
        text = f"names {grafana.token_file}, which holds no token: put one of a service account there, alone"
        problems.append((where, text))
    return Access(grafana, token)


def _in_header(token: str) -> bool:
    """Whether a token can be sent in one."""
    return token.isascii() and token.isprintable() and " " not in token
