"""The rules of Grafana's own dashboard-linter, read from its source, and ours, on the files as they are committed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.models import units

from dashboards.source.promql import STATE_CODES
from monitor.exports.latest import STATES, overall
from monitor.exports.metrics import METRICS, PREFIX
from tests.alerts.promtool import run, tool
from tests.dashboards.grafana import DASHBOARDS, FILES, Json, asked, expressions, load, marks, panels, variables
from tests.exports.snapshots import verdict, window

UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SAMPLED = {"counter": ("",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
COUNTERS = {PREFIX + metric.name + suffix for metric in METRICS for suffix in SAMPLED.get(metric.type, ())}
UIDS = {load(path)["uid"]: load(path) for path in FILES}

each = pytest.mark.parametrize("dashboard", [load(path) for path in FILES], ids=[path.stem for path in FILES])


def named(dashboard: Json, name: str) -> Json:
    [found] = [variable for variable in dashboard["templating"]["list"] if variable["name"] == name]
    return found


def selectors(expr: str) -> list[str]:
    """The matchers of every selector."""
    return re.findall(r"\{([^}]*)\}", expr)


def addresses(value: object) -> Iterator[str]:
    """Every link to a dashboard, wherever it is."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "url" and inner:
                yield inner
            yield from addresses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from addresses(inner)


def test_there_are_four_with_addresses_that_stay() -> None:
    assert set(UIDS) == {f"model-monitor-{name}" for name in ("fleet", "model", "feature", "service")}
    assert {path.stem for path in FILES} == {uid.removeprefix("model-monitor-") for uid in UIDS}
    for dashboard in UIDS.values():
        assert "id" not in dashboard
        assert len(dashboard["uid"]) <= 40


@each
def test_it_cannot_be_edited_in_grafana(dashboard: Json) -> None:
    assert dashboard["editable"] is False


@each
def test_its_data_source_is_a_variable(dashboard: Json) -> None:
    [source] = [variable for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"]
    assert (source["name"], source["label"], source["query"]) == ("datasource", "Data source", "prometheus")
    used = [*panels(dashboard), *variables(dashboard), *marks(dashboard)]
    used += [target for panel in panels(dashboard) for target in panel["targets"]]
    assert all(entry["datasource"] == SOURCE for entry in used)


@each
@pytest.mark.parametrize("name", ["job", "instance"])
def test_its_target_is_a_variable(dashboard: Json, name: str) -> None:
    variable = named(dashboard, name)
    assert (variable["type"], variable["label"]) == ("query", name.capitalize())
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")


@each
def test_every_selector_is_of_the_target(dashboard: Json) -> None:
    its_own = {asked(named(dashboard, name))[0] for name in ("job", "instance")}
    for expr in set(expressions(dashboard)) - its_own:
        assert re.findall(rf"\b{PREFIX}\w+\b(?!\{{)", expr) == [], expr
        for matchers in selectors(expr):
            assert matchers.startswith('job=~"$job", instance=~"$instance"'), expr


@each
def test_its_variables_follow_the_time_that_is_shown(dashboard: Json) -> None:
    for variable in variables(dashboard):
        assert variable["refresh"] == 2, variable["name"]
        assert variable["description"].endswith("."), variable["name"]
        asked(variable)


@each
def test_every_variable_is_used(dashboard: Json) -> None:
    text = "\n".join(expressions(dashboard))
    for variable in variables(dashboard):
        assert re.search(rf"\${variable['name']}\b", text), variable["name"]


@each
def test_every_panel_has_a_title_a_description_a_unit_and_a_query(dashboard: Json) -> None:
    titles = [panel["title"] for panel in panels(dashboard)]
    assert all(titles)
    for panel in panels(dashboard):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        overrides = [each for override in panel["fieldConfig"]["overrides"] for each in override["properties"]]
        assert {each["value"] for each in overrides if each["id"] == "unit"} <= UNITS, panel["title"]
        assert all(target["expr"] for target in panel["targets"]), panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0


@each
def test_a_rate_is_over_the_interval_that_grafana_chooses(dashboard: Json) -> None:
    for expr in expressions(dashboard):
        ranges = re.findall(r"\b(?:rate|irate)\([^[]*\[([^]]*)\]", expr)
        assert set(ranges) <= {"$__rate_interval"}, expr
        assert set(re.findall(r"\[([^]]*)\]", expr)) <= {"$__rate_interval", "$__range"}, expr


@each
def test_counters_are_shown_as_rates_or_increases_alone(dashboard: Json) -> None:
    for expr in expressions(dashboard):
        for name in COUNTERS & set(re.findall(r"\w+", expr)):
            every = len(re.findall(rf"\b{name}\b", expr))
            assert len(re.findall(rf"\b(?:rate|increase)\({name}\{{[^}}]*\}}\[", expr)) == every, expr


def test_every_query_is_promql(tmp_path: Path) -> None:
    """By Prometheus' own parser, with something in place of Grafana's variables."""
    filled = [
        re.sub(r"\$__\w+", "5m", expr).replace("$", "")
        for dashboard in UIDS.values()
        for expr in expressions(dashboard)
    ]
    rules = [{"record": f"rule:{number}", "expr": expr} for number, expr in enumerate(filled)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert f"{len(filled)} rules found" in run(tool("promtool"), "check", "rules", path)


@each
def test_links_lead_to_a_dashboard_with_what_was_chosen_and_the_time(dashboard: Json) -> None:
    for url in addresses(dashboard):
        found = re.match(r"/d/([\w-]+)(\?|$)", url)
        assert found, url
        there = {variable["name"] for variable in UIDS[found[1]]["templating"]["list"]}
        here = {variable["name"] for variable in dashboard["templating"]["list"]}
        given, carried = set(re.findall(r"var-(\w+)=", url)), set(re.findall(r"\$\{(\w+):queryparam\}", url))
        assert given | carried <= there, url
        assert carried <= here, url
        if found[2]:
            assert {"datasource", "job", "instance"} <= carried, url
            assert "${__url_time_range}" in url, url
            assert "model" in given | carried, url


def test_one_dashboard_leads_to_the_next() -> None:
    leads = {uid: {url.split("?")[0] for url in addresses(dashboard)} for uid, dashboard in UIDS.items()}
    assert leads["model-monitor-fleet"] == {"/d/model-monitor-model"}
    assert leads["model-monitor-model"] == {"/d/model-monitor-feature"}
    assert leads["model-monitor-feature"] == {"/d/model-monitor-model"}
    for dashboard in UIDS.values():
        [menu] = [link for link in dashboard["links"] if link["type"] == "dashboards"]
        assert menu["tags"] == ["model-monitor"]
        assert menu["includeVars"]
        assert menu["keepTime"]
        assert "model-monitor" in dashboard["tags"]


@each
def test_panels_have_numbers_of_their_own_and_do_not_overlap(dashboard: Json) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    for title, at in places:
        assert at["x"] + at["w"] <= 24, title
    for (one, a), (other, b) in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (one, other)


@each
def test_a_line_of_panels_fills_the_width(dashboard: Json) -> None:
    lines: dict[int, int] = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        lines[at["y"]] = lines.get(at["y"], 0) + at["w"]
    assert set(lines.values()) == {24}


def test_what_happened_is_marked_where_models_are_shown() -> None:
    for uid, dashboard in UIDS.items():
        names = [mark["name"] for mark in dashboard["annotations"]["list"]]
        if uid == "model-monitor-service":
            assert names == []
            continue
        assert names[:4] == ["Incident opened", "Incident over", "Retraining", "New version"]
        written = dashboard["annotations"]["list"][4]
        assert written["datasource"] == {"type": "grafana", "uid": "-- Grafana --"}
        assert written["target"]["type"] == "tags"
        assert written["target"]["matchAny"] is False
        tags = ["model-monitor"] if uid == "model-monitor-fleet" else ["model-monitor", "model:$model"]
        assert written["target"]["tags"] == tags


def test_states_have_codes_in_the_order_of_their_gravity() -> None:
    assert set(STATE_CODES) == set(STATES)
    place = window(0)
    for one, other in combinations(STATES, 2):
        gravest = overall([verdict(place, "a", one), verdict(place, "b", other)])
        assert gravest == max(one, other, key=STATE_CODES.__getitem__)


@each
def test_a_state_has_the_same_word_and_colour_everywhere(dashboard: Json) -> None:
    colours = {"ok": "green", "watch": "orange", "drifting": "red"}
    for mappings in mapped(dashboard):
        [words] = mappings
        assert {int(code): said["text"] for code, said in words["options"].items()} == {
            code: state for state, code in STATE_CODES.items()
        }
        assert {said["text"]: said["color"] for said in words["options"].values() if said["text"] in colours} == colours


def mapped(dashboard: Json) -> Iterator[list[Json]]:
    for panel in panels(dashboard):
        config = panel["fieldConfig"]
        yield from filter(None, [config["defaults"].get("mappings")])
        yield from (
            entry["value"]
            for found in config["overrides"]
            for entry in found["properties"]
            if entry["id"] == "mappings"
        )


def test_grafana_is_told_of_them_by_files() -> None:
    provisioning = DASHBOARDS / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "model-monitor.yaml").read_text())["datasources"]
    assert (source["type"], source["uid"], source["url"]) == ("prometheus", "model-monitor", "$PROMETHEUS_URL")
    for dashboard in UIDS.values():
        assert named(dashboard, "datasource")["current"]["value"] == source["uid"]
    [provider] = yaml.safe_load((provisioning / "dashboards" / "model-monitor.yaml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["folder"] == "Model monitor"
