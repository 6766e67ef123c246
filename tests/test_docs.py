"""What the documents refer to exists: files, headings, commands, runbooks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from monitor.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("alerts/**/*.md"))
)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_COMMAND = re.compile(r"`monitor ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")


def anchors(text: str) -> set[str]:
    """Of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    path = ROOT / document
    for link in _LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{document} links to {link}"
        assert not anchor or anchor in anchors(target.read_text()), f"{document} links to {link}"


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each.name != "CHANGELOG.md"], ids=str)
def test_every_command_that_is_named_exists(document: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, second in _COMMAND.findall((ROOT / document).read_text()):
        assert name in commands, f"{document}: monitor {name}"
        group = getattr(commands[name], "commands", None)
        assert group is None or not second or second in group, f"{document}: monitor {name} {second}"


def test_operating_leads_to_every_runbook() -> None:
    text = (ROOT / "docs" / "OPERATING.md").read_text()
    assert not [
        path.name for path in (ROOT / "alerts" / "runbooks").glob("*.md") if f"runbooks/{path.name}" not in text
    ]


def test_what_the_makefile_does_for_contributors_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for target in re.findall(r"`make ([a-z-]+)", text):
        asked = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "No rule to make target" not in asked.stderr
    for path in re.findall(r"`((?:monitor|tests|alerts|docs|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
