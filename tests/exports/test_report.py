"""Evidently's page in our frame: nothing of the rows runs, nothing is loaded, and it is said of what it is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError, NotFoundError, RefusedError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.report import Report, Scope, banner, page
from monitor.snapshot import WindowView
from tests.exports.client import Client
from tests.exports.snapshots import HOSTILE, drifting, verdict, window, window_view

SCOPE = Scope(window(1), 812, 500, 50_000, 500, 2, 2, (), "http://monitor.example/")


def of_evidently(*names: str) -> str:
    """A page as Evidently 0.7 makes it, with these names in its data."""
    data = json.dumps({"widgets": list(names)})
    return f"""
    <!DOCTYPE html>
    <html lang="en">
    <head>
        <meta charset="UTF-8">
        <style>p {{}}</style>
        <script>
    var metric_1 = {data};
    var additional_graphs_metric_1 = {data};
</script>
    </head>
    <body>
    <div id="root_metric_1"></div>
    <script>var global = globalThis</script>
    <script>x.innerHTML = "<script><\\/script>"; "<body>"</script>
    <script>
    window.drawDashboard(metric_1);
    </script>
    </body>
    </html>
"""


class Parsed(HTMLParser):
    """The scripts, as a browser tells them apart, and all other elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._inside = False
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")
        else:
            self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data
        else:
            self.text += data


@given(st.text() | st.sampled_from([HOSTILE, "<!--<script>", "</SCRIPT >", "\u2028", "${x}`"]))
def test_no_name_ends_the_script_that_holds_it_and_all_of_it_is_drawn(name: str) -> None:
    parsed = Parsed(page(of_evidently(name), "A report"))
    assert len(parsed.scripts) == 4
    data = re.findall(r"^    var \w+ = (.*);$", parsed.scripts[0], re.MULTILINE)
    assert [json.loads(each) for each in data] == [{"widgets": [name]}] * 2
    assert not {"<", ">"} & {*"".join(data)}, "browsers find ends of scripts where this parser does not"
    harmless = Parsed(page(of_evidently(), "A report"))
    assert [tag for tag, _ in parsed.elements] == [tag for tag, _ in harmless.elements]


def test_only_the_scripts_of_the_page_may_run_and_nothing_is_loaded() -> None:
    parsed = Parsed(page(of_evidently(HOSTILE), "A report", "above"))
    (policy,) = (known["content"] for tag, known in parsed.elements if known.get("http-equiv"))
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in parsed.scripts]
    assert rules["script-src"] == " ".join(f"'sha256-{digest}'" for digest in digests)
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    names = [tag for tag, _ in parsed.elements]
    assert names.index("meta") < names.index("style"), "before anything that it is about"


def test_what_we_say_stands_above_and_is_escaped() -> None:
    made = page(of_evidently(), HOSTILE, banner(replace(SCOPE, window=window(1, model=HOSTILE)), None), HOSTILE)
    body = made[made.index("<body>") :]
    assert body.index("A sample:") < body.index("root_metric_1")
    assert "img" not in [tag for tag, _ in Parsed(made).elements]


@pytest.mark.parametrize(
    ("known", "other"),
    [("<head>", "<head lang='en'>"), ("<script>var", "<script async>var"), ("    var metric", "    const metric")],
)
def test_a_page_of_an_evidently_that_is_not_known_is_refused(known: str, other: str) -> None:
    with pytest.raises(ValueError, match="made otherwise"):
        page(of_evidently().replace(known, other, 1), "A report")


def said(scope: Scope = SCOPE, decided: WindowView | None = None) -> str:
    return " ".join(Parsed(banner(scope, decided)).text.split())


def test_it_says_that_it_is_a_sample_of_how_many_rows_and_of_what() -> None:
    assert "fraud, version 3, 2026-11-23T11:00:00Z to 2026-11-23T12:00:00Z" in said()
    assert "A sample: 500 of 812 rows of the window, against 500 of 50,000 rows of the reference." in said()
    whole = replace(SCOPE, rows=1, sampled=1, shown=2, columns=4, empty=("age",))
    assert "all 1 row of the window" in said(whole)
    assert "Shown are 2 of 4 columns: answers, and the features that moved most." in said(whole)
    assert "no value of it: age." in said(whole)
    assert "not the service's alarms" in said()


def test_it_says_what_the_service_decided() -> None:
    place = window(1)
    states = [
        verdict(place, "amount", "drifting", 0.31, 0.02),
        verdict(place, "country", "drifting", 0.5),
        verdict(place, "age", "watch", 0.03, 0.01),
        verdict(place, "@score", "ok", 0.0, 0.01),
        verdict(place, "fee", "ok", 0.0, 0.01),
    ]
    decided = window_view(place, states)
    assert (
        "on all its rows: drifting: country (effect 0.500), amount (effect 0.310, chance alone 0.020); "
        "watch: age (effect 0.030, chance alone 0.010); ok: 2 of 5." in said(decided=decided)
    )
    assert "on all its rows: no longer held." in said()
    assert "nothing, as the calendar says (sale)." in said(decided=replace(decided, ignored="sale"))
    assert "nothing, as it had nothing to compare it with." in said(decided=window_view(place, []))


def asking(*errors: Exception) -> tuple[Client, list[tuple[object, ...]]]:
    """A service whose reports fail in this way, or not; and what it was asked."""
    asked: list[tuple[object, ...]] = []

    def reports(*what: object) -> Report:
        asked.append(what)
        for error in errors:
            raise error
        return Report(SCOPE, b"<p>\xc3\xa4</p>")

    return Client(create_app(drifting, Behind(report=reports))), asked


def test_the_page_is_served_in_a_sandbox_that_loads_nothing() -> None:
    client, asked = asking()
    answer = client.get("/models/fraud/report?version=&window=2026-11-23T12:00:00Z")
    assert (answer.status_code, answer.text) == (200, "<p>ä</p>")
    assert asked == [("fraud", "", window(1).end_ms)]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "same-origin" not in policy
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")


def test_the_api_gives_the_page_with_what_it_is_of() -> None:
    client, asked = asking()
    found = client.get("/api/v1/models/fraud/report").json()
    assert asked == [("fraud", None, None)]
    assert found == {
        "window_start": "2026-11-23T11:00:00Z",
        "window_end": "2026-11-23T12:00:00Z",
        "model": "fraud",
        "version": "3",
        "sentence": "500 of 812 rows of the window, against 500 of 50,000 rows of the reference",
        "rows": 812,
        "sampled": 500,
        "reference_rows": 50_000,
        "reference_sampled": 500,
        "html": "<p>ä</p>",
    }


@pytest.mark.parametrize("path", ["/models/fraud/report", "/api/v1/models/fraud/report"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("no rows are kept"), 404),
        (RefusedError("nothing to report on"), 409),
        (ConfigError("window is the end of one"), 422),
        (UnavailableError("another report is being made"), 503),
    ],
)
def test_where_there_is_none_one_sentence_says_why(path: str, error: Exception, status: int) -> None:
    answer = asking(error)[0].get(path)
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "sandbox" not in answer.headers["content-security-policy"]


def test_a_model_that_nobody_configured_has_none() -> None:
    client, asked = asking()
    assert client.get("/models/x/report").status_code == 404
    assert asked == []


def test_a_service_that_keeps_no_rows_says_so() -> None:
    answer = Client(create_app(drifting)).get("/models/fraud/report")
    assert answer.status_code == 503
    assert "keeps nothing" in answer.json()["detail"]
