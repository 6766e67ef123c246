"""The newest views of a model's windows, which are shown and saved one by one."""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import TypeVar

from monitor.snapshot import PerformanceView, WindowView
from monitor.windows.window import Window

VIEWS_MAX = 100
"""Closed windows, settled ones, triggers, and incidents that are over, that the snapshot of a model shows."""

V = TypeVar("V", WindowView, PerformanceView)


class Shown(dict[tuple[str, int], V]):
    """By version and end of the window. kind: of the piece that each is saved as; dirty: pieces that have changed, as
    (kind, version, end).
    """

    def __init__(self, kind: str, dirty: set[tuple[str, str, int]]) -> None:
        super().__init__()
        self._kind, self._dirty = kind, dirty

    def show(self, view: V) -> None:
        """In place of an older view of its window."""
        version, end_ms = view.window.version, view.window.end_ms
        self[version, end_ms] = view
        self._dirty.add((self._kind, version, end_ms))

    def trim(self, standing: Container[str] = ()) -> None:
        """Show no more than the newest. standing: versions whose newest view stays all the same."""
        self._drop(_surplus([view.window for view in self.values()], standing))

    def drop(self, version: str) -> None:
        """Show no more of a version."""
        self._drop([(name, end_ms) for name, end_ms in self if name == version])

    def _drop(self, keys: Collection[tuple[str, int]]) -> None:
        for version, end_ms in keys:
            del self[version, end_ms]
            self._dirty.add((self._kind, version, end_ms))


def _surplus(windows: Collection[Window], standing: Container[str]) -> list[tuple[str, int]]:
    """Version and end of those not to be shown: all but the newest VIEWS_MAX, and but the newest of each version in
    `standing`, whose states hold while it is quiet.
    """
    ordered = sorted(windows)
    newest = {window.version: window for window in ordered if window.version in standing}
    return [(each.version, each.end_ms) for each in ordered[:-VIEWS_MAX] if newest.get(each.version) != each]
