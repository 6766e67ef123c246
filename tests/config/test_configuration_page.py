"""docs/CONFIGURATION.md names every key there is, none that there is not, and each default."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.config.template import Template
from tests.config.settings_table import keys

DOCS = Path(__file__).parents[2] / "docs"
_ROW = re.compile(r"\| `([^`]+)` \| (.*?) \| (.+) \|")


def rows() -> dict[str, tuple[str, str]]:
    found = [_ROW.fullmatch(line) for line in (DOCS / "CONFIGURATION.md").read_text().splitlines()]
    return {row[1]: (row[2], row[3]) for row in found if row}


def test_every_key_is_documented_in_the_order_of_the_models() -> None:
    assert list(rows()) == list(keys())


def test_every_default_is_the_one_in_force() -> None:
    said = {key: default.strip("`") for key, (default, _) in rows().items() if default.startswith("`")}
    inherited = {"window", "lateness", "idle_after", "timezone"}
    for key, default in keys().items():
        where, _, name = key.rpartition(".")
        if default in (None, "[]") or (where == "models[]" and name in inherited):
            continue
        assert said[key] == default, key


def test_every_key_of_a_template_is_on_its_page() -> None:
    page = (DOCS / "PIPELINES.md").read_text()
    assert not [name for name in Template.model_fields if f"`{name}" not in page and f"{name}:" not in page]
