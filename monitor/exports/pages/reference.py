"""The API's reference page, made from its OpenAPI document: nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.frame import document

_Node = Mapping[str, Any]


def page(openapi: _Node) -> str:
    """Every operation with its parameters, and every schema with its fields."""
    return document(
        "API of model-monitor",
        tag("p", openapi["info"]["description"], " The same as a document for tools: ", _openapi(), class_="quiet"),
        [
            tag("article", _operation(method, path, operation))
            for path, operations in openapi["paths"].items()
            for method, operation in operations.items()
        ],
        [tag("article", _schema(name, schema)) for name, schema in openapi["components"]["schemas"].items()],
    )


def _openapi() -> Markup:
    return tag("a", "/openapi.json", href="/openapi.json")


def _operation(method: str, path: str, operation: _Node) -> Content:
    parameters = [
        (each["name"], each["schema"], each.get("description", "")) for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answer = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema")
    return [
        tag("h2", tag("code", f"{method.upper()} {path}")),
        tag("p", operation.get("description", "")),
        _table(parameters),
        tag("p", "Takes ", _type(body), class_="quiet") if body else None,
        tag("p", "Answers with ", _type(answer), class_="quiet") if answer else None,
    ]


def _schema(name: str, schema: _Node) -> Content:
    fields = [(field, kind, kind.get("description", "")) for field, kind in schema.get("properties", {}).items()]
    return [tag("h2", tag("code", name), id=name), tag("p", schema.get("description", "")), _table(fields)]


def _table(rows: list[tuple[str, _Node, str]]) -> Content:
    if not rows:
        return None
    return tag(
        "table",
        [
            tag("tr", tag("th", tag("code", name), scope="row"), tag("td", _type(schema)), tag("td", text))
            for name, schema, text in rows
        ],
    )


def _type(schema: _Node) -> Content:
    """A schema's type in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return tag("a", tag("code", name), href=f"#{name}")
    if "anyOf" in schema:
        choices: list[Content] = [[" or ", _type(choice)] for choice in schema["anyOf"]]
        return [_type(schema["anyOf"][0]), choices[1:]]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return ["list of ", _type(schema["items"])]
    return str(schema.get("format") or schema.get("type", "any"))
