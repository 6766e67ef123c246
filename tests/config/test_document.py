from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.document import parse, quoted, read
from monitor.errors import ConfigError

PATH = Path("monitor.yaml")


def test_every_place_knows_its_line() -> None:
    document = parse("a: 1\nb:\n  - c: 2\n    d: [3,\n      4]\n", PATH)
    assert document.content == {"a": 1, "b": [{"c": 2, "d": [3, 4]}]}
    assert document.line(("a",)) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0, "d", 1)) == 5
    assert document.line(("b", 0, "nowhere", "at all")) == 3
    assert document.line(("nowhere",)) == 1


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "NO", "1:30", "2026-11-23", "0o7", "1_000", "=", ".inf"])
def test_what_yaml_1_1_would_convert_is_text(text: str) -> None:
    assert parse(f"key: {text}", PATH).content == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("-7", -7), ("1.5", 1.5), ("1e3", 1e3)],
)
def test_scalars_of_yaml_1_2_are_converted(text: str, value: object) -> None:
    assert parse(f"key: {text}", PATH).content == {"key": value}


def test_keys_are_text_as_written() -> None:
    assert parse("1.10: a\non: b\nnull: c\n", PATH).content == {"1.10": "a", "on": "b", "null": "c"}


def test_a_key_written_twice_is_noted() -> None:
    assert parse("a: {b: 1, b: 2}\na: 3\n", PATH).repeated == (("a",), ("a", "b"))


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).content == {"a": 1}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: \xff", r"is not UTF-8 \(byte 3\)"),
        (b"a: 1\nb: \x07", r":2: holds the control character 0x07"),
        (b"a: [1", r":1: not valid YAML"),
        (b"a: 1\n--- \nb: 2", r":2: not valid YAML"),
        (b"a: !!python/object:os.system 1", r":1: not valid YAML"),
        (b"? [a, b]\n: 1", r":1: not valid YAML, a key must be text"),
        (b"[" * 5000, r":1: is nested too deep"),
        (b"a: *b", r":1: not valid YAML, found undefined alias"),
    ],
)
def test_what_is_no_yaml_is_one_sentence_with_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        read(path)
    assert len(caught.value.problems) == 1


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)


@given(st.text())
@settings(deadline=None)
def test_quoted_text_is_read_back_by_any_reader(text: str) -> None:
    written = f"{quoted(text)}: {quoted(text)}"
    assert "\n" not in written
    assert parse(written, PATH).content == {text: text}
    assert yaml.safe_load(written) == {text: text}


@pytest.mark.parametrize("text", ["a", "references/fraud-3.profile", "./state", "1h", "250ms", "Europe/Warsaw"])
def test_plain_text_needs_no_quotes(text: str) -> None:
    assert quoted(text) == text


@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@`#? \n\t<0", max_size=20))
@settings(deadline=None)
def test_any_text_is_a_document_or_one_sentence(text: str) -> None:
    problems: tuple[str, ...] = ("none",)
    try:
        parse(text, PATH)
    except ConfigError as error:
        problems = error.problems
    assert len(problems) == 1
