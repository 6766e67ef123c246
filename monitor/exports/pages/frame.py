"""The frame that every page shares: head, navigation, style. Light and dark, from phone width up."""

from __future__ import annotations

from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.assets import address

_LINKS = (("/", "Models"), ("/incidents", "Incidents"), ("/triggers", "Retraining"), ("/docs", "API"))


def document(title: str, *content: Content, above: Content = None, here: str = "", charts: bool = False) -> str:
    """A whole HTML page. above: over its title, the way to it. here: which link of the navigation leads here. charts:
    whether it has some that are to be drawn.
    """
    scripts = [tag("script", src=address(name), defer="") for name in ("plotly.min.js", "charts.js")]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href=address("style.css")),
        tag("title", f"{title} · model-monitor" if title != "Model monitor" else title),
        scripts if charts else None,
    )
    links = [tag("a", text, href=path, aria_current="page" if path == here else None) for path, text in _LINKS]
    top = tag("header", tag("a", "model-monitor", href="/", class_="home"), tag("nav", links, aria_label="Site"))
    skip = tag("a", "To the content", href="#content", class_="skip")
    trail = None if above is None else tag("p", above, class_="quiet trail")
    main = tag("main", trail, tag("h1", title), *content, id="content", tabindex="-1")
    return "<!doctype html>\n" + tag("html", head, tag("body", skip, top, main), lang="en")


def message(title: str, text: str, *ways: Content) -> str:
    """A page that says one thing, such as that there is nothing here. ways: links to go on by."""
    return document(title, tag("p", text), tag("ul", [tag("li", way) for way in ways]) if ways else None)


def card(*content: Content, labelled: str | None = None) -> Markup:
    """What belongs together."""
    return tag("section", *content, class_="card", aria_label=labelled)
