"""The Dockerfile, as far as it can be tried without an engine: rules, and its steps in a folder."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.deploy.files import (
    COMPOSE,
    DOCKERFILE,
    ROOT,
    command,
    healthcheck,
    instruction,
    instructions,
    mounts,
    services,
)

INSTRUCTIONS = instructions()
BASE = r"python:\d\.\d+\.\d+-slim-\w+"


def arguments(name: str) -> list[str]:
    return [written for each, written in INSTRUCTIONS if each == name]


def test_both_stages_are_of_one_pinned_slim_python_that_the_project_supports() -> None:
    building, running = arguments("FROM")
    assert re.fullmatch(f"({BASE}) AS build", building)
    assert re.fullmatch(BASE, running)
    assert building.split()[0] == running
    needed = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert needed is not None
    assert int(running.split(".")[1]) >= int(needed[1])


def test_nobody_is_root_and_nothing_needs_a_shell() -> None:
    assert instruction("USER") == "10001:10001"
    assert (command("ENTRYPOINT"), command("CMD")) == (["monitor"], ["run"])
    assert healthcheck()[0] == "python"
    last = [name for name, _ in INSTRUCTIONS].index("USER")
    assert "RUN" not in [name for name, _ in INSTRUCTIONS[last:]]
    assert not {"ADD", "MAINTAINER", "SHELL", "ARG"} & {name for name, _ in INSTRUCTIONS}
    assert not re.search(r"sudo|curl|wget|apt|latest|chmod", DOCKERFILE.read_text())


def test_only_the_state_can_be_written_to_and_is_of_the_user() -> None:
    assert instruction("VOLUME") == '["/var/lib/model-monitor"]'
    assert re.search(r"install --directory --owner=10001 --group=10001 /var/lib/model-monitor ", instruction("RUN"))
    targets = {target for name in ("monitor", "prepare") for _, target, _ in mounts(services()[name])}
    made = set(instruction("RUN").split("--group=10001 ")[1].split())
    # A named volume belongs to whom the folder belongs in the image.
    assert {target for target in targets if not target.startswith("/etc/")} == made


def test_every_wheel_is_known_by_its_hash() -> None:
    downloads, builds, _ = arguments("RUN")
    assert "--require-hashes" in downloads.split()
    assert "--no-deps" in downloads.split()
    installs = [step for step in builds.split("&&") if re.search(r"\b(install|wheel --)", step)]
    assert installs
    assert all("--no-index" in step.split() for step in installs), "nothing else is downloaded"


def test_secrets_and_what_is_not_needed_stay_out() -> None:
    """What is copied is what .dockerignore lets through, and that is all."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_through = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert ignored[0] == "*"
    copied = [source for each in arguments("COPY") if "--from" not in each for source in each.split()[:-1]]
    assert sorted(copied) == sorted(let_through)
    assert not any(fnmatch.fnmatch(name, pattern) for name in (".env", ".git", COMPOSE.name) for pattern in let_through)
    assert all((ROOT / name).exists() for name in copied)


def test_its_health_is_livez() -> None:
    assert "/livez" in " ".join(healthcheck())
    assert "8000" in arguments("EXPOSE")
    assert instruction("STOPSIGNAL") == "SIGTERM"


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, as a wheel that was made by the Dockerfile's step, in an environment of its own without pip."""
    directory = tmp_path_factory.mktemp("image")
    step = next(step for step in arguments("RUN")[1].split("&&") if step.strip().startswith("pip wheel"))
    words = step.split()
    for name in ("pyproject.toml", "README.md", "LICENSE", "monitor"):
        (directory / name).symlink_to(ROOT / name)
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, *words[1:]], cwd=directory, check=True, capture_output=True, timeout=120)
    venv.create(directory / "venv", with_pip=False)
    [wheel] = (directory / "wheels").glob("model_monitor-*.whl")
    [packages] = (directory / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")))
    return directory / "venv"


def test_the_wheel_holds_all_that_the_service_reads_and_runs_from_a_folder_of_nobody(
    installed: Path, tmp_path: Path
) -> None:
    [package] = installed.glob("lib/python*/site-packages/monitor")
    needed = {path.relative_to(ROOT / "monitor") for path in (ROOT / "monitor").rglob("*") if path.is_file()}
    held = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    assert {path for path in needed if "__pycache__" not in path.parts} == held
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [installed / "bin" / "python", "-m", "monitor.cli", "check", "--offline", "--config", "none.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.yaml" in done.stderr
    assert list(tmp_path.iterdir()) == []
