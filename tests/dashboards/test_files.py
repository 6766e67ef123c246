"""The committed files are what the code builds."""

from __future__ import annotations

from dashboards.source import files
from tests.dashboards.grafana import FILES


def test_the_files_are_what_the_code_builds() -> None:
    built = files()
    assert sorted(built) == FILES
    for path, content in built.items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is not current: run `make dashboards`"
