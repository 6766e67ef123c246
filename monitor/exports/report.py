"""Evidently's page on a window, in our frame: what it is of, what the service itself decided, and nothing that loads or
runs anything but Evidently's own scripts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from fastapi import HTTPException

from monitor.detection.records import State, Verdict
from monitor.detection.sentences import called, spoken
from monitor.events.timestamps import iso
from monitor.exports.markup import Content, Markup, render, tag
from monitor.exports.orders import answered
from monitor.exports.resource import Span, Text
from monitor.exports.text import counted, named
from monitor.snapshot import WindowView
from monitor.windows.window import Window

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:;"
    " connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox allow-scripts allow-downloads"
)
"""Of the answer that holds a report; the page itself narrows it to its scripts. The sandbox takes the service's origin
from it, so that it could not read the API; charts may be downloaded.
"""

_DATA_LINES, _SCRIPTS = 2, 4
"""Of a page of Evidently's: lines that hold data, and scripts."""

_DATA = re.compile(r"^    var \w+ = .*;$", re.MULTILINE)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STATES: tuple[State, ...] = ("drifting", "watch", "ok", "learning", "insufficient", "untestable")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is of. rows, reference_rows: in all; sampled, reference_sampled: those of the samples. columns:
    features and what the model answered; shown: how many of them are in the report; empty: those without a value in one
    of the samples. url: where the service is reached.
    """

    window: Window
    rows: int
    sampled: int
    reference_rows: int
    reference_sampled: int
    columns: int
    shown: int
    empty: tuple[str, ...]
    url: str

    @property
    def sentence(self) -> str:
        """Of how many rows it is."""
        return (
            f"{_part(self.sampled, self.rows)} of the window, "
            f"against {_part(self.reference_sampled, self.reference_rows)} of the reference"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """A page, and what it is of."""

    scope: Scope
    html: bytes


RETRY_AFTER_S = 20


def made(report: Callable[[], Report]) -> Report:
    """The answers of `orders.answered`; 503 says when to ask again."""
    try:
        return answered(report)
    except HTTPException as error:
        if error.status_code == 503:
            error.headers = {"retry-after": str(RETRY_AFTER_S)}
        raise


class WindowReport(Span):
    """Evidently's report on one window: of a sample of its rows, against a sample of the reference's."""

    model: Text
    version: Text
    sentence: Text
    """Of how many rows it is."""
    rows: int
    """Of the window, in all."""
    sampled: int
    reference_rows: int
    reference_sampled: int
    html: Text
    """The page: it loads nothing from anywhere."""

    @classmethod
    def of_report(cls, report: Report) -> Self:
        scope = report.scope
        return cls(
            **dict(Span.of(scope.window)),
            model=scope.window.model,
            version=scope.window.version,
            sentence=scope.sentence,
            rows=scope.rows,
            sampled=scope.sampled,
            reference_rows=scope.reference_rows,
            reference_sampled=scope.reference_sampled,
            html=report.html.decode(),
        )


def banner(scope: Scope, decided: WindowView | None) -> Markup:
    """What stands above Evidently's page, which may say more after it. decided: the window as the service judged it,
    None where that is not held any more.
    """
    window = scope.window
    return tag(
        "section",
        tag("h1", f"{window.model}, version {called(window.version)}, {iso(window.start_ms)} to {iso(window.end_ms)}"),
        tag("p", tag("strong", "A sample: "), f"{scope.sentence}.", _left_out(scope)),
        tag("p", tag("strong", "What the service decided of this window, on all its rows: "), _decided(decided)),
        tag(
            "p",
            tag("strong", "Evidently's thresholds are not the service's alarms. "),
            "Below, each column is tested by itself and on the samples alone; of a few hundred rows much is called "
            "drift that is chance, and what is usual at this hour is not known. Missing values are left out. The "
            "samples hold no labels, so nothing is said of performance.",
        ),
        tag("noscript", tag("p", "The charts below need JavaScript.")),
        tag("p", tag("a", "Pages of the service", href=f"{scope.url.rstrip('/')}/")),
        class_="monitor",
    )


def page(evidently: str, title: str, *above: Content) -> str:
    """Evidently's page with `above` at its top: it runs no text of the rows, and loads nothing. ValueError where it is
    not made as Evidently 0.7 makes it: what is not known is not shown.
    """
    # Evidently writes JSON into its script as it is, in which a category may read </script>.
    inert, data = _DATA.subn(lambda line: line[0].replace("<", "\\u003c").replace(">", "\\u003e"), evidently)
    scripts = _SCRIPT.findall(inert)
    before, head, rest = inert.partition("<head>")
    between, body, after = rest.partition("<body>")
    if (data, len(scripts), bool(head and body)) != (_DATA_LINES, _SCRIPTS, True):
        raise ValueError("this page of Evidently is made otherwise than those of 0.7")
    ours = [
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(_STYLE)),
    ]
    return "".join([before.lstrip(), head, *ours, between, body, render(above), after])


def _policy(scripts: Iterable[str]) -> str:
    """These scripts and no others, not even in attributes."""
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    known = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {known}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:;"
        " connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _part(sampled: int, rows: int) -> str:
    return f"{sampled:,} of {counted(rows, 'row')}" if sampled < rows else f"all {counted(rows, 'row')}"


def _left_out(scope: Scope) -> Content:
    said = []
    if scope.shown + len(scope.empty) < scope.columns:
        said.append(f" Shown are {scope.shown} of {scope.columns} columns: answers, and the features that moved most.")
    if scope.empty:
        said.append(f" Left out, as one of the samples holds no value of it: {named(scope.empty)}.")
    return said


def _decided(view: WindowView | None) -> str:
    if view is None:
        return "no longer held."
    if view.ignored:
        return f"nothing, as the calendar says ({view.ignored})."
    by_state = {state: [each for each in view.verdicts if each.state == state] for state in _STATES}
    said = [f"{state}: {_who(found, len(view.verdicts))}" for state, found in by_state.items() if found]
    return "; ".join(said) + "." if said else "nothing, as it had nothing to compare it with."


def _who(verdicts: Sequence[Verdict], of: int) -> str:
    """Those that moved by name, the others by number."""
    if verdicts[0].state not in ("drifting", "watch"):
        return f"{len(verdicts)} of {of}"
    return named([_with_effect(each) for each in sorted(verdicts, key=lambda verdict: verdict.rank)])


def _with_effect(verdict: Verdict) -> str:
    effect, floor = verdict.standing, verdict.noise_floor
    chance = "" if floor is None else f", chance alone {floor:.3f}"
    return spoken(verdict.name) + ("" if effect is None else f" (effect {effect:.3f}{chance})")


_STYLE = """
.monitor { font: 1rem/1.5 system-ui, sans-serif; color: #1c2330; background: #eef2f8; border: 1px solid #9aa6b8;
  border-radius: .75rem; margin: 1rem auto; padding: 1rem 1.25rem; width: min(75rem, 100% - 2rem);
  box-sizing: border-box; overflow-wrap: anywhere; }
.monitor h1 { font-size: 1.3rem; line-height: 1.3; margin: 0; }
.monitor p { margin: .5rem 0 0; }
.monitor a { color: #1f5fbf; }
"""
