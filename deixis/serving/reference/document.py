"""An OpenAPI document as what its page shows: operations by group, and the objects that they take and give."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
REFERENCE = "#/components/schemas/"
JSON, FORM = "application/json", "multipart/form-data"
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
    "maxLength": "{} characters or fewer",
}
SHOWN = 1e12
"""A limit beyond it is that of a number's type."""


class Piece(NamedTuple):
    """Words of a type; `link` is the name of the object that they are."""

    text: str
    link: str | None = None


class Field(NamedTuple):
    """One field of an object, or one parameter of an address."""

    name: str
    type: list[Piece]
    is_required: bool
    note: str


class Operation(NamedTuple):
    """What one method of one address does."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    body_type: str
    """Media type of the body, "" without one."""
    responses: list[tuple[str, str, list[Piece]]]
    """(status, in words, type)."""


def groups_of(document: Schema) -> dict[str, list[Operation]]:
    """The operations of a document under their first tag, in its order."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            group = (said.get("tags") or ["server"])[0]
            groups.setdefault(group, []).append(_operation(document, method.upper(), path, said))
    return groups


def objects_of(document: Schema) -> dict[str, tuple[str, list[Field]]]:
    """Name -> (description, fields) of every object that has fields, by name."""
    schemas = document.get("components", {}).get("schemas", {})
    return {
        name: (plain(own.get("description", "")), list(_fields(own)))
        for name, own in sorted(schemas.items())
        if own.get("properties")
    }


def type_of(schema: Schema) -> list[Piece]:
    """A schema in words; of null and another type, the other one."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return [Piece(name, name)]
    if "const" in schema:
        return [Piece(_value(schema["const"]))]
    if "enum" in schema:
        return [Piece(" or ".join(map(_value, schema["enum"])))]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            every = [type_of(own) for own in schema[word] if own.get("type") != "null"]
            return [piece for at, own in enumerate(every) for piece in ([Piece(" or ")] * (at > 0) + own)]
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return type_of(schema["allOf"][0])
    if schema.get("type") == "array":
        return [Piece("list of "), *type_of(schema.get("items", {}))]
    if "contentMediaType" in schema or schema.get("format") == "binary":
        return [Piece("file")]
    return [Piece(str(schema.get("type", "any")))]


def plain(text: str) -> str:
    """A docstring with each paragraph in one line."""
    return "\n".join(re.sub(r"\s+", " ", part).strip() for part in text.split("\n\n"))


def _operation(document: Schema, method: str, path: str, said: Schema) -> Operation:
    content = said.get("requestBody", {}).get("content", {})
    body_type = next((kind for kind in (JSON, FORM) if kind in content), "")
    body = _resolved(document, content[body_type]["schema"]) if body_type else {}
    return Operation(
        method,
        path,
        said.get("summary", ""),
        plain(said.get("description", "")),
        [_field(own["name"], own["schema"] | own, own.get("required", False)) for own in said.get("parameters", ())],
        list(_fields(body)),
        body_type,
        [(status, own.get("description", ""), _given(own)) for status, own in said.get("responses", {}).items()],
    )


def _given(response: Schema) -> list[Piece]:
    """The type of a response's JSON; nothing where it is described by no schema."""
    schema = response.get("content", {}).get(JSON, {}).get("schema", {})
    return type_of(schema) if schema.keys() - {"title", "additionalProperties"} else []


def _resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    return document["components"]["schemas"][schema["$ref"].removeprefix(REFERENCE)]


def _fields(schema: Schema) -> Iterator[Field]:
    """Those that are required first."""
    required = schema.get("required", ())
    for name, own in sorted(schema.get("properties", {}).items(), key=lambda own: own[0] not in required):
        yield _field(name, own, name in required)


def _field(name: str, schema: Schema, is_required: bool) -> Field:
    notes = [plain(schema.get("description", "")), *_limits(schema)]
    if (default := schema.get("default")) not in (None, [], ""):
        notes.append(f"{_value(default)} by default")
    return Field(name, type_of(schema), is_required, "; ".join(note.rstrip(".") for note in notes if note))


def _limits(schema: Schema) -> Iterator[str]:
    for own in (schema, *schema.get("anyOf", ())):
        for word, text in LIMITS.items():
            if (value := own.get(word)) is not None and abs(value) < SHOWN:
                yield text.format(f"{value:g}" if isinstance(value, float) else f"{value:,}")


def _value(value: Any) -> str:
    """A value as a client writes it."""
    return json.dumps(value, ensure_ascii=False)
