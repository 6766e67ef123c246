"""A page as a browser would read it."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from typing import Any


class Read(HTMLParser):
    """A page as a browser would read it: its elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.parts: list[str] = []
        self.figures: dict[str, Any] = {}
        self._figure = ""
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += attrs
        self.links += [value for name, value in attrs if name == "href" and value is not None]
        if tag not in ("meta", "link", "input", "br", "img"):
            self.open.append(tag)
        if tag == "script":
            self._figure = dict(attrs).get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.figures[self._figure] = json.loads(data)
        else:
            self.parts.append(data)
