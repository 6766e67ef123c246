"""Evidently's HTML of two samples, as a program of its own: `python -m monitor.runtime.report_worker`.

Standard input: two Arrow streams, the window's sample and the reference's, of the same columns: numbers, and text for
categories. The first one's metadata hold `title` and `banner`, of the page. It is kept open for as long as an answer is
wanted: its end ends the program, so that none outlives the service. Standard output: the page; or, where that failed,
where, and never a value of a row. Exit codes: those of `monitor.runtime.rendering`.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from monitor.exports.markup import Content, Markup, tag
from monitor.exports.report import page
from monitor.exports.text import named
from monitor.runtime.rendering import ABANDONED, FAILED, NOTHING, OUT_OF_MEMORY

MEMORY_MAX = 3 << 29
"""Bytes of memory of its own, as it is asked for; 50 columns ask for two thirds of it, and use a quarter."""

TEXT_MAX = 100
"""Characters of a name or a category that are drawn."""

_LEAVING: tuple[str, ...] = ("socket.connect", "socket.get", "socket.send", "subprocess.", "os.exec", "os.fork")
_LEAVING += ("os.posix_spawn", "os.spawn", "os.system")
_BRACKETS = str.maketrans("<>", "‹›")


def main() -> None:
    """The program."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever a library prints is no part of the answer.
    _confine()
    code = 0
    try:
        current, reference = (pa.ipc.open_stream(sys.stdin.buffer).read_all() for _ in range(2))
        threading.Thread(target=_end_with_the_service, daemon=True).start()
        html, failed = evidently(current.to_pandas(), reference.to_pandas())
        said = current.schema.metadata
        above = [Markup(said[b"banner"].decode()), _failures(failed)]
        if html:
            answer.write(page(html, said[b"title"].decode(), *above).encode("utf-8", "replace"))
        else:
            code = NOTHING
    except MemoryError:
        code = OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 - its text may quote rows: its kind is said, and where it was raised.
        answer.write(f"{type(error).__name__} at {''.join(traceback.format_tb(error.__traceback__)[-4:])}".encode())
        code = FAILED
    answer.close()
    os._exit(code)  # The other thread never returns.


def evidently(current: pd.DataFrame, reference: pd.DataFrame) -> tuple[str, list[str]]:
    """Evidently's page; and the columns that are not in it, because it fails on them. Empty where it fails on all."""
    import evidently.presets  # noqa: F401 - here, as what cannot be imported is no column's fault.

    names = _drawn(current.columns)
    current, reference = (_shown(each.rename(columns=names)) for each in (current, reference))
    try:
        return _evidently(current, reference), []
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - of any column, with any error: the others are shown all the same.
        failed = [name for name, drawn in names.items() if not _works(current[[drawn]], reference[[drawn]])]
        kept = [drawn for name, drawn in names.items() if name not in failed]
        return _evidently(current[kept], reference[kept]) if kept else "", failed


def _evidently(current: pd.DataFrame, reference: pd.DataFrame) -> str:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    numbers = [name for name in current if pd.api.types.is_numeric_dtype(current[name])]
    kinds = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in current if name not in numbers]
    )
    both = (Dataset.from_pandas(each, kinds) for each in (current, reference))
    html: str = Report([DataDriftPreset(), DataSummaryPreset()]).run(*both).get_html_str(as_iframe=False)
    return html


def _works(current: pd.DataFrame, reference: pd.DataFrame) -> bool:
    try:
        _evidently(current, reference)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - which error it is does not matter.
        return False
    return True


def _failures(names: Sequence[str]) -> Content:
    if not names:
        return None
    return tag("section", tag("p", f"Left out, as Evidently fails on it: {named(names)}."), class_="monitor")


def _drawn(columns: pd.Index[Any]) -> Mapping[str, str]:
    """What each name is drawn as, no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in columns:
        drawn = text = _text(name)
        number = 1
        while drawn in taken:
            number += 1
            drawn = f"{text} ({number})"
        taken.add(drawn)
        found[name] = drawn
    return found


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.copy()
    for name in frame.select_dtypes(object):
        shown[name] = frame[name].map(_text, na_action="ignore")
    return shown


def _text(text: str) -> str:
    """As it may be drawn: charts take <b> and <a> for markup, also in the names of categories."""
    cut = text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
    printable = (
        cut if cut.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)
    )
    return printable.translate(_BRACKETS)


def _confine() -> None:
    """Little memory, the last turn on the processor, and no way out of this process."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
    os.nice(5)
    warnings.simplefilter("ignore")
    os.environ["DO_NOT_TRACK"] = os.environ["ITERATIVE_DO_NOT_TRACK"] = "1"
    sys.addaudithook(_stay)


def _stay(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith(_LEAVING):
        raise PermissionError(f"{event} is not for a report")


def _end_with_the_service() -> None:
    while os.read(0, 4096):
        pass
    os._exit(ABANDONED)


if __name__ == "__main__":
    main()
