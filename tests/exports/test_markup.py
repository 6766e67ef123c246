"""HTML that is built, not written."""

from __future__ import annotations

from monitor.exports.markup import render, tag


def test_text_is_escaped_in_content_and_in_attributes() -> None:
    assert tag("a", "<b>", href='"&') == '<a href="&quot;&amp;">&lt;b&gt;</a>'
    assert tag("p", ["a", tag("i", "b"), None], class_="x", title=None) == '<p class="x">a<i>b</i></p>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_what_was_built_is_not_escaped_again() -> None:
    inner = tag("b", "&")
    assert render(["<", inner]) == "&lt;<b>&amp;</b>"
    assert tag("p", inner) == "<p><b>&amp;</b></p>"


def test_a_lone_surrogate_is_spelled_out() -> None:
    assert tag("p", "\ud800", title="\udfff") == '<p title="\\udfff">\\ud800</p>'


def test_a_name_cannot_turn_around_what_follows_it() -> None:
    assert render("a\u202e\u2066b") == "a\\u202e\\u2066b"
    assert render("שלום\u200f!") == "שלום\u200f!", "marks of languages that are written from the right stay"
