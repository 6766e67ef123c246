// Draws the charts of a page. Each is a figure of plotly's in a script element of JSON; colours in it are names of the
// page's own, as in "var(--ok)", so that a chart is light or dark as the page is.
"use strict";

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const LEGEND_LINE = 19, NAMES = 120, NARROW = 8; // Pixels.
  const SHORT = /^.{0,16}$|&/; // An entity is not to be cut.

  function coloured(value, style) {
    if (typeof value === "string") {
      const named = /^var\((--[a-z]+)\)$/.exec(value);
      return named ? style.getPropertyValue(named[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, style)]));
    }
    return value;
  }

  // On a phone, labels of an axis find less room, and a legend has a line for each of its entries.
  function narrowed(layout, data) {
    const names = layout.yaxis.ticktext;
    if (names) layout.yaxis.ticktext = names.map((name) => SHORT.test(name) ? name : name.slice(0, 15) + "…");
    const told = data.filter((trace) => trace.name && trace.showlegend !== false);
    if (layout.showlegend !== false) layout.height += LEGEND_LINE * told.length;
    for (const [name, axis] of Object.entries(layout)) {
      if (!/^xaxis[0-9]*$/.test(name)) continue;
      axis.nticks = 3;
      if (!axis.tickvals) continue;
      const few = [0, axis.tickvals.length - 1].filter((at, place) => at || !place);
      axis.ticktext = few.map((at) => axis.ticktext[at]);
      axis.tickvals = few.map((at) => axis.tickvals[at]);
    }
    layout.font.size = 11;
  }

  // What each cell of a heat map says: the name of its row, the span of its column, its size and its state.
  function told(data) {
    const grid = data.find((trace) => trace.type === "heatmap");
    if (!grid) return;
    const { spans, states, said } = grid.meta;
    grid.text = grid.text.map((name, row) => spans.map((span, column) => {
      const size = grid.customdata[row][column], state = said[states[row][column]];
      if (state === undefined) return "";
      return `${name}<br>${span}<br>${size === null ? "not tested" : `${size} tolerances`}, ${state}`;
    }));
  }

  // Cells of a heat map are as wide as there is room for: in narrow ones, marks are smaller, and no gaps are left.
  function fitted(data, width) {
    const grid = data.find((trace) => trace.type === "heatmap");
    if (!grid) return;
    const cell = (width - NAMES) / grid.x.length;
    if (cell < NARROW) grid.xgap = 0;
    for (const trace of data) if (trace.marker) trace.marker.size = Math.max(3, Math.min(trace.marker.size, cell - 1));
  }

  // Where a point of the chart leads: by its row, and by its column as a window.
  function target(point) {
    const links = point.data.meta;
    if (!links || !Array.isArray(point.pointIndex)) return null;
    const [row, column] = point.pointIndex;
    const window = links.windows[column];
    return links.rows[row] + (window ? "&window=" + encodeURIComponent(window) : "");
  }

  function draw(plot) {
    const style = getComputedStyle(document.documentElement);
    const figure = coloured(JSON.parse(document.getElementById(plot.dataset.figure).textContent), style);
    // A finger that scrolls the page is not to zoom the chart.
    if (coarse) figure.layout.dragmode = false;
    if (plot.clientWidth < 500) narrowed(figure.layout, figure.data);
    told(figure.data);
    fitted(figure.data, plot.clientWidth);
    const config = { displaylogo: false, responsive: true, displayModeBar: coarse ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    const first = !plot.classList.contains("drawn");
    plot.classList.add("drawn");
    return Plotly.react(plot, figure.data, figure.layout, config).then(() => {
      if (!first) return;
      plot.on("plotly_click", (event) => {
        const address = target(event.points[0]);
        if (address) location.assign(address);
      });
    });
  }

  function all() {
    const plots = Array.from(document.querySelectorAll("[data-figure]"));
    Promise.all(plots.map(draw)).then(() => document.documentElement.classList.add("charts-drawn"));
  }

  // Only now is there room for them: without a script, the tables stand for the charts.
  document.documentElement.classList.add("script");
  dark.addEventListener("change", all);
  all();
})();
