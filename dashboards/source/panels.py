"""Panels that look alike on every dashboard, with colours that mean the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.source.promql import STATE_CODES

OK, WATCH, DRIFTING, IDLE, PLAIN = "green", "orange", "red", "#808b99", "text"

STATE_COLOURS = {"ok": OK, "watch": WATCH, "drifting": DRIFTING}
"""Of the other states nothing can be said: they are grey."""

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = Builder[models.Panel]

BESIDE = 12
"""Columns from which a chart has its legend beside it."""

EVIDENT = 1e-3
"""Evidence below a thousandth of the alarm's is none: the axis ends there."""

Steps = Sequence[tuple[float | None, str]]
"""Colours from values on, the first from None: of any value."""

Made = TypeVar("Made", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)

Properties = Mapping[str, Any]
"""What is particular to a field, by the names that Grafana's field configuration has."""

NONE_IS_WELL: Steps = ((None, OK), (1, DRIFTING))
NONE_IS_CALM: Steps = ((None, OK), (1, WATCH))
NEUTRAL: Steps = ((None, PLAIN),)
ALARM_AT_ONE: Steps = ((None, "transparent"), (1, DRIFTING))


@dataclass(frozen=True)
class Line:
    """A query and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Column:
    """A column of figures: a query that gives a value a row. steps: its cells are coloured by them."""

    title: str
    expr: str
    unit: str = "short"
    decimals: int | None = None
    steps: Steps = ()
    properties: Properties = field(default_factory=dict)


def states(codes: Mapping[str, int] = STATE_CODES) -> list[models.ValueMapping]:
    """From the code of a state to its word and colour."""
    words = {
        str(code): models.ValueMappingResult(text=state, color=STATE_COLOURS.get(state, IDLE), index=code)
        for state, code in codes.items()
    }
    return [models.ValueMap(words)]


def figure(
    title: str,
    description: str,
    *lines: Line,
    unit: str = "short",
    steps: Steps = NEUTRAL,
    span: int = 3,
    decimals: int | None = None,
    none: str = "none",
    mappings: Sequence[models.ValueMapping] = (),
    names: bool = False,
    links: Sequence[tuple[str, str]] = (),
) -> stat.Panel:
    """What is true now, in large. none: what is said where there is nothing. names: shows what the series are called,
    and nothing else.
    """
    mode = common.BigValueTextMode.NAME if names else common.BigValueTextMode.AUTO
    panel = _base(stat.Panel(), title, description, unit, span, 4)
    panel.targets(_queries(lines, instant=True)).thresholds(_thresholds(steps)).mappings(list(mappings))
    panel.color_mode(common.BigValueColorMode.VALUE).graph_mode(common.BigValueGraphMode.NONE).text_mode(mode)
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"])).no_value(none)
    panel.data_links([_link(*each) for each in links])
    return panel if decimals is None else panel.decimals(decimals)


def chart(
    title: str,
    description: str,
    *lines: Line,
    unit: str = "short",
    span: int = 12,
    height: int = 8,
    lowest: float | None = 0,
    highest: float | None = None,
    logarithmic: bool = False,
    steps: Steps = (),
    bars: bool = False,
    stacked: bool = False,
    styles: Mapping[str, Properties] | None = None,
    links: Sequence[tuple[str, str]] = (),
    decimals: int | None = None,
) -> timeseries.Panel:
    """Lines over time. steps: drawn as lines where a value means something. styles: by a regular expression of the
    series' names.
    """
    panel = _base(timeseries.Panel(), title, description, unit, span, height)
    panel.targets(_queries(lines)).tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    panel.legend(_legend_beside() if span >= BESIDE else _legend_below())
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    panel.line_width(2).fill_opacity(0).show_points(common.VisibilityMode.NEVER)
    panel.data_links([_link(*each) for each in links])
    if bars:
        panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(60).line_width(1)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
        panel.fill_opacity(60).line_width(1)
    if logarithmic:
        panel.scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10))
    if lowest is not None:
        panel.min(lowest)
    if highest is not None:
        panel.max(highest)
    if decimals is not None:
        panel.decimals(decimals)
    if steps:
        panel.thresholds(_thresholds(steps)).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    for pattern, properties in (styles or {}).items():
        panel.override_by_regexp(pattern, _dynamic(properties))
    return panel


def timeline(title: str, description: str, *lines: Line, span: int = 12, height: int = 8) -> statetimeline.Panel:
    """States over time, a row a series; the queries give codes of states."""
    panel = _base(statetimeline.Panel(), title, description, "short", span, height)
    panel.targets(_queries(lines)).mappings(states()).show_value(common.VisibilityMode.NEVER).merge_values(True)
    panel.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)).thresholds(_thresholds(NEUTRAL))
    panel.legend(_legend_below()).fill_opacity(85).line_width(0).per_page(20)
    return panel.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))


def listing(
    title: str,
    description: str,
    keys: Mapping[str, str],
    columns: Sequence[Column],
    worst_first: Sequence[str],
    *,
    height: int = 10,
    links: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> table.Panel:
    """A row for each combination of labels. keys: titles, by label; every column's query keeps these labels and no
    other. worst_first: titles of columns, the largest on top. links: by label.
    """
    panel = _base(table.Panel(), title, description, "short", 24, height)
    panel.targets(_queries([Line(column.expr) for column in columns], instant=True, format_val=PromQueryFormat.TABLE))
    values = {f"Value #{letter}": column for letter, column in zip(ascii_uppercase, columns, strict=False)}
    order = {name: index for index, name in enumerate((*keys, *values))}
    panel.transformations(
        [
            models.DataTransformerConfig(id_val="merge", options={}),
            models.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": {}},
            ),
        ]
    )
    for label, heading in keys.items():
        to = [{"title": said, "url": url} for said, url in (links or {}).get(label, ())]
        panel.override_by_name(label, _dynamic({"displayName": heading, **({"links": to} if to else {})}))
    for name, column in values.items():
        panel.override_by_name(name, _dynamic({"displayName": column.title, **_cells(column)}))
    panel.sort_by([common_builders.TableSortByFieldState().display_name(each).desc(True) for each in worst_first])
    return panel.filterable(True)


def state_column(expr: str) -> Column:
    """The gravest state."""
    return Column("State", expr, steps=NEUTRAL, properties={"mappings": states()})


def _cells(column: Column) -> Properties:
    properties: dict[str, Any] = {"unit": column.unit, **column.properties}
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.steps:
        properties["thresholds"] = _thresholds(column.steps).build()
        properties["custom.cellOptions"] = {"type": "color-text"}
    return properties


def _base(panel: Made, title: str, description: str, unit: str, span: int, height: int) -> Made:
    return panel.title(title).description(description).unit(unit).datasource(SOURCE).span(span).height(height)


def _queries(
    lines: Sequence[Line], *, instant: bool = False, format_val: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> list[Builder[Dataquery]]:
    made: list[Builder[Dataquery]] = []
    for letter, line in zip(ascii_uppercase, lines, strict=False):
        query = prometheus.Dataquery().expr(line.expr).ref_id(letter).format(format_val).datasource(SOURCE)
        made.append((query.instant() if instant else query.range()).legend_format(line.legend or "__auto"))
    return made


def _legend_beside() -> common_builders.VizLegendOptions:
    """With figures, where there is room: below, a dozen lines of it would leave none for the chart."""
    legend = common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.RIGHT)
    return legend.display_mode(common.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])


def _legend_below() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    return legend.display_mode(common.LegendDisplayMode.LIST).calcs([])


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    made = [models.Threshold(value, colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def _dynamic(properties: Properties) -> list[models.DynamicConfigValue]:
    return [models.DynamicConfigValue(name, value) for name, value in properties.items()]


def _link(title: str, url: str) -> builders.DashboardLink:
    return builders.DashboardLink(title).url(url)


def fixed(colour: str, **more: Any) -> Properties:
    """A colour of its own, and what else is particular."""
    return {"color": {"mode": "fixed", "fixedColor": colour}, **more}


def dashed(colour: str) -> Properties:
    """A line that others are held against."""
    return fixed(colour, **{"custom.lineStyle": {"fill": "dash", "dash": [10, 10]}, "custom.lineWidth": 1})
