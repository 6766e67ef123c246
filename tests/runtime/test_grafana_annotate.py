"""`monitor grafana annotate`: from what the service shows into Grafana, however often it is run."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monitor import cli
from monitor.detection.life import Life
from monitor.detection.records import Incident
from monitor.errors import ConfigError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.server import HttpServer
from monitor.runtime import grafana_annotate
from monitor.runtime.grafana_annotate import Done, annotate, once
from monitor.snapshot import Snapshot
from tests.exports.snapshots import HOSTILE, HOUR_MS, TEN_MS, drifting, model_view, snapshot, trigger, window
from tests.grafana import FakeGrafana
from tests.ports import closed_port

TOKEN = "the-token-of-the-service"
PUBLIC = "https://monitor.example"


@dataclass
class Service:
    """What it shows, and its configuration."""

    shown: Snapshot
    config: Path

    def show(self, **changed: object) -> None:
        """Of model fraud, what is now otherwise."""
        fraud = replace(self.shown.models["fraud"], **changed)  # type: ignore[arg-type]
        self.shown = replace(self.shown, models={**self.shown.models, "fraud": fraud})


@contextmanager
def serving(shown: Snapshot, directory: Path, grafana: str, token: str = "glsa_editor") -> Iterator[Service]:
    server = HttpServer("127.0.0.1", 0)
    service = Service(shown, directory / "monitor.yaml")
    server.start(create_app(lambda: service.shown, token=TOKEN))
    (directory / "token").write_text(TOKEN)
    (directory / "grafana-token").write_text(token)
    service.config.write_text(
        f"server: {{port: {server.port}, token_file: token, public_url: '{PUBLIC}'}}\n"
        f"grafana: {{url: '{grafana}', token_file: grafana-token}}\n"
    )
    try:
        yield service
    finally:
        server.stop()


@pytest.fixture
def fake() -> Iterator[FakeGrafana]:
    with FakeGrafana("/grafana") as server:
        yield server


@pytest.fixture
def service(fake: FakeGrafana, tmp_path: Path) -> Iterator[Service]:
    with serving(drifting(), tmp_path, fake.url) as found:
        yield found


def held(fake: FakeGrafana) -> dict[str, tuple[int, int, str]]:
    """Hours after ten of start and end, and the text, by id; of a version, by its name."""
    found = {}
    for each in fake.state.annotations.values():
        ours, _, kind, name = each["tags"]
        assert ours == "model-monitor"
        key = name.removeprefix("id:") if kind != "version" else kind
        assert key not in found, "written twice"
        hours = [(each[end] - TEN_MS) // HOUR_MS for end in ("time", "timeEnd")]
        found[key] = (*hours, each["text"])
    return found


def link(kind: str, name: str) -> str:
    return f'<a href="{PUBLIC}/{kind}s/{name}">{kind}</a>'


def test_incidents_requests_and_versions_are_written_once(service: Service, fake: FakeGrafana) -> None:
    assert once(service.config) == Done(4, 0, 0, 0)
    assert held(fake) == {
        "inc_0": (1, 1, f"fraud version 3: faulty data, country (minor, over) {link('incident', 'inc_0')}"),
        "inc_1": (2, 2, f"fraud version 3: amount drifted (major, open) {link('incident', 'inc_1')}"),
        "trg_1": (2, 2, f"fraud version 3: retrain request, sent. amount drifted {link('trigger', 'trg_1')}"),
        "version": (0, 0, "fraud version 3: first predictions"),
    }
    tags = [each["tags"] for each in fake.state.annotations.values()]
    assert ["model-monitor", "model:fraud", "incident", "id:inc_1"] in tags
    before = len(fake.state.calls)
    assert once(service.config) == Done(0, 0, 4, 0)
    assert fake.state.calls[before:] == ["GET /annotations"]


def test_an_incident_that_ends_becomes_a_region_and_a_text_that_changes_is_changed(
    service: Service, fake: FakeGrafana
) -> None:
    once(service.config)
    closed, opened = service.shown.models["fraud"].incidents
    service.show(incidents=(closed, replace(opened, acknowledged=True, latest=window(4))))
    assert once(service.config) == Done(0, 1, 3, 0)
    start, end, text = held(fake)["inc_1"]
    assert (start, end) == (2, 2), "it is not over"
    assert "(major, acknowledged)" in text
    service.show(incidents=(closed, replace(opened, open=False, latest=window(4))))
    assert once(service.config) == Done(0, 1, 3, 0)
    start, end, text = held(fake)["inc_1"]
    assert (start, end) == (2, 5)
    assert "(major, over)" in text
    service.show(incidents=(replace(closed, severity="major"), opened))
    once(service.config)
    assert "faulty data, country (critical, over)" in held(fake)["inc_0"][2]
    withheld, sent = service.shown.models["fraud"].triggers
    service.show(triggers=(withheld, sent.after("succeeded", TEN_MS, "done", version="4")))
    assert once(service.config) == Done(0, 1, 3, 0)
    assert "retrain request, succeeded as version 4. amount drifted" in held(fake)["trg_1"][2]
    assert once(service.config) == Done(0, 0, 4, 0)


def test_what_the_service_has_forgotten_stays_and_what_somebody_deleted_comes_back(
    service: Service, fake: FakeGrafana
) -> None:
    once(service.config)
    service.show(incidents=())
    assert once(service.config) == Done(0, 0, 2, 0)
    assert len(fake.state.annotations) == 4
    del fake.state.annotations[1]
    fake.state.annotations[9] = {"id": 9, "time": TEN_MS, "timeEnd": TEN_MS, "tags": ["model-monitor"], "text": "mine"}
    service.shown = drifting()
    assert once(service.config) == Done(1, 0, 3, 0)


def test_names_cannot_break_out_of_text_tag_or_link(fake: FakeGrafana, tmp_path: Path) -> None:
    place = window(0, model=f"{HOSTILE * 4} a:b", version=HOSTILE, segment=f"x={HOSTILE}")
    opened = Incident("inc_1", "drift", "minor", place, place, (HOSTILE, "\ud800", "@prediction"))
    sent = Life.begun(trigger("trg_1", place, ()), place.end_ms)
    view = model_view(name=place.model, incidents=[opened], triggers=[sent], since={HOSTILE: TEN_MS})
    with serving(snapshot(view), tmp_path, fake.url) as service:
        assert once(service.config) == Done(3, 0, 0, 0)
        assert once(service.config) == Done(0, 0, 3, 0)
    for each in fake.state.annotations.values():
        text, *links = each["text"].split(" <a ")
        assert "<" not in text
        assert all(part.count("<") == 1 for part in links)
        assert html.unescape(each["text"]).isprintable()
        assert each["tags"][1].startswith("model:</script>")


def test_what_is_not_among_those_asked_for_is_looked_for_before_it_is_written(
    service: Service, fake: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(service.config)
    monkeypatch.setattr(grafana_annotate, "FOUND_MAX", 1)
    before = len(fake.state.calls)
    assert once(service.config) == Done(0, 0, 4, 0)
    assert fake.state.calls[before:] == ["GET /annotations"] * 4


def test_the_number_of_calls_is_bounded_and_the_next_time_goes_on(
    fake: FakeGrafana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana_annotate, "TURNS_MAX", 3)
    incidents = [Incident(f"inc_{hour}", "drift", "minor", window(hour), window(hour), ("a",)) for hour in range(8)]
    with serving(snapshot(model_view(incidents=incidents)), tmp_path, fake.url) as service:
        (said,) = annotate(service.config, None)
        assert said == "3 annotations written, 0 changed, 0 as they were; 5 more the next time"
        assert len(fake.state.calls) == 7
        assert set(held(fake)) == {f"inc_{hour}" for hour in (5, 6, 7)}, "the newest first"
        assert once(service.config) == Done(3, 0, 3, 2)
        assert once(service.config) == Done(2, 0, 6, 0)
        assert once(service.config) == Done(0, 0, 8, 0)


def test_long_lists_are_read_to_their_end_and_no_further(
    fake: FakeGrafana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana_annotate, "PAGE", 1)
    incidents = [Incident(f"inc_{hour}", "drift", "minor", window(hour), window(hour), ("a",)) for hour in range(5)]
    with serving(snapshot(model_view(incidents=incidents)), tmp_path, fake.url) as service:
        assert once(service.config).written == grafana_annotate.PAGES_MAX


def test_a_service_that_has_decided_nothing_asks_nothing(fake: FakeGrafana, tmp_path: Path) -> None:
    with serving(snapshot(model_view()), tmp_path, fake.url) as service:
        assert once(service.config) == Done(0, 0, 0, 0)
    assert fake.state.calls == []


class Ended(BaseException):
    """As Ctrl-C."""


def test_it_goes_on_through_outages_of_either_side(service: Service, fake: FakeGrafana) -> None:
    """Each wait does the next thing of the story; what is said is what has changed."""
    text = service.config.read_text()
    gone = text.replace(text.split("port: ")[1].split(",")[0], str(closed_port()))
    closed, opened = service.shown.models["fraud"].incidents

    def story() -> Iterator[None]:
        yield  # Nothing is new: nothing is said.
        fake.stopped = True
        yield
        yield  # It is said once.
        fake.stopped = False
        service.show(incidents=(closed, replace(opened, open=False)))
        yield
        service.config.write_text(gone)
        yield
        service.config.write_text(text)
        yield
        token = (service.config.parent / "grafana-token").read_text()
        (service.config.parent / "grafana-token").write_text("")
        yield
        (service.config.parent / "grafana-token").write_text(token)
        yield
        raise Ended

    steps, waits, said = story(), list[float](), list[str]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        next(steps)

    with pytest.raises(Ended):
        said.extend(annotate(service.config, "60s", wait))
    wrote, failed, again, away, back, empty, whole = said
    assert wrote == "4 annotations written, 0 changed, 0 as they were"
    assert failed == f"Grafana at {fake.url} fails (HTTP 503): look at its log, or try again"
    assert again == "0 annotations written, 1 changed, 3 as they were"
    assert away.startswith("no service answers at http://127.0.0.1:")
    assert back == whole == "0 annotations written, 0 changed, 4 as they were"
    assert "which is empty: put the secret there" in empty
    assert set(waits) == {60.0}
    assert len(held(fake)) == 4


def test_what_cannot_come_right_by_itself_ends_it(fake: FakeGrafana, tmp_path: Path) -> None:
    def never(seconds: float) -> None:
        raise AssertionError("it waited")

    with serving(drifting(), tmp_path, fake.url, "glsa_unknown") as service:
        with pytest.raises(ConfigError, match="does not know this token"):
            list(annotate(service.config, "60s", never))
        for every, why in (("often", "--every is not a duration"), ("1s", "--every is 1s: write 5s or more")):
            with pytest.raises(ConfigError, match=why):
                list(annotate(service.config, every, never))


def test_once_an_outage_is_an_error(service: Service, fake: FakeGrafana) -> None:
    fake.stopped = True
    with pytest.raises(UnavailableError, match="HTTP 503"):
        list(annotate(service.config, None))


def test_the_command_ends_in_order_when_it_is_interrupted(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(config: Path, every: str | None) -> Iterator[str]:
        yield from annotate(config, every, lambda seconds: (_ for _ in ()).throw(KeyboardInterrupt))

    monkeypatch.setattr(grafana_annotate, "annotate", interrupted)
    arguments = ["grafana", "annotate", "-c", str(service.config), "--every", "60s"]
    monkeypatch.setattr("sys.argv", ["monitor", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == "4 annotations written, 0 changed, 0 as they were\n"
