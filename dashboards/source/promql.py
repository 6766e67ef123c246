"""Queries: every selector is of the job and the instance that the reader has chosen."""

from __future__ import annotations

from collections.abc import Callable

from monitor.exports.metrics import PREFIX

TARGET = 'job=~"$job", instance=~"$instance"'

STATE_CODES = {"insufficient": 0, "learning": 1, "untestable": 2, "ok": 3, "watch": 4, "drifting": 5}
"""A number for each state, the gravest largest: Grafana maps it back to the word and its colour."""

LARGEST = 10
"""Lines of a chart that cannot show every feature."""


class Scope:
    """What a dashboard's variables choose: matchers of every selector, beside job and instance.

    A matcher is a value; after "~" it is a pattern, and "!" alone is any value but none.
    """

    def __init__(self, **matchers: str) -> None:
        self._matchers = matchers

    def __call__(self, metric: str, **matchers: str) -> str:
        """A selector of one of our metrics, named without its prefix."""
        return PREFIX + metric + self.selector(**matchers)

    def selector(self, **matchers: str) -> str:
        every = self._matchers | matchers
        return "{" + ", ".join((TARGET, *(_matcher(label, value) for label, value in every.items()))) + "}"

    def narrower(self, **matchers: str) -> Scope:
        return Scope(**self._matchers, **matchers)

    def most_evident(self, by: str) -> str:
        """The features that had most evidence in the time that is shown, by labels."""
        evidence = self("drift_evidence_ratio")
        return f"topk({2 * LARGEST}, max by ({by}) (max_over_time({evidence}[$__range] @ end())))"

    def feature_states(self, by: str) -> str:
        """Code of the gravest state of any feature, by labels."""
        return _gravest(by, lambda state: self("drift_state", state=state))

    def slice_states(self, by: str) -> str:
        """The same from the number of features in each state: complete where the series budget is not."""
        return _gravest(by, lambda state: f"({self('drift_features', state=state)} > bool 0)")

    def drop_used(self, by: str) -> str:
        """How much of the drop that is no alarm has been used: 0 at the reference's performance, 1 at the limit; either
        way round, as of an error.
        """
        reference, limit = self("performance_reference"), self("performance_limit")
        return f"max by ({by}) (({reference} - {self('performance')}) / ({reference} - {limit}))"

    def held_to(self, by: str) -> str:
        """Performance, of the metric that the model is held to."""
        return f"max by ({by}) ({self('performance')} and {self('performance_reference')})"

    def age(self, metric: str, by: str = "") -> str:
        """Seconds since the newest of the timestamps."""
        return f"time() - max by ({by}) ({self(metric)})"

    def largest(self, metric: str) -> str:
        """The series with the largest values in the time that is shown: the same ones at every step."""
        selector = self(metric)
        return f"{selector} and topk({LARGEST}, max_over_time({selector}[$__range] @ end()))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Of what a histogram has counted within a step. histogram: the selector of its buckets."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}[$__rate_interval])))"


def rate(selector: str, by: str = "") -> str:
    return f"sum by ({by}) (rate({selector}[$__rate_interval]))"


def risen(selector: str, by: str = "") -> str:
    """Whole number that a counter has risen by in the time that is shown."""
    return f"round(sum by ({by}) (increase({selector}[$__range])))"


def _matcher(label: str, value: str) -> str:
    if value == "!":
        return f'{label}!=""'
    return f'{label}=~"{value[1:]}"' if value.startswith("~") else f'{label}="{value}"'


def _gravest(by: str, selector: Callable[[str], str]) -> str:
    codes = sorted(STATE_CODES.items(), key=lambda entry: -entry[1])
    return f"max by ({by}) (" + " or ".join(f"{code} * {selector(state)}" for state, code in codes if code) + ")"
