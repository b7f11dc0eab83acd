"""XML files of annotations, read so that nothing in them can harm: no document types, so no entities, and a bound.

A few bytes of entities can become gigabytes of text, or name a file to read; annotation files have no use for them. It
knows no set.
"""

import codecs
import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from deixis.errors import DataError, DeixisError
from deixis.files.budget import read_whole

MAX_FILE_BYTES = 16 << 20
MAX_DEPTH = 64
_DECLARED = re.compile(rb"""<\?xml\s[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "cp950"}
"""Encodings whose names tools also write for what only a wider one can read, as browsers know."""


def read_xml(path: str | Path) -> Element:
    """The root of an XML file.

    Raises DataError that names the file, for what is no XML, has a document type, nests too deep or
    is too large; OSError where it cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise DataError(f"{path}: expected an XML file of at most {MAX_FILE_BYTES} bytes, got {size}")
    builder = TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise DataError(f"{path}: expected XML of at most {MAX_DEPTH} levels, got more")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise DataError(f"{path}: expected XML without a document type, got one: entities are refused")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(_decoded(read_whole(path)), True)
    except DeixisError:  # of the handlers above
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: an encoding that Python lacks
        raise DataError(f"{path}: expected XML; {error}: is the file whole?") from None
    return builder.close()


def _decoded(content: bytes) -> str | bytes:
    """The text of a file in the encoding that it declares, as expat knows few; without such a line as it is.

    Raises LookupError for an encoding that Python lacks, UnicodeDecodeError for other bytes.
    """
    declared = _DECLARED.match(content.removeprefix(codecs.BOM_UTF8))
    if declared is None:
        return content
    name = codecs.lookup(declared[1].decode()).name
    if name in ("idna", "punycode"):  # of single words; a file of them takes hours
        raise LookupError(f"unknown encoding: {name}")
    # what reads "UTF-16" as ASCII is none: .NET declares it in whatever it writes
    if content.startswith(codecs.BOM_UTF8) or name.startswith("utf"):
        name = "utf-8-sig"
    return content.decode(_WIDER.get(name, name))


def text_of(element: Element, path: str) -> str | None:
    """The text of the first element below another, by its path ("size/width"), without blanks at its ends; or None."""
    found = element.findtext(path)
    return found.strip() if found is not None and found.strip() else None


def required_int(element: Element, path: str) -> int:
    """As `text_of`, a whole number. Raises DataError, with the path, where there is none."""
    text = text_of(element, path)
    try:
        return int(float(text or ""))  # tools write 12.0 too
    except (ValueError, OverflowError):
        raise DataError(f"{element.tag}/{path}: expected a whole number, got {text!r:.60}") from None
