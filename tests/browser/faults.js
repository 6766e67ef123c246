// What may be wrong with a page as it is shown: each function returns sentences, one a fault.

// What makes the page scroll sideways; wide tables scroll by themselves.
function wide() {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  return Array.from(document.querySelectorAll("body *"))
    .filter((each) => each.getBoundingClientRect().right > room + 1 && !each.closest(".scroll > *"))
    .map((each) => `${each.tagName} ${each.className} ends at ${each.getBoundingClientRect().right} of ${room}`);
}

// Charts that lack a trace, are larger than their place, or whose labels lie on each other; a hidden one has its table.
function charts() {
  const plots = Array.from(document.querySelectorAll("[data-figure]")).filter((each) => each.checkVisibility());
  return plots.flatMap((plot) => {
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    const drawn = plot.querySelectorAll(".scatterlayer > .trace, .barlayer > .trace, .heatmaplayer > .hm").length;
    const svg = plot.querySelector("svg");
    const faults = [];
    if (drawn !== figure.data.length) faults.push(`${drawn} of ${figure.data.length} traces are drawn`);
    if (!svg) return [...faults, "there is no drawing"];
    if (!svg.querySelector(".plot path, .plot image")) faults.push("there is no mark");
    const { width, height } = svg.getBoundingClientRect();
    const room = plot.getBoundingClientRect();
    if (width > room.width + 1 || height > room.height + 1) faults.push("it is larger than its place");
    for (const axis of [".xtick text", ".ytick text", ".legendtext", ".annotation-text"]) faults.push(...overlapping(plot, axis));
    return faults.map((fault) => `${plot.dataset.figure}: ${fault}`);
  });
}

function overlapping(plot, texts) {
  const boxes = Array.from(plot.querySelectorAll(texts), (text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], at) => boxes.slice(at + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom)
    .map(([other]) => `${name} and ${other} lie on each other`));
}

// Boxes that say nothing: cards, charts, tables and lists.
function empty() {
  return Array.from(document.querySelectorAll(".card, figure, .plot, table, ul, dl, figcaption, h1, h2, h3"))
    .filter((each) => each.checkVisibility() && !each.textContent.trim() && !each.querySelector("svg, img, input"))
    .map((each) => `${each.tagName} ${each.className} is empty`);
}
