"""Evidently at work in its own process: any rows, one at a time, within bounds, and out of reach of everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from playwright.sync_api import Page

from monitor.errors import RefusedError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.markup import tag
from monitor.exports.report import Report, Scope
from monitor.exports.server import HttpServer
from monitor.runtime import rendering
from monitor.runtime.rendering import Renderer, _streams
from tests.browser.chromium import chromium, need
from tests.exports.snapshots import HOSTILE, drifting, window
from tests.exports.test_report import Parsed

ROWS = 60
BANNER = tag("section", "what we say")

WATCHED = """
import json, os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
reaching = ("socket.connect", "socket.get", "socket.send", "subprocess.", "os.exec", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, _: event.startswith(reaching) and os.write(log, event.encode() + b" "))
import pandas as pd
from monitor.runtime import report_worker

evidently = report_worker.evidently
def and_small(*asked):
    made = evidently(*asked)
    one, other = pd.DataFrame({{"amount": [1.5]}}), pd.DataFrame({{"amount": [2.5]}})
    bad = pd.DataFrame({{"beyond": [1.7e308, -1.7e308] * 30}})
    with open({small!r}, "w") as file:
        json.dump([[len(html), failed] for html, failed in (evidently(one, other), evidently(bad, bad))], file)
    return made
report_worker.evidently = and_small
report_worker.main()
"""
"""Writes down what it tried to reach; and makes two more reports, as Evidently is imported only slowly."""

BAD = "beyond"


def frame(seed: int) -> pd.DataFrame:
    """Columns of every shape that a window may hold; Evidently fails on one of them."""
    random = np.random.default_rng(seed)
    categories = np.array([HOSTILE, "<b>bold</b>", "", "nan", "None", "1", "2024-01-01", "a\nb", "\u2028"], object)
    return pd.DataFrame(
        {
            HOSTILE: random.normal(seed, 1, ROWS),
            "__proto__": random.choice(categories, ROWS),
            "prediction": np.where(random.random(ROWS) < 0.5, None, "a"),
            "<b>twice": np.full(ROWS, 3.0),
            "‹b›twice": np.r_[1.0, np.full(ROWS - 1, np.nan)],
            "": np.array([f"{seed}-{row}" for row in range(ROWS)], object),
            "x" * 300: np.full(ROWS, f"only in {seed}", object),
            BAD: np.where(random.random(ROWS) < 0.5, 1.7e308, -1.7e308),
        }
    )


@pytest.mark.timeout(600)
def test_rows_of_every_shape_give_a_report_that_is_only_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, as only one worker is to make the report: it takes seconds. Where there is no browser it is skipped at
    the end, when all but the drawing has been seen.
    """
    reached, small = tmp_path / "reached", tmp_path / "small"
    monkeypatch.setattr(rendering, "WORKER", ("-c", WATCHED.format(log=str(reached), small=str(small))))
    html = Renderer(deadline_s=250).render(frame(1), frame(2), "A report", BANNER).decode()
    assert reached.read_text() == ""
    what_evidently_fails_on_is_left_out(html)
    no_name_and_no_category_is_markup(html)
    one_row_is_a_report_and_what_evidently_cannot_do_is_none(*json.loads(small.read_text()))
    with shown(html) as (page, heard):
        a_browser_draws_it_and_asks_nobody_for_anything(page, heard)


def what_evidently_fails_on_is_left_out(html: str) -> None:
    parsed = Parsed(html)
    assert "what we say" in parsed.text
    assert f"Left out, as Evidently fails on it: {BAD}." in parsed.text
    (data, _) = (json.loads(each) for each in re.findall(r"^    var \w+ = (.*);$", parsed.scripts[0], re.MULTILINE))
    drawn = json.dumps(data, ensure_ascii=False)
    for name in ("__proto__", "prediction", "‹b›twice", "‹b›twice (2)", "x" * 99 + "…"):
        assert f'"column_name": "{name}"' in drawn


def no_name_and_no_category_is_markup(html: str) -> None:
    parsed = Parsed(html)
    assert len(parsed.scripts) == 4
    assert "img" not in [tag for tag, _ in parsed.elements]
    data = re.findall(r"^    var \w+ = (.*);$", parsed.scripts[0], re.MULTILINE)
    assert "onerror" in data[0]
    assert not any(sign in each for each in data for sign in "<>")
    assert not re.search(r"u003c/?(b|img|script)\b", data[0]), "charts would take it for markup"


def one_row_is_a_report_and_what_evidently_cannot_do_is_none(one: list[Any], nothing: list[Any]) -> None:
    assert one[0] > 1_000_000
    assert one[1] == []
    assert nothing == [0, [BAD]]


@contextmanager
def shown(html: str) -> Iterator[tuple[Page, list[str]]]:
    """The report in a real browser, as the service serves it; and all that it loads or complains of."""
    need()
    scope = Scope(window(0), 812, 500, 812, 500, 8, 7, (), "http://monitor.example")
    server = HttpServer("127.0.0.1", 0)
    server.start(create_app(drifting, Behind(report=lambda *_: Report(scope, html.encode()))))
    heard: list[str] = []
    try:
        with chromium() as browser:
            opened = browser.new_page()
            opened.set_default_timeout(120_000)
            opened.on("request", lambda request: heard.append(request.url))
            opened.on("console", lambda said: heard.append(said.text))
            opened.on("pageerror", lambda error: heard.append(str(error)))
            opened.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
            opened.goto(f"{server.url}/models/fraud/report", timeout=120_000)
            heard.remove(opened.url)
            yield opened, heard
    finally:
        server.stop()


def a_browser_draws_it_and_asks_nobody_for_anything(opened: Page, heard: list[str]) -> None:
    opened.wait_for_selector("svg.main-svg")
    opened.get_by_text("Dataset Summary").wait_for()
    for name in (HOSTILE, "__proto__", "‹b›twice (2)"):
        drawn = name.translate(str.maketrans("<>\n", "‹›\N{REPLACEMENT CHARACTER}"))
        assert opened.get_by_text(drawn).count() > 0, drawn
    opened.mouse.wheel(0, 20_000)
    assert heard == []
    assert opened.evaluate("origin") == "null"
    assert opened.evaluate("fetch('/api/v1/models').then(() => 'read', () => 'refused')") == "refused"
    opened.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran = 1\">')")
    opened.wait_for_function("document.images[document.images.length - 1].complete")
    assert opened.evaluate("window.ran") is None
    assert any("Content Security Policy" in each for each in heard), "it was the policy that refused"


CONFINED = """
import os, resource, socket, subprocess, sys
from monitor.runtime import report_worker
report_worker._confine()
for reach in (lambda: socket.create_connection(("127.0.0.1", 9)), lambda: subprocess.Popen(["true"]), os.fork,
              lambda: os.system("true"), lambda: bytearray(report_worker.MEMORY_MAX)):
    try:
        reach()
        print("reached")
    except Exception as error:
        print(type(error).__name__)
print(os.environ["DO_NOT_TRACK"], os.nice(0) > 0)
"""


def test_it_could_reach_nothing_and_hold_no_more_than_its_memory() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*["PermissionError"] * 4, "MemoryError", "1", "True"]


FIRST = """
import os, sys
sys.stdin.buffer.read(10)
{then}
"""


def stands_in(monkeypatch: pytest.MonkeyPatch, then: str) -> pd.DataFrame:
    """A worker that does this once it has been given something; rows that a pipe does not hold."""
    monkeypatch.setattr(rendering, "WORKER", ("-c", FIRST.format(then=then)))
    return pd.DataFrame({"amount": np.arange(100_000.0)})


def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = stands_in(monkeypatch, "import time; time.sleep(600)")
    with pytest.raises(UnavailableError, match=r"was not done within 0\.2 s"):
        Renderer(deadline_s=0.2).render(rows, rows, "A report", BANNER)


def test_where_nothing_can_be_drawn_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = stands_in(monkeypatch, "os._exit(5)")
    with pytest.raises(RefusedError, match="Evidently fails on every column"):
        Renderer().render(rows, rows, "A report", BANNER)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("os._exit(1)", "the service's log says where"),
        ("os._exit(4)", "more memory than it may have"),
        ("os.kill(os.getpid(), 9)", "the service's log says where"),
        ("sys.stdout.write('ValueError at x'); sys.stdout.flush(); os._exit(3)", "the service's log says where"),
    ],
)
def test_what_fails_is_one_sentence_and_the_next_is_made(monkeypatch: pytest.MonkeyPatch, then: str, said: str) -> None:
    rows = stands_in(monkeypatch, then)
    renderer = Renderer()
    for _ in range(2):
        with pytest.raises(UnavailableError, match=said) as caught:
            renderer.render(rows, rows, "A report", BANNER)
        assert "ValueError" not in str(caught.value)


def test_a_page_beyond_any_size_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = stands_in(monkeypatch, "sys.stdin.buffer.read(500); sys.stdout.write('x' * 5_000_000)").head(100)
    monkeypatch.setattr(rendering, "HTML_MAX_BYTES", 1_000_000)
    with pytest.raises(UnavailableError):
        Renderer().render(rows, rows, "A report", BANNER)


@pytest.fixture
def under_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Renderer, list[str]]]:
    """A renderer with a report that never ends by itself, and what becomes of that."""
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    rows = stands_in(monkeypatch, f"open({str(fifo)!r}, 'w').close(); import time; time.sleep(600)")
    renderer, said = Renderer(), []

    def render() -> None:
        try:
            renderer.render(rows, rows, "A report", BANNER)
        except UnavailableError as error:
            said.append(str(error))

    thread = threading.Thread(target=render)
    thread.start()
    fifo.read_text()  # Until it has begun.
    try:
        yield renderer, said
    finally:
        renderer.close()
        thread.join()
    assert said == ["the service is stopping: ask again when it is up"]


def test_one_at_a_time_and_a_service_that_stops_waits_for_none(under_way: tuple[Renderer, list[str]]) -> None:
    renderer, said = under_way
    with pytest.raises(UnavailableError, match="another report is being made"):
        renderer.render(frame(1), frame(2), "A report", BANNER)
    assert said == []
    renderer.close()


def test_after_the_end_none_is_made() -> None:
    renderer = Renderer()
    renderer.close()
    with pytest.raises(UnavailableError, match="is stopping"):
        renderer.render(frame(1), frame(2), "A report", BANNER)


def test_it_ends_with_the_service_however_that_ends() -> None:
    table = pa.Table.from_pandas(frame(1)).replace_schema_metadata({"title": "", "banner": ""})
    worker = subprocess.Popen(
        [sys.executable, *rendering.WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out, _ = worker.communicate(_streams(table, table))  # Closes its input, as the end of the service does.
    assert (worker.returncode, out) == (rendering.ABANDONED, b"")
