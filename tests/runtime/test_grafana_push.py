"""`monitor grafana push`, and `monitor check` of where it goes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from monitor import cli
from monitor.config import load
from monitor.config.grafana import DATA_SOURCE
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.runtime.commands import _grafana_problems
from monitor.runtime.grafana_push import push
from tests.grafana import FakeGrafana
from tests.ports import closed_port

VARIABLES = [
    {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}},
    {"name": "logs", "type": "datasource", "query": "loki", "current": {}},
    {"name": "model", "type": "query", "query": "label_values(model)"},
]
FLEET = {"uid": "fleet", "title": "Fleet", "panels": [], "templating": {"list": VARIABLES}, "version": 3, "id": 8}
MODEL = {"uid": "model", "title": "Model", "panels": [{"type": "timeseries", "title": "Drift"}]}


def configured(directory: Path, url: str, token: str = "glsa_editor", also: str = "") -> Path:
    (directory / "token").write_text(f"{token}\n")
    path = directory / "monitor.yaml"
    # Of another machine: neither the reference nor the token of the service is here.
    path.write_text(
        "kafka: {bootstrap_servers: 'localhost:9092'}\nserver: {token_file: elsewhere}\n"
        "models: [{name: m, reference: elsewhere.profile}]\n"
        f"grafana: {{url: '{url}', token_file: token{also}}}\n"
    )
    return path


def written(directory: Path, **dashboards: Any) -> Path:
    folder = directory / "dashboards"
    folder.mkdir(exist_ok=True)
    for name, dashboard in dashboards.items():
        text = dashboard if isinstance(dashboard, str) else json.dumps(dashboard)
        (folder / f"{name}.json").write_text(text)
    return folder


def test_dashboards_are_created_once_and_saved_again_only_where_they_differ(tmp_path: Path) -> None:
    directory = written(tmp_path, fleet=FLEET, model=MODEL)
    with FakeGrafana("/grafana") as fake:
        config = configured(tmp_path, fake.url, "glsa_admin")
        fake.state.sources[DATA_SOURCE] = {"type": "prometheus", "url": "http://prometheus:9090"}
        assert list(push(config, directory, None)) == [
            f"Fleet: created, {fake.url}/d/fleet",
            f"Model: created, {fake.url}/d/model",
        ]
        assert fake.state.folders == {"model-monitor": "Model monitor"}
        assert fake.state.folder_of == {"fleet": "model-monitor", "model": "model-monitor"}
        held, before = copy.deepcopy(fake.state.dashboards), len(fake.state.writes())
        assert list(push(config, directory, None)) == [
            f"Fleet: unchanged, {fake.url}/d/fleet",
            f"Model: unchanged, {fake.url}/d/model",
        ]
        assert fake.state.dashboards == held
        assert len(fake.state.writes()) == before, "nothing was to be written"
        written(tmp_path, model={**MODEL, "title": "Model of mine"})
        fake.state.folder_of["fleet"] = "elsewhere"
        lines = list(push(config, directory, None))
        assert [line.split(",")[0] for line in lines] == ["Fleet: updated", "Model of mine: updated"]
        assert fake.state.dashboards["model"]["version"] == 2
        assert fake.state.folder_of["fleet"] == "model-monitor"


def test_the_data_source_is_made_when_asked_for_and_chosen_in_each_dashboard(tmp_path: Path) -> None:
    directory = written(tmp_path, fleet=FLEET)
    with FakeGrafana() as fake:
        config = configured(tmp_path, fake.url, "glsa_admin", ", data_source: ours, folder: 'Team A: models'")
        note, line = push(config, directory, None)
        assert note.startswith("note: Grafana has no data source ours: name its Prometheus under grafana.data_source")
        assert line.startswith("Fleet: created")
        assert fake.state.sources == {}
        assert next(push(config, directory, "http://prometheus:9090")) == "data source ours: created"
        (made,) = fake.state.sources.values()
        assert (made["uid"], made["type"], made["url"]) == ("ours", "prometheus", "http://prometheus:9090")
        made["basicAuth"] = True
        assert next(push(config, directory, "http://prometheus:9090")) == "data source ours: unchanged"
        assert next(push(config, directory, "http://other:9090")) == "data source ours: updated"
        assert fake.state.sources["ours"]["basicAuth"], "what else is set of it stays"
        assert fake.state.sources["ours"]["url"] == "http://other:9090"
        shown = fake.state.dashboards["fleet"]["templating"]["list"]
        assert [each.get("current") for each in shown] == [{"text": "ours", "value": "ours"}, {}, None]
        assert fake.state.folders == {"team-a-models": "Team A: models"}
        fake.state.sources["ours"]["type"] = "loki"
        with pytest.raises(RefusedError, match="data source ours is no Prometheus"):
            list(push(config, directory, "http://prometheus:9090"))


def test_a_folder_is_found_by_its_title_and_if_it_was_renamed_by_its_uid(tmp_path: Path) -> None:
    directory = written(tmp_path, model=MODEL)
    with FakeGrafana() as fake:
        config = configured(tmp_path, fake.url)
        fake.state.folders["by-hand"] = "Model monitor"
        list(push(config, directory, None))
        assert fake.state.folder_of == {"model": "by-hand"}
        fake.state.folders = {"model-monitor": "Renamed"}
        list(push(config, directory, None))
        assert fake.state.folder_of == {"model": "model-monitor"}
        assert fake.state.folders == {"model-monitor": "Renamed"}


def test_what_is_no_dashboard_is_said_and_the_others_are_pushed(tmp_path: Path) -> None:
    directory = written(
        tmp_path,
        a_list="[1]",
        b_broken="{",
        c_bare='{"title": "x", "uid": "y"}',
        d_nameless={**MODEL, "title": ""},
        e_uid={**MODEL, "uid": "no uid"},
        f_model=MODEL,
        g_twice=MODEL,
        h_refused={**MODEL, "uid": "refused", "title": "refused"},
        i_fleet=FLEET,
        j_file={**MODEL, "uid": "provisioned"},
        k_deep="[" * 100_000,
    )
    lines: list[str] = []
    with FakeGrafana() as fake:
        fake.state.dashboards["provisioned"] = {**MODEL, "version": 1}
        fake.state.folder_of["provisioned"] = "x"
        fake.state.provisioned.add("provisioned")
        with pytest.raises(RefusedError) as raised:
            lines.extend(push(configured(tmp_path, fake.url), directory, None))
        assert [line.split(",")[0] for line in lines] == ["Model: created", "Fleet: created"]
    said = [line.removeprefix(f"{directory}/") for line in str(raised.value).splitlines()]
    assert [line.split(": ", 1)[0] for line in said] == [
        f"{name}.json was not pushed"
        for name in ("a_list", "b_broken", "c_bare", "d_nameless", "e_uid", "g_twice", "h_refused", "j_file", "k_deep")
    ]
    assert "it is not JSON" in said[1]
    assert "it has no panels" in said[2]
    assert f"it has the uid of {directory}/f_model.json, model" in said[5]
    assert said[6].endswith(
        "Grafana refuses that (HTTP 412): A dashboard with the same name\\nin the folder already exists"
    )
    assert "was provisioned from a file of Grafana's" in said[7]


def test_without_the_right_to_write_it_ends_at_once(tmp_path: Path) -> None:
    directory = written(tmp_path, model=MODEL)
    with FakeGrafana() as fake:
        with pytest.raises(ConfigError, match="give its service account the role Editor"):
            list(push(configured(tmp_path, fake.url, "glsa_viewer"), directory, None))
        with pytest.raises(ConfigError, match="the role Admin"):
            list(push(configured(tmp_path, fake.url, "glsa_editor"), directory, "http://prometheus:9090"))
        with pytest.raises(ConfigError, match="does not know this token"):
            list(push(configured(tmp_path, fake.url, "glsa_unknown"), directory, None))
        assert fake.state.dashboards == {}


def test_what_the_command_lacks_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    config = configured(tmp_path, url)
    with pytest.raises(ConfigError, match="holds no dashboard"):
        list(push(config, tmp_path / "nothing", None))
    directory = written(tmp_path, model=MODEL)
    with pytest.raises(ConfigError, match="--prometheus-url is not an address"):
        list(push(config, directory, "prometheus:9090"))
    with pytest.raises(UnavailableError, match="nobody listens there"):
        list(push(config, directory, None))
    config.write_text(config.read_text().replace("grafana:", "server2:"))
    with pytest.raises(ConfigError, match="has no `grafana`: add where it is"):
        list(push(config, directory, None))


def test_the_command_ends_as_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = written(tmp_path, model=MODEL, none="[]")
    with FakeGrafana() as fake:
        config = configured(tmp_path, fake.url)
        monkeypatch.setattr("sys.argv", ["monitor", "grafana", "push", str(directory), "-c", str(config)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out == f"Model: created, {fake.url}/d/model\n"
    assert said.err.startswith(f"monitor: {directory}/none.json was not pushed: it is no dashboard")


def test_check_tries_it_and_names_no_token(tmp_path: Path) -> None:
    def problems(url: str, token: str = "glsa_viewer") -> list[str]:
        path = configured(tmp_path, url, token)
        text = path.read_text().replace("token_file: elsewhere", "port: 0").replace("elsewhere.profile", "{learn: 14d}")
        path.write_text(text.replace("name: m,", "name: m, task: binary, positive: '1', features: {a: numeric},"))
        return list(_grafana_problems(load(path).grafana()))

    with FakeGrafana() as fake:
        assert problems(fake.url) == []
        (said,) = problems(fake.url, "glsa_unknown")
        assert "does not know this token" in said
        assert "glsa_unknown" not in said
    (said,) = problems(f"http://127.0.0.1:{closed_port()}")
    assert "nobody listens there" in said
    assert list(_grafana_problems(None)) == []
