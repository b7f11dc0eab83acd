"""XML of annotations: read as the standard library reads it, and refused where a file could do harm."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from deixis.datasets.files import safe_xml
from deixis.datasets.files.safe_xml import read_xml, required_int, text_of

ENTITIES = '<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE a [{ENTITIES}]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "a.xml: expected XML; no element found", id="empty"),
        pytest.param(b"<annotation><size>", "expected XML; no element found: line 1", id="broken_off"),
        pytest.param(b"<a></b>", "expected XML; mismatched tag", id="mismatched"),
        pytest.param(LAUGHS.encode(), "without a document type, got one: entities are refused", id="entities"),
        pytest.param(LAUGHS.encode("utf-16"), "without a document type", id="entities_in_utf_16"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "without a document type", id="another_file"),
        pytest.param(b"<!DOCTYPE a><a/>", "without a document type", id="type_alone"),
        pytest.param(b"<a>&b;</a>", "expected XML; undefined entity", id="undefined_entity"),
        pytest.param(b"<a>" * 100_000, "expected XML of at most 64 levels", id="deep"),
    ],
)
def test_refuses(tmp_path, content, message):
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_xml(path)


def test_refuses_a_large_file_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.xml"
    path.write_bytes(b"<a></a>")
    monkeypatch.setattr(safe_xml, "MAX_FILE_BYTES", 6)
    with pytest.raises(ValueError, match=r"a\.xml: expected an XML file of at most 6 bytes, got 7"):
        read_xml(path)


def test_equals_the_standard_librarys_reading(shared_data):
    """Every XML file of real sets."""
    paths = sorted(shared_data.rglob("*.xml"))
    for path in paths:
        assert ElementTree.tostring(read_xml(path)) == ElementTree.tostring(ElementTree.parse(path).getroot())
    assert len(paths) > 50


def test_texts_and_numbers(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<a><size><width> 12.0 </width><height>x</height><depth/></size></a>")
    root = read_xml(path)
    assert (text_of(root, "size/height"), text_of(root, "size/depth"), text_of(root, "size/none")) == ("x", None, None)
    assert required_int(root, "size/width") == 12
    with pytest.raises(ValueError, match="a/size/height: expected a whole number, got 'x'"):
        required_int(root, "size/height")
    with pytest.raises(ValueError, match="a/size/none: expected a whole number, got None"):
        required_int(root, "size/none")
