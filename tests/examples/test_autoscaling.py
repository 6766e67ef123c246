"""The examples that scale a model's servers: well-formed, on metrics that exist, and right about what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.engine.latency import LATENCIES_MS
from monitor.exports.metrics import METRICS, PREFIX

FOLDER = Path(__file__).parents[2] / "examples" / "autoscaling"
SERVERS, CONSUMERS = yaml.safe_load_all((FOLDER / "keda.yaml").read_text())
HPA = yaml.safe_load((FOLDER / "hpa.yaml").read_text())
RULES = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["externalRules"]


def rendered(rule: dict[str, Any]) -> str:
    """As the adapter asks Prometheus when the HPA asks for the model `fraud`."""
    query = rule["metricsQuery"].replace("<<.Series>>", rule["seriesQuery"])
    return query.replace("<<.LabelMatchers>>", 'model="fraud"')


QUERIES = {f"keda {trigger['name']}": trigger["metadata"]["query"] for trigger in SERVERS["spec"]["triggers"]} | {
    f"adapter {name}": rendered(rule) for name, rule in zip(("rate", "latency"), RULES, strict=True)
}


def test_queries_are_of_metrics_of_the_table_with_their_labels() -> None:
    labels = {metric.name: {*metric.labels, "le"} for metric in METRICS}
    for query in QUERIES.values():
        selected = re.findall(rf"{PREFIX}(\w+?)(?:_bucket|_count)?\{{([^}}]*)\}}", query)
        assert len(selected) == query.count(PREFIX) >= 2
        for name, matchers in selected:
            assert set(re.findall(r"(\w+)=", matchers)) <= labels[name]


def test_keda_and_the_adapter_ask_the_same() -> None:
    for each in ("rate", "latency"):
        assert QUERIES[f"keda {each}"].split() == QUERIES[f"adapter {each}"].split()


@pytest.mark.parametrize("scaled", [SERVERS, CONSUMERS], ids=["servers", "consumers"])
def test_scaled_objects_have_what_their_definition_requires(scaled: dict[str, Any]) -> None:
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = scaled["spec"]
    assert spec.keys() <= {"scaleTargetRef", "pollingInterval", "minReplicaCount", "maxReplicaCount", "advanced",
                           "triggers"}  # fmt: skip
    assert spec["scaleTargetRef"]["name"] == scaled["metadata"]["name"]
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    required = {"prometheus": {"serverAddress", "query", "threshold"}, "kafka": {"bootstrapServers", "consumerGroup"}}
    for trigger in spec["triggers"]:
        assert trigger.keys() <= {"type", "name", "metricType", "metadata"}
        assert required[trigger["type"]] <= trigger["metadata"].keys()
        assert all(isinstance(value, str) for value in trigger["metadata"].values()), "metadata holds strings alone"
        assert trigger.get("metricType", "AverageValue") in ("AverageValue", "Value")


def test_the_autoscaler_has_what_its_definition_requires_and_asks_for_what_the_adapter_makes() -> None:
    assert (HPA["apiVersion"], HPA["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    spec = HPA["spec"]
    assert spec["scaleTargetRef"].keys() == {"apiVersion", "kind", "name"}
    assert 1 <= spec["minReplicas"] < spec["maxReplicas"]
    assert [each["external"]["metric"]["name"] for each in spec["metrics"]] == [rule["name"]["as"] for rule in RULES]
    for metric in spec["metrics"]:
        assert metric.keys() == {"type", "external"}
        target = metric["external"]["target"]
        assert target.keys() == {"type", {"AverageValue": "averageValue", "Value": "value"}[target["type"]]}
        assert metric["external"]["metric"]["selector"] == {"matchLabels": {"model": "fraud"}}
    assert all(rule["resources"] == {"namespaced": False} for rule in RULES)


def test_both_ways_have_the_same_bounds_and_targets() -> None:
    keda, hpa = SERVERS["spec"], HPA["spec"]
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (hpa["minReplicas"], hpa["maxReplicas"])
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    rate, latency = (trigger["metadata"]["threshold"] for trigger in keda["triggers"])
    targets = [each["external"]["target"] for each in hpa["metrics"]]
    assert targets[0]["averageValue"] == rate
    assert targets[1]["value"] == f"{1_000 * float(latency):.0f}m"
    assert 1_000 * float(latency) in LATENCIES_MS, "a target lies best at the end of a cell"


def series(rate: str, within_100_ms: str, lag: str | None) -> list[dict[str, str]]:
    """Samples a quarter of a minute apart; rate: of the predictions, all within 250 ms. lag: None: not known."""
    latency = f'{PREFIX}prediction_latency_seconds_%s{{model="fraud"%s}}'
    found = {
        f'{PREFIX}predictions_total{{model="{name}"}}': values for name, values in (("fraud", rate), ("x", "0+9x40"))
    }
    found |= {latency % ("count", ""): rate}
    cells = {"0.05": "0+0x40", "0.1": within_100_ms, "0.25": rate, "+Inf": rate}
    found |= {latency % ("bucket", f',le="{le}"'): values for le, values in cells.items()}
    if lag is not None:
        found |= {f'{PREFIX}consumer_lag_records{{topic="predictions",partition="{place}"}}': lag for place in (0, 1)}
        found |= {f'{PREFIX}consumer_lag_records{{topic="labels",partition="0"}}': "9000x40"}
    return [{"series": name, "values": values} for name, values in found.items()]


CASES: dict[str, tuple[list[dict[str, str]], float | None, float | None]] = {
    "traffic": (series("0+600x40", "0+540x40", "2000x40"), 40, 0.175),
    "no traffic any more": (series("600+0x40", "540+0x40", "0x40"), 0, 0),
    "far behind": (series("0+600x40", "0+540x40", "2500x40"), None, None),
    "kafka is away": (series("0+600x40", "0+540x40", None), None, None),
    "nothing is scraped": ([], None, None),
}
"""Series, and what rate and latency say of them after five minutes; None: nothing."""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_queries_say_one_number_or_nothing(case: tuple[Any, float | None, float | None], tmp_path: Path) -> None:
    given, rate, latency = case
    expected = {"rate": rate, "latency": latency}
    checks = [
        {
            "expr": f"round({query}, 0.0001)",
            "eval_time": "5m",
            "exp_samples": [] if (value := expected[name.split()[1]]) is None else [{"labels": "{}", "value": value}],
        }
        for name, query in QUERIES.items()
    ]
    tests = [{"interval": "15s", "input_series": given, "promql_expr_test": checks}]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
