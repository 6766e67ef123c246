"""The rules of docs/ARCHITECTURE.md, as far as a program can check them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_go_one_way_and_the_core_does_no_io() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(ROOT.glob("monitor/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_every_folder_of_the_house_is_on_the_page_and_every_folder_on_it_exists() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))
    assert named == {path.parent.name for path in ROOT.glob("monitor/*/__init__.py")}


def test_nothing_unsafe_is_loaded_from_bytes() -> None:
    unsafe = re.compile(r"\b(import pickle|from pickle|joblib|yaml\.load\(|eval\(|exec\()")
    found = [path for path in ROOT.glob("monitor/**/*.py") if unsafe.search(path.read_text())]
    assert found == []
