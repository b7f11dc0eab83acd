"""A project's labelling configuration: which tags take which regions, of which field of a task, under which labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from deixis.serving.errors import RequestError

MODALITY_OF = {"Image": "image", "Audio": "audio", "AudioPlus": "audio", "Video": "video"}
"""Tags that show a field of a task -> its modality."""
FORM_OF = {"RectangleLabels": "box", "BrushLabels": "mask", "PolygonLabels": "mask", "Labels": "span"}
"""Tags whose regions this backend gives -> the form of a region."""
MAX_CONFIG = 200_000  # characters


@dataclass(frozen=True)
class Control:
    """One tag that takes regions: its type ("brushlabels"), its names, its labels, and the field of a task."""

    type: str
    name: str
    to_name: str
    labels: tuple[str, ...]
    form: str
    field: str
    modality: str


def read_controls(config: str) -> list[Control]:
    """The tags of a configuration whose regions can be given. Raises RequestError for no XML."""
    if len(config) > MAX_CONFIG:
        raise RequestError(f"label_config: expected at most {MAX_CONFIG} characters; got {len(config)}")
    try:
        root = fromstring(config)
    except (ParseError, DefusedXmlException, ValueError):
        raise RequestError("label_config: expected XML as Label Studio writes it; got something else") from None
    shown = {tag.get("name", ""): tag for tag in root.iter() if tag.tag in MODALITY_OF}
    return list(_controls(root, shown))


def _controls(root: Element, shown: Mapping[str, Element]) -> Iterator[Control]:
    for tag in root.iter():
        target = shown.get(tag.get("toName", ""))
        if tag.tag in FORM_OF and target is not None:
            labels = tuple(own.get("value", "") for own in tag if own.tag == "Label" and own.get("value"))
            field, modality = target.get("value", "").removeprefix("$"), MODALITY_OF[target.tag]
            yield Control(
                tag.tag.lower(), tag.get("name", ""), tag.get("toName", ""), labels, FORM_OF[tag.tag], field, modality
            )
