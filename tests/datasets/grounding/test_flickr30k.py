"""Flickr30k Entities in the official layout: shared boxes, several boxes, scenes, and what files get wrong."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from deixis.datasets.grounding.flickr30k import FLICKR30K, parse_sentence
from deixis.datasets.plain_questions import plain_samples
from tests.datasets.reading import read_all

SENTENCES = """\
[/EN#1/people Two men] pet [/EN#2/animals a dog] in [/EN#3/scene a park] .
[/EN#4/people A man] 's [/EN#5/clothing/other red hat] is seen by [/EN#1/people them] .
[/EN#4/people The old man] , who pets [/EN#2/animals the small dog] , smiles .
[/EN#0/notvisual It] is [/EN#6/other noon] {today} .
"""
OBJECTS = [
    ("1 4", (1, 1, 20, 40)),
    ("1", (31, 5, 60, 40)),
    ("2", (21, 21, 30, 30)),
    ("3", "<nobndbox>0</nobndbox><scene>1</scene>"),
    ("6", "<nobndbox>1</nobndbox><scene>0</scene>"),
    ("5", (5, 1, 10, 6)),
]


def xml(objects=OBJECTS, size="<width>60</width><height>40</height><depth>3</depth>"):
    made = []
    for names, place in objects:
        if isinstance(place, tuple):
            edges = zip(("xmin", "ymin", "xmax", "ymax"), place, strict=True)
            place = f"<bndbox>{''.join(f'<{edge}>{value}</{edge}>' for edge, value in edges)}</bndbox>"
        made.append(f"<object>{''.join(f'<name>{name}</name>' for name in names.split())}{place}</object>")
    return f"<annotation><filename>36979.jpg</filename><size>{size}</size>{''.join(made)}</annotation>"


def layout(folder, sentences=SENTENCES, annotation=None, lists=(("val", "36979\n"),), name="36979"):
    for part in ("Sentences", "Annotations"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "Sentences" / f"{name}.txt").write_text(sentences, encoding="utf-8")
    (folder / "Annotations" / f"{name}.xml").write_text(annotation or xml(), encoding="utf-8")
    for split, ids in lists:
        (folder / f"{split}.txt").write_text(ids)
    return folder


def test_refuses_another_folder(tmp_path):
    with pytest.raises(ValueError, match="expected the folders Sentences and Annotations in it, got none"):
        read_all(FLICKR30K, tmp_path)


@pytest.mark.parametrize(
    ("made", "where", "why"),
    [
        pytest.param({"lists": (("val", "36979\n../x\n"),)}, "val.txt:2", "expected the number of an image, got",
                     id="no_number"),
        pytest.param({"lists": (("val", "36979\n12\n"),)}, "val.txt:2",
                     "Annotations/12.xml: expected the file of an image that is listed, got none", id="no_file"),
        pytest.param({"sentences": SENTENCES + "[/EN#7 nothing] is\n"}, "Sentences/36979.txt:5",
                     "expected phrases of the form [/EN#id/type words], got '[/EN#7 nothing] is'", id="no_type"),
        pytest.param({"sentences": SENTENCES + "[/EN#7/other unclosed\n"}, "Sentences/36979.txt:5",
                     "expected phrases of the form", id="unclosed"),
        pytest.param({"annotation": xml([*OBJECTS, ("9", (50, 1, 20, 9))])}, "Annotations/36979.xml: object 6",
                     "bndbox: expected a box with an area on the image", id="reversed_box"),
        pytest.param({"annotation": xml([*OBJECTS, ("", (5, 1, 20, 9))])}, "Annotations/36979.xml: object 6",
                     "name: expected the number of an entity, got none", id="no_name"),
        pytest.param({"annotation": xml([*OBJECTS, ("9", "<bndbox><xmin>1</xmin></bndbox>")])},
                     "Annotations/36979.xml: object 6", "object/bndbox/ymin: expected a whole number, got None",
                     id="half_a_box"),
    ],
)  # fmt: skip
def test_one_bad_line_or_object_is_counted_and_the_rest_is_read(tmp_path, made, where, why):
    (record,), skipped = read_all(FLICKR30K, layout(tmp_path, **made))
    assert len(record.captions) == 4
    assert [found.where for found in skipped] == [where]
    assert skipped[0].why.startswith(why)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param({"annotation": xml(size="<width>60</width>")}, "annotation/size/height: expected a whole number",
                     id="no_height"),
        pytest.param({"annotation": "<annotation>"}, "36979.xml: expected XML", id="broken_off"),
        pytest.param({"annotation": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "entities are refused", id="entities"),
        pytest.param({"sentences": "\n"}, "expected a caption a line, got none to use", id="no_sentence"),
    ],
)  # fmt: skip
def test_a_image_that_cannot_be_read_is_skipped(tmp_path, made, why):
    records, skipped = read_all(FLICKR30K, layout(tmp_path, **made))
    assert not records
    assert re.search(re.escape(why), skipped[-1].why)


def test_captions_boxes_and_names(tmp_path):
    (record,), skipped = read_all(FLICKR30K, layout(tmp_path))
    assert not skipped
    assert (record.id, record.split, record.form, record.complete) == ("flickr30k/36979", "val", "box", False)
    assert record.signals[0].id == "flickr/36979"
    assert record.signals[0].size_hw == (40, 60)
    assert record.captions == (
        "[Two men]{0,1} pet [a dog]{2} in a park.",
        "[A man]{0}'s [red hat]{3} is seen by [them]{0,1}.",
        "[The old man]{0}, who pets [the small dog]{2}, smiles.",
        "It is noon {{today}}.",
    )
    assert [obj.region.box for obj in record.objects] == [
        (0, 0, 20, 40), (30, 4, 60, 40), (20, 20, 30, 30), (4, 0, 10, 6)
    ]  # fmt: skip
    assert [obj.name for obj in record.objects] == ["man", "", "dog", "red hat"]
    assert [obj.synonyms for obj in record.objects] == [("old man",), (), ("small dog",), ()]
    caption = next(sample for sample in plain_samples(record) if sample.task == "caption")
    assert caption.turns[0].assistant == "[Two men]{0,1} pet [a dog]{2} in a park."


def test_images_lie_with_the_annotations_or_where_the_user_says(tmp_path):
    folder = layout(tmp_path / "entities")
    (record,), _ = read_all(FLICKR30K, folder)
    assert record.signals[0].path == str(folder / "flickr30k-images" / "36979.jpg")
    (tmp_path / "flickr30k_images").mkdir()
    (record,), _ = read_all(FLICKR30K, folder)
    assert record.signals[0].path == str(tmp_path / "flickr30k_images" / "36979.jpg")
    (record,), _ = read_all(FLICKR30K, folder, images=tmp_path / "x")
    assert record.signals[0].path == str(tmp_path / "x" / "36979.jpg")


def test_without_lists_all_that_have_sentences(tmp_path):
    layout(tmp_path, lists=())
    layout(tmp_path, lists=(), name="100")
    records, _ = read_all(FLICKR30K, tmp_path, split="test")
    assert [(record.id, record.split) for record in records] == [("flickr30k/100", "test"), ("flickr30k/36979", "test")]


def words_of(line):
    """The phrases of a line, split token by token as the set's own tools do, not by a pattern."""
    phrases, current = [], None
    for token in line.split():
        if token.startswith("[/EN#"):
            current = (token.split("/")[1][3:], [])
        elif current is not None:
            current[1].append(token.removesuffix("]"))
            if token.endswith("]"):
                phrases.append((current[0], " ".join(current[1])))
                current = None
    return phrases


def test_phrases_against_another_parser():
    for line in SENTENCES.splitlines():
        text, parts = parse_sentence(line)
        assert [(name, text[start:end]) for start, end, name in parts] == words_of(line)


def test_boxes_against_the_standard_library(tmp_path):
    root = ElementTree.fromstring(xml())
    expected = [[int(edge.text) for edge in box] for box in root.iter("bndbox")]
    (record,), _ = read_all(FLICKR30K, layout(tmp_path))
    x1, y1, x2, y2 = zip(*(obj.region.box for obj in record.objects), strict=True)
    assert [[a + 1, b + 1, c, d] for a, b, c, d in zip(x1, y1, x2, y2, strict=True)] == expected
