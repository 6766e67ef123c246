"""`monitor state`: one file that holds all that a service keeps, and a state directory made of one."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.config import load_state
from monitor.errors import ConfigError, StateError, StateHeldError
from monitor.runtime.asking import fetch
from monitor.runtime.store.database import Database
from monitor.runtime.store.directory import DATABASE, Identity, StateDirectory, rename
from monitor.runtime.store.pieces import positions, state
from monitor.windows.window import Place

MEMORY_MB, THREADS = 512, 2


def backup(config: Path, out: Path | None, url: str | None) -> Iterator[str]:
    """Of the directory of a service that does not run, else asked of the one that does. out: the file to write, made
    whole or not at all; None: one in the working directory, named by the time.
    """
    out = out or Path(f"model-monitor-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.duckdb")
    if out.exists():
        raise ConfigError(f"{out} exists: name another file with --out")
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=out.parent) as name:
            place = Path(name)
            source = _of_directory(load_state(config), place) if url is None else None
            if source is None:
                source = _of_service(config, url, place)
            identity, read_on = _made_whole(place / DATABASE)
            (place / DATABASE).chmod(0o600)  # It holds rows of data.
            rename(place / DATABASE, out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): name another place with --out") from error
    yield f"{out}: {out.stat().st_size:,} bytes, of {source}, as of transaction {identity.sequence:,}"
    yield from _read_on(read_on)


def restore(config: Path, file: Path) -> Iterator[str]:
    """Begin a state directory with a backup. ConfigError where the directory holds something."""
    directory = load_state(config)
    if not file.is_file():
        raise ConfigError(f"{file} is no file: name one that `monitor state backup` has made")
    held = StateDirectory.hold(directory)
    try:
        if held.database.exists() or held.identity() is not None:
            raise ConfigError(f"{directory} holds a store: move it away first, as a restored one takes its place")
        fresh = held.database.with_suffix(".restored")
        try:
            shutil.copyfile(file, fresh)
            try:
                identity, read_on = _made_whole(fresh)
            except StateError as error:
                raise ConfigError(f"{file} is no backup, or a damaged one: name another") from error
            rename(fresh, held.database)
        except OSError as error:
            raise StateError(f"{directory} cannot be written ({error.strerror}): see to the disk") from error
        finally:
            fresh.unlink(missing_ok=True)
        held.record(identity)
    finally:
        held.release()
    yield f"{directory}: restored as of transaction {identity.sequence:,}"
    yield from _read_on(read_on)


def _of_directory(directory: Path, place: Path) -> str | None:
    """Copy the files of a state directory that nobody holds; None where somebody does, or there is none here."""
    if not (directory / DATABASE).exists():
        return None
    try:
        held = StateDirectory.hold(directory)
    except StateHeldError:
        return None
    try:
        for each in (held.log, held.database):
            if each.exists():
                shutil.copyfile(each, place / each.name)
    finally:
        held.release()
    return f"{directory}, which no service uses"


def _of_service(config: Path, url: str | None, place: Path) -> str:
    archive = place / "archive.tar"
    with archive.open("wb") as file:
        fetch(config, "backup", url, file)
    try:
        with tarfile.open(archive) as members:
            members.extractall(place, filter="data")
    except tarfile.TarError:
        raise _no_backup(url) from None
    archive.unlink()
    if not (place / DATABASE).is_file():
        raise _no_backup(url)
    return "the running service"


def _no_backup(url: str | None) -> ConfigError:
    where = "what answers where the configuration has the service listen" if url is None else url
    return ConfigError(f"{where} sends no backup: name with --url where the service itself is reached")


def _made_whole(path: Path) -> tuple[Identity, dict[Place, int]]:
    """Take the log into the file; all that is kept is read, which finds what is not as it was written. StateError,
    StateDamagedError.
    """
    database = Database.open(path, MEMORY_MB, THREADS)
    try:
        identity = database.identify()
        state(database)
        read_on, _ = positions(database)
        database.checkpoint()
    finally:
        database.close()
    return identity, read_on


def _read_on(positions: dict[Place, int]) -> Iterator[str]:
    for (topic, partition), offset in sorted(positions.items()):
        yield f"  reads {topic}/{partition} on from offset {offset:,}"
