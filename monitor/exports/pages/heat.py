"""The heat map of a model's page: features by windows, the worst first, with marks that need no colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.addresses import feature_page
from monitor.detection.sentences import spoken
from monitor.events.timestamps import iso, utc
from monitor.exports.heat import STEPS, Cell, Heat, Heats, Row
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.charts import Trace, chart
from monitor.exports.pages.marks import FAULTY, MARKS, meant
from monitor.exports.pages.parts import (
    number,
    span,
    span_text,
    table,
)
from monitor.snapshot import ModelView
from monitor.spec import DAY_MS, HOUR_MS

_COLOURS = ("var(--ha)", "var(--hb)", "var(--hc)", "var(--hd)", "var(--he)", "var(--hf)")
_DRAWN = {
    "drifting": MARKS["drifting"],
    "watch": MARKS["watch"],
    "faulty data": FAULTY,
    "learning": MARKS["learning"],
}
_SAID: Mapping[str, str] = {"d": "drifting", "w": "watch", "f": "faulty data", "l": "learning", "o": "ok",
                            "u": "untestable", "i": "insufficient"}  # fmt: skip
"""What a cell is said to be, by the letter that stands for it in a figure."""
_LETTERS = {said: letter for letter, said in _SAID.items()}
_ROW, _AXES, _TICKS = 22, 40, 5
_NAME = 26  # Characters of a name that fit beside its row; on a phone, fewer are left to the windows otherwise.


_HEATS = Heats()


def heat_map(model: ModelView, version: str, end_ms: int | None = None) -> Content:
    """end_ms: of the window that is looked at. None where no window is held."""
    seen = _HEATS.of(model, version)
    if not seen.columns or not seen.rows:
        return None
    rows = seen.rows[::-1]  # An axis of plotly begins below.
    names = [_name(row) for row in rows]
    windows = len(seen.columns)
    first, last = seen.columns[0][0], seen.columns[-1][1]
    grid: Trace = {
        "type": "heatmap",
        "x": list(range(windows)),
        "y": list(range(len(rows))),
        "z": [[_step(cell) for cell in row.cells] for row in rows],
        # charts.js makes of them what each cell says: written out, a name and a span in each would be most of a page.
        "text": names,
        "customdata": [[_size(cell) for cell in row.cells] for row in rows],
        "hovertemplate": Markup("%{text}<extra></extra>"),
        "zmin": 0, "zmax": len(_COLOURS), "xgap": 1, "ygap": 2, "hoverongaps": False,
        "colorscale": [[(at + edge) / len(_COLOURS), colour] for at, colour in enumerate(_COLOURS) for edge in (0, 1)],
        "showscale": False,
        "meta": {
            "rows": [_address(model, version, row) for row in rows],
            "windows": [iso(end) for _, end in seen.columns],
            "spans": [span_text(*column) for column in seen.columns],
            "states": ["".join(map(_letter, row.cells)) for row in rows],
            "said": _SAID,
        },
    }  # fmt: skip
    traces = [
        grid,
        *(trace for said, mark in _DRAWN.items() for trace in _marks(said, mark.symbol, rows)),
    ]
    places = range(0, windows, -(-windows // _TICKS))
    at = None if end_ms is None else next((at for at, (_, end) in enumerate(seen.columns) if end >= end_ms), None)
    layout = {
        "hovermode": "closest",
        "shapes": [] if at is None else [_frame(at)],
        "xaxis": {"tickvals": list(places), "side": "top",
                  "ticktext": [_moment(seen.columns[at][0], last - first) for at in places],
                  "showgrid": False, "range": [-0.5, windows - 0.5], "tickangle": 0},
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": [_short(name) for name in names],
                  "showgrid": False, "range": [-0.5, len(rows) - 0.5]},
        "showlegend": False,
    }  # fmt: skip
    title = "Features by windows, the most changed first"
    said = f"{seen.windows:,} windows, "
    merged = (
        f"; a column is {seen.per_column} successive ones, and shows the worst of them" if seen.per_column > 1 else ""
    )
    worst = [row.name for row in seen.rows if row.badness[0]]
    says = f"{said}{span_text(first, last)}{merged}."
    says += f" Drifting, faulty or on watch: {', '.join(map(spoken, worst)) or 'nothing'}."
    height = _AXES + _ROW * max(len(rows), 3)
    return [
        chart("heat", title, says, traces, layout, height=height, table=_table(seen, model, version), key=_key()),
        tag(
            "p",
            said,
            span(first, last),
            f"{merged}.",
            _left_out(seen),
            None if at is None else " The frame is around the window that is looked at.",
            class_="quiet",
        ),
    ]


def _frame(column: int) -> dict[str, object]:
    edge = {"color": "var(--text)", "width": 2}
    return {"type": "rect", "x0": column - 0.5, "x1": column + 0.5, "yref": "paper", "y0": 0, "y1": 1, "line": edge}


def _key() -> Markup:
    """What colours and marks mean."""
    edges = ("0", *(f"{step:g}" for step in STEPS))
    upper = (*(f" to {step:g}" for step in STEPS), " and more")
    colours: list[Content] = [
        tag("li", tag("span", class_="swatch", style=f"background:{colour}"), f"{low}{high}")
        for colour, low, high in zip(_COLOURS, edges, upper, strict=True)
    ]
    marks = [meant(mark, said) for said, mark in _DRAWN.items()]
    blank = tag("li", tag("span", class_="swatch"), "not judged")
    return tag("ul", tag("li", "change, in tolerances:"), colours, blank, marks, class_="key")


def _marks(said: str, symbol: str, rows: Sequence[Row]) -> list[Trace]:
    """Of cells that have this to say, for those who do not tell the colours apart."""
    places: dict[str, list[tuple[int, int]]] = {}
    for at, row in enumerate(rows):
        for column, cell in enumerate(row.cells):
            if cell is not None and _says(cell) == said:
                places.setdefault(_on(cell), []).append((column, at))
    return [
        {"type": "scatter", "mode": "markers", "name": said, "x": [x for x, _ in mine], "y": [y for _, y in mine],
         "marker": {"symbol": symbol, "size": 7, "color": colour}, "hoverinfo": "skip"}
        for colour, mine in places.items()
    ]  # fmt: skip


def _on(cell: Cell) -> str:
    """The colour of a mark that is seen on its cell's: the last of these is dark on a light page, and the reverse."""
    step = _step(cell)
    return "var(--card)" if step is not None and step > len(STEPS) else "var(--text)"


def _step(cell: Cell | None) -> float | None:
    """The middle of its colour; None where nothing was tested."""
    return None if cell is None or cell.step is None else cell.step + 0.5


def _size(cell: Cell | None) -> float | None:
    """In tolerances, to two digits; None where nothing was tested."""
    return None if cell is None or cell.ratio is None else float(f"{cell.ratio:.2g}")


def _letter(cell: Cell | None) -> str:
    return " " if cell is None else _LETTERS[_says(cell)]


def _says(cell: Cell) -> str:
    return "faulty data" if cell.data else cell.state


def _moment(ms: int, span_ms: int) -> str:
    """As short as the whole span lets it be."""
    shown = "%H:%M:%S" if span_ms < HOUR_MS else "%H:%M" if span_ms < DAY_MS else "%d %b %H:%M"
    return format(utc(ms), shown if span_ms < 8 * DAY_MS else "%d %b")


def _name(row: Row) -> str:
    return spoken(row.name)


def _address(model: ModelView, version: str, row: Row, end_ms: int | None = None) -> str:
    """end_ms: of the window that is to be looked at there."""
    window = None if end_ms is None else iso(end_ms)
    return feature_page(model.name, row.feature, version=version, segment=row.segment or None, window=window)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _left_out(seen: Heat) -> str | None:
    return f" {seen.left_out:,} more features, with smaller changes, are left out." if seen.left_out else None


def _table(seen: Heat, model: ModelView, version: str) -> Content:
    """Of each feature, the windows in which it was not as usual, the newest first."""
    rows: list[Content] = []
    for row in seen.rows:
        odd = [
            (place, cell)
            for place, cell in zip(seen.columns, row.cells, strict=True)
            if cell is not None and (cell.data or cell.state in ("drifting", "watch"))
        ]
        worst = max((cell.ratio for _, cell in odd if cell.ratio is not None), default=None)
        newest: Content = "–"
        if odd:
            (start, end), _ = odd[-1]
            newest = tag("a", span(start, end), href=_address(model, version, row, end))
        rows.append(
            tag(
                "tr",
                tag("th", tag("a", _name(row), href=_address(model, version, row)), scope="row"),
                tag("td", f"{len(odd)} of {sum(cell is not None for cell in row.cells)}", class_="number"),
                tag("td", number(worst), class_="number"),
                tag("td", newest),
            )
        )
    heads = ("Feature", "Windows not as usual", "Largest change, in tolerances", "Last of them")
    return table(heads, rows, "Windows in which each feature was drifting, faulty or on watch")
