"""The page at /docs: every operation and object of the OpenAPI document, types in words, nothing from elsewhere."""

import re

import httpx2 as httpx
import pytest

from deixis.serving.reference.document import Field, Piece, groups_of, objects_of, type_of

TYPES = [
    pytest.param({"type": "string"}, "string", id="plain"),
    pytest.param({}, "any", id="none"),
    pytest.param({"const": "text", "type": "string"}, '"text"', id="constant"),
    pytest.param({"enum": ["user", 2]}, '"user" or 2', id="choice"),
    pytest.param({"enum": [None, False, {"type": "text"}]}, 'null or false or {"type": "text"}', id="as JSON"),
    pytest.param({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer", id="may be null"),
    pytest.param({"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}, "string or list of any", id="either"),
    pytest.param(
        {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}, "list of list of number", id="rows"
    ),
    pytest.param({"type": "string", "format": "binary"}, "file", id="file"),
]


@pytest.mark.parametrize(("schema", "words"), TYPES)
def test_types_in_words(schema, words):
    assert "".join(piece.text for piece in type_of(schema)) == words


def test_an_object_links_to_its_fields():
    assert type_of({"allOf": [{"$ref": "#/components/schemas/Mask"}]}) == [Piece("Mask", "Mask")]


def test_fields_say_limits_and_defaults():
    limited = {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5, "description": "A share.", "default": 0.5}
    schema = {"properties": {"top_p": limited, "seed": {"type": "integer", "minimum": -(2**63)}}, "required": ["seed"]}
    (named,) = objects_of({"components": {"schemas": {"Options": schema, "Empty": {}}}}).items()
    note = "A share; above 0; at most 1.5; 0.5 by default"
    fields = [Field("seed", [Piece("integer")], True, ""), Field("top_p", [Piece("number")], False, note)]
    assert named == ("Options", ("", fields))


@pytest.fixture(scope="module")
def page(server):
    return httpx.get(f"{server.url}/docs").raise_for_status().text


def test_every_operation_and_object_is_on_the_page(server, page):
    document = httpx.get(f"{server.url}/openapi.json").json()
    operations = [own for group in groups_of(document).values() for own in group]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values()) >= 10
    for own in operations:
        assert f"<b>{own.method}</b> {own.path}</code>" in page
    links = set(re.findall(r'href="#([A-Za-z]\w*)"', page))
    assert {"RegionPart", "TextPart", "Message"} <= links
    assert not links - set(re.findall(r'id="(\w+)"', page)), "a link that leads nowhere"


def test_code_is_marked(page):
    assert "the answer&#39;s message has <code>regions</code>" in page
    assert "`" not in page


def test_the_page_loads_nothing_from_elsewhere(server, page):
    assert not re.search(r"<script|<style|\sstyle=|https?://", page)
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert httpx.get(f"{server.url}/{style}").headers["content-type"].startswith("text/css")
