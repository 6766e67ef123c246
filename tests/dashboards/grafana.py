"""What Grafana makes of our dashboards: their files as it reads them, their queries with variables filled in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
FILES = sorted(DASHBOARDS.glob("*.json"))

SCRAPED_S = 1
"""Of the tests' Prometheus. A minute of the files is as much: annotations are looked for as often."""

Json = dict[str, Any]
Values = dict[str, str]
"""A variable's text in a query, by its name."""


@dataclass(frozen=True)
class Query:
    """One query of a panel, or of an annotation. regex: of a variable's query."""

    expr: str
    instant: bool = False


@dataclass(frozen=True)
class Span:
    """The time that is shown, seconds since 1970, in steps."""

    start: int
    end: int
    step: int = SCRAPED_S

    @property
    def seconds(self) -> int:
        return self.end - self.start


@cache
def load(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def panels(dashboard: Json) -> Iterator[Json]:
    """Those that show something: rows are headings."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def targets(panel: Json) -> list[Query]:
    return [Query(target["expr"], bool(target.get("instant"))) for target in panel["targets"]]


def variables(dashboard: Json) -> Iterator[Json]:
    """Those that Prometheus is asked for."""
    return (each for each in dashboard["templating"]["list"] if each["type"] == "query")


def marks(dashboard: Json) -> Iterator[Json]:
    """Annotations that Prometheus is asked for."""
    return (each for each in dashboard["annotations"]["list"] if "expr" in each)


def expressions(dashboard: Json) -> Iterator[str]:
    """PromQL of every panel, variable and annotation."""
    yield from (query.expr for panel in panels(dashboard) for query in targets(panel))
    yield from (asked(variable)[0] for variable in variables(dashboard))
    yield from (mark["expr"] for mark in marks(dashboard))


def asked(variable: Json) -> tuple[str, str]:
    """The PromQL of a variable, and the label whose values are its own: empty where a regular expression says."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
    if found:
        return found[1], found[2]
    found = re.fullmatch(r"query_result\((.+)\)", variable["query"])
    assert found, variable["query"]
    return found[1], ""


class Asked:
    """Prometheus, asked as Grafana asks for one dashboard, in one span of time."""

    def __init__(self, prometheus: httpx.Client, span: Span) -> None:
        self._prometheus = prometheus
        self._span = span

    def options(self, variable: Json, values: Values) -> list[str]:
        """What can be chosen, in the order in which it is shown."""
        expr, label = asked(variable)
        if not label:
            rows = self._get("query", query=self._filled(expr, values), time=self._span.end)["result"]
            lines = ("{" + ", ".join(f'{name}="{of}"' for name, of in row["metric"].items()) + "}" for row in rows)
            found = (re.search(variable["regex"].strip("/"), line) for line in lines)
            return [each[1] for each in found if each]
        match = {"match[]": self._filled(expr, values), "start": self._span.start, "end": self._span.end}
        return sorted(self._get(f"label/{label}/values", **match))

    def chosen(self, dashboard: Json, wanted: Mapping[str, str] | None = None) -> Values:
        """What the variables are at first, or where one of them is wanted to be: each depends on those before it."""
        values: Values = {}
        for variable in variables(dashboard):
            name = variable["name"]
            options = self.options(variable, values)
            assert options, f"nothing to choose for {name}"
            if wanted is not None and name in wanted:
                assert wanted[name] in options, (name, options)
                values[name] = _escaped(wanted[name], variable)
            elif variable.get("includeAll"):
                values[name] = variable["allValue"]
            elif variable.get("current"):
                assert set(variable["current"]["value"]) <= set(options), (name, options)
                values[name] = "(" + "|".join(_escaped(each, variable) for each in variable["current"]["value"]) + ")"
            else:
                values[name] = _escaped(options[0], variable)
        return values

    def has_data(self, query: Query, values: Values) -> bool:
        expr = self._filled(query.expr, values)
        if query.instant:
            rows = self._get("query", query=expr, time=self._span.end)["result"]
            return any(not math.isnan(float(row["value"][1])) for row in rows)
        span = {"start": self._span.start, "end": self._span.end, "step": self._span.step}
        rows = self._get("query_range", query=expr, **span)["result"]
        return any(not math.isnan(float(value)) for row in rows for _, value in row["values"])

    def _filled(self, expr: str, values: Values) -> str:
        step = self._span.step
        given = {
            "__rate_interval": f"{max(step + SCRAPED_S, 4 * SCRAPED_S)}s",
            "__interval": f"{step}s",
            "__range": f"{self._span.seconds}s",
            **values,
        }
        return re.sub(r"\$(\w+)", lambda found: given[found[1]], expr)

    def _get(self, path: str, **params: Any) -> Any:
        answer = self._prometheus.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, (params, answer.text)
        return answer.json()["data"]


def _escaped(value: str, variable: Json) -> str:
    """In a string of PromQL; of one that may be All, or several, it is part of a pattern."""
    if variable.get("includeAll") or variable.get("multi"):
        return re.sub(r"([\\^$*+?.()|{}\[\]])", r"\\\\\1", value)
    return value.replace("\\", "\\\\").replace('"', '\\"')
