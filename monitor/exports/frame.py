"""The frame that every page shares: head, style, navigation. Light and dark, from phone width up."""

from __future__ import annotations

from monitor.exports.markup import Content, Markup, tag

_LINKS = (("/", "Models"), ("/docs", "API"), ("/metrics", "Metrics"), ("/openapi.json", "OpenAPI"))


def document(title: str, *content: Content) -> str:
    """A whole HTML page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(_STYLE)),
    )
    links = tag("nav", [tag("a", text, href=path) for path, text in _LINKS], aria_label="Site")
    body = tag("body", tag("header", tag("h1", title), links), tag("main", *content))
    return "<!doctype html>\n" + tag("html", head, body, lang="en")


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1c2330; --quiet: #5b6577; --line: #dde2ea; --link: #1f5fbf;
  --ok: #1a7f4b; --watch: #8a5a00; --drifting: #b3261e; --idle: #5b6577;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151c; --card: #1a202b; --text: #e6eaf1; --quiet: #9aa6b8; --line: #2e3747; --link: #86b4ff;
    --ok: #5fce95; --watch: #e9b44c; --drifting: #ff8a80; --idle: #9aa6b8;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; }
header { gap: 0 2rem; padding-top: 1.25rem; }
main { padding-bottom: 3rem; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 0; }
h3 { font-size: 1rem; margin: 1.25rem 0 0; }
h1, h2, h3, p, li, dd, tbody th { overflow-wrap: anywhere; }
time { white-space: nowrap; }
p { margin: .25rem 0; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; margin: 1rem 0; }
article { padding: 1rem 1.25rem; }
section + section { border-top: 1px solid var(--line); margin-top: 1rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
.trouble { border-left: .25rem solid var(--drifting); background: var(--card); padding: .75rem 1rem; }
.badge { border: 1px solid; border-radius: 1rem; padding: .05rem .6rem; font-size: .8rem; font-weight: 600; }
.badge { color: var(--idle); white-space: nowrap; }
.badge.ok { color: var(--ok); }
.badge.watch { color: var(--watch); }
.badge.drifting { color: var(--drifting); }
.figures { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: .75rem 0 0; }
.figures dt { color: var(--quiet); font-size: .9rem; }
.figures dd { margin: 0; }
.figures b { font-size: 1.5rem; }
table { width: 100%; border-collapse: collapse; margin: .75rem 0 .25rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-size: .8rem; font-weight: 400; }
tbody th { font-weight: 600; width: 22%; min-width: 7rem; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th:nth-child(2) { width: 17%; }
thead th:nth-child(n+3) { width: 22%; }
thead th:last-child { width: 17%; }
td:last-child { padding-right: 0; }
.scroll { overflow-x: auto; }
.bar { position: relative; height: .5rem; margin: .3rem 0; min-width: 5rem; }
.bar { border-radius: .3rem; background: var(--line); }
.fill { height: 100%; border-radius: .3rem; background: var(--idle); }
.fill.ok { background: var(--ok); }
.fill.watch { background: var(--watch); }
.fill.drifting { background: var(--drifting); }
.mark { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; background: var(--text); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 34rem) { article { padding: .75rem; } }
"""
