"""The heat map of a model's page: features by windows, the worst first, with marks that need no colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monitor.detection.sentences import spoken
from monitor.events.timestamps import iso, utc
from monitor.exports.heat import STEPS, Cell, Heat, Row, of_model
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.charts import Trace, chart, label
from monitor.exports.pages.parts import feature_page, number, span, table
from monitor.snapshot import ModelView
from monitor.spec import DAY_MS, HOUR_MS

_COLOURS = ("var(--ha)", "var(--hb)", "var(--hc)", "var(--hd)", "var(--he)", "var(--hf)")
_MARKS = (("▲", "drifting"), ("△", "watch"), ("◆", "faulty data"), ("–", "learning"))
_ROW, _AXES, _TICKS = 22, 40, 5
_NAME = 26  # Characters of a name that fit beside its row; on a phone, fewer are left to the windows otherwise.


def heat_map(model: ModelView, version: str) -> Content:
    """None where no window is held."""
    seen = of_model(model, version)
    if not seen.columns or not seen.rows:
        return None
    rows = seen.rows[::-1]  # An axis of plotly begins below.
    names = [_name(row) for row in rows]
    windows = len(seen.columns)
    first, last = seen.columns[0][0], seen.columns[-1][1]
    ends = [_columns(seen, at) for at in range(windows)]
    grid: Trace = {
        "type": "heatmap",
        "x": list(range(windows)),
        "y": list(range(len(rows))),
        "z": [[_step(cell) for cell in row.cells] for row in rows],
        "text": [[_says(name, ends[at], cell) for at, cell in enumerate(row.cells)]
                 for name, row in zip(names, rows, strict=True)],
        "hovertemplate": "%{text}<extra></extra>",
        "zmin": 0, "zmax": len(_COLOURS), "xgap": 1, "ygap": 2, "hoverongaps": False,
        "colorscale": [[(at + edge) / len(_COLOURS), colour] for at, colour in enumerate(_COLOURS) for edge in (0, 1)],
        "showscale": False,
        "meta": {
            "rows": [feature_page(model.name, row.feature.partition(" in ")[0] if row.segment else row.feature,
                                  version=version, segment=row.segment or None) for row in rows],
            "windows": [iso(end) for _, end in seen.columns],
        },
    }  # fmt: skip
    traces = [
        grid,
        *_marks("drifting", "triangle-up", rows, lambda cell: cell.state == "drifting" and not cell.data),
        *_marks("watch", "triangle-up-open", rows, lambda cell: cell.state == "watch" and not cell.data),
        *_marks("data", "diamond", rows, lambda cell: cell.data),
        *_marks("learning", "line-ew-open", rows, lambda cell: cell.state == "learning"),
    ]
    places = range(0, windows, -(-windows // _TICKS))
    layout = {
        "hovermode": "closest",
        "xaxis": {"tickvals": list(places), "side": "top",
                  "ticktext": [_moment(seen.columns[at][0], last - first) for at in places],
                  "showgrid": False, "range": [-0.5, windows - 0.5], "tickangle": 0},
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": [label(_short(name)) for name in names],
                  "showgrid": False, "range": [-0.5, len(rows) - 0.5]},
        "showlegend": False,
    }  # fmt: skip
    title = "Features by windows, the most changed first"
    said = f"{seen.windows:,} windows, {utc(first):%Y-%m-%d %H:%M:%S} to {utc(last):%Y-%m-%d %H:%M:%S} UTC"
    if seen.per_column > 1:
        said += f"; a column is {seen.per_column} successive ones, and shows the worst of them"
    worst = [row.feature for row in seen.rows if row.badness[0]]
    says = f"{said}. Drifting, faulty or on watch: {', '.join(map(spoken, worst)) or 'nothing'}."
    height = _AXES + _ROW * max(len(rows), 3)
    return [
        chart("heat", title, says, traces, layout, height, _table(seen), _key()),
        tag("p", f"{said}.", _left_out(seen), class_="quiet"),
    ]


def _key() -> Markup:
    """What colours and marks mean."""
    edges = ("0", *(f"{step:g}" for step in STEPS))
    upper = (*(f" to {step:g}" for step in STEPS), " and more")
    colours: list[Content] = [
        tag("li", tag("span", class_="swatch", style=f"background:{colour}"), f"{low}{high}")
        for colour, low, high in zip(_COLOURS, edges, upper, strict=True)
    ]
    marks: list[Content] = [tag("li", tag("b", mark, aria_hidden="true"), f" {said}") for mark, said in _MARKS]
    return tag("ul", tag("li", "change, in tolerances:"), colours, marks, class_="key")


def _marks(name: str, symbol: str, rows: Sequence[Row], which: Callable[[Cell], bool]) -> list[Trace]:
    """Of cells that have this to say, for those who do not tell the colours apart."""
    places = [
        (column, at)
        for at, row in enumerate(rows)
        for column, cell in enumerate(row.cells)
        if cell is not None and which(cell)
    ]
    if not places:
        return []
    marker: dict[str, Any] = {"symbol": symbol, "size": 7, "color": "var(--text)"}
    x, y = zip(*places, strict=True)
    return [{"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker, "hoverinfo": "skip"}]


def _step(cell: Cell | None) -> float | None:
    """The middle of its colour; None where nothing was tested."""
    return None if cell is None or cell.step is None else cell.step + 0.5


def _says(name: str, when: str, cell: Cell | None) -> str:
    if cell is None:
        return ""
    size = "not tested" if cell.ratio is None else f"{cell.ratio:.2g} tolerances"
    state = "faulty data" if cell.data else cell.state
    return f"{label(name)}<br>{when}<br>{size}, {state}"


def _columns(seen: Heat, at: int) -> str:
    start, end = seen.columns[at]
    return f"{utc(start):%Y-%m-%d %H:%M:%S} to {utc(end):%H:%M:%S} UTC"


def _moment(ms: int, span_ms: int) -> str:
    """As short as the whole span lets it be."""
    shown = "%H:%M:%S" if span_ms < HOUR_MS else "%H:%M" if span_ms < DAY_MS else "%d %b %H:%M"
    return format(utc(ms), shown if span_ms < 8 * DAY_MS else "%d %b")


def _name(row: Row) -> str:
    return spoken(row.feature)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _left_out(seen: Heat) -> str | None:
    return f" {seen.left_out:,} more features, with smaller changes, are left out." if seen.left_out else None


def _table(seen: Heat) -> Content:
    """Of each feature, the windows in which it was not as usual, the newest first."""
    rows: list[Content] = []
    for row in seen.rows:
        odd = [
            (place, cell)
            for place, cell in zip(seen.columns, row.cells, strict=True)
            if cell is not None and (cell.data or cell.state in ("drifting", "watch"))
        ]
        worst = max((cell.ratio for _, cell in odd if cell.ratio is not None), default=None)
        newest = span(*odd[-1][0]) if odd else "–"
        rows.append(
            tag(
                "tr",
                tag("th", _name(row), scope="row"),
                tag("td", f"{len(odd)} of {sum(cell is not None for cell in row.cells)}", class_="number"),
                tag("td", number(worst), class_="number"),
                tag("td", newest),
            )
        )
    heads = ("Feature", "Windows not as usual", "Largest change, in tolerances", "Last of them")
    return table(heads, rows, "Windows in which each feature was drifting, faulty or on watch")
