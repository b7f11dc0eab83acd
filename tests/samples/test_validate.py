"""The sample format: what is refused, with which message, and that schema, dataclasses and tables agree."""

import copy
import json
from dataclasses import fields
from importlib import resources

import numpy as np
import pytest
from jsonschema_rs import meta

from deixis.files.json_text import json_record
from deixis.geometry import Region, mask_to_rle
from deixis.geometry.markup import FORMS
from deixis.samples import validate
from deixis.samples.consistency import FIELDS_BEHIND, REGION_FIELDS
from deixis.samples.sample import AUTHORS, VERSION, MediaReference, Sample, Turn
from deixis.samples.shards import sample_of
from deixis.samples.validate import validate_record
from deixis.signals import MODALITIES

SCHEMA = json.loads(resources.files("deixis.samples").joinpath("schema.json").read_text("utf-8"))


def good() -> dict:
    """A sample with one signal of each modality and a region on each."""
    return {
        "version": 1,
        "id": "a/1",
        "source": "made up",
        "task": "refer",
        "split": "train",
        "licence": "CC0-1.0",
        "author": "person",
        "signals": [
            {"id": "p", "kind": "image", "path": "images/p.png", "size_hw": [4, 6]},
            {"id": "s", "kind": "audio", "path": "sounds/s.wav", "duration_s": 2.5, "rate_hz": 16000},
            {"id": "c", "kind": "point_cloud", "path": "clouds/c.ply", "point_count": 50, "unit": "m"},
            {"id": "v", "kind": "video", "path": "v.mp4", "size_hw": [4, 6], "duration_s": 3.0, "rate_hz": 25},
        ],
        "regions": [
            {"signal": 0, "box": [1, 0, 4, 3.5], "mask": {"size": [4, 6], "counts": [4, 3, 17]}, "point": [2, 1]},
            {"signal": 1, "span": [0.5, 2.5]},
            {"signal": 2, "points": [49, 3, 7], "box3d": [0, 0, 0, 1, 1, 1], "ignore": True, "crowd": False},
            {"signal": 3, "box": [0, 0, 6, 4], "time_s": [0.0, 1.5]},
        ],
        "turns": [
            {
                "user": "What is {0}, and [this]{1}?",
                "assistant": "[A mug]{0:mask} {{of}} two in [the box]{2:points}, no [dog]{}.",
                "references": ["[A mug]{0:box}."],
            },
            {"user": "Red or blue?", "assistant": "Red.", "choices": ["red", "blue"]},
        ],
    }


REMOVE = object()


def changed(*path_and_value) -> dict:
    """The good record with the field at a path set to a value, or taken out."""
    record = good()
    *path, last, value = path_and_value
    target = record
    for key in path:
        target = target[key]
    if value is REMOVE:
        del target[last]
    else:
        target[last] = value
    return record


def test_a_good_record_passes():
    validate_record(good())


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(changed("signals", 0, "size_hw", REMOVE), id="size_unknown"),
        pytest.param(changed("regions", 0, "box", [-0.6, 0, 6.4, 4]), id="box_overshoots_by_part_of_a_pixel"),
        pytest.param(
            changed("regions", 0, "mask", "counts", mask_to_rle(np.eye(4, 6, dtype=bool))["counts"]),
            id="compressed_counts",
        ),
        pytest.param(changed("turns", 0, "references", []), id="no_references"),
        pytest.param(changed("signals", 0, "path", REMOVE), id="in_memory"),
        pytest.param(changed("signals", 0, "path", "a b/..c/ü.png"), id="odd_but_inside"),
        pytest.param(changed("regions", 1, "signal", 1.0), id="whole_number_with_a_point"),
    ],
)
def test_more_that_passes(record):
    validate_record(record)


def test_what_is_right_is_not_copied(monkeypatch):
    """The copy in JSON's own types is for the error sentence alone."""
    monkeypatch.setattr(validate, "_as_json", None)
    validate_record(good())
    validate_record(json.loads(json.dumps(good())))


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        pytest.param(
            changed("regions", 0, "box", [np.float64(1), 2, 3, float("nan")]), "expected finite numbers", id="nan"
        ),
        pytest.param(changed("regions", 0, "signal", np.int64(0)), "signal: expected a whole number, got", id="numpy"),
        pytest.param(changed("id", b"x"), "id: expected text", id="bytes"),
        pytest.param(good() | {1: 2}, "unknown field 1", id="field_of_no_text"),
        pytest.param(
            changed("signals", 1, "rate_hz", "nan"), "rate_hz: expected a number, got 'nan'", id="nan_as_text"
        ),
        pytest.param(changed("author", {"person"}), r"author: expected one of person, .*got .*\{'person'\}", id="set"),
    ],
)
def test_values_that_json_has_not_are_judged_too(record, sentence):
    with pytest.raises(ValueError, match=sentence):
        validate_record(record)


def test_numbers_of_numpy_that_are_numbers_of_python_pass():
    validate_record(changed("regions", 0, "box", [np.float64(v) for v in good()["regions"][0]["box"]]))


def test_text_alone_passes():
    validate_record(good() | {"signals": [], "regions": [], "turns": [{"user": "Hello", "assistant": "Hello."}]})


BAD = [
    pytest.param(None, "expected an object, got null", id="null"),
    pytest.param([], "expected an object, got \\[\\]", id="a_list"),
    pytest.param({}, "expected the field 'version', which is missing", id="empty"),
    pytest.param(changed("version", 2), "version: expected 1, got 2", id="version"),
    pytest.param(changed("version", "1"), "version: expected 1, got '1'", id="version_as_text"),
    pytest.param(changed("turns", REMOVE), "expected the field 'turns'", id="no_turns_field"),
    pytest.param(changed("turns", []), "turns: expected at least 1 item, got \\[\\]", id="no_turn"),
    pytest.param(changed("turn", []), "unknown field 'turn', expected version, id", id="unknown_field"),
    pytest.param(changed("id", ""), "id: expected text without spaces at its ends.*, got ''", id="id_empty"),
    pytest.param(changed("id", "a\n"), "id: expected text without", id="id_with_newline"),
    pytest.param(
        changed("author", "robot"), "author: expected one of person, template, model, got 'robot'", id="author"
    ),
    pytest.param(changed("signals", {}), "signals: expected a list, got {}", id="signals_not_a_list"),
    pytest.param(
        changed("signals", 0, "kind", "imgae"), r"signals\[0\].kind: expected one of image, .*'imgae'", id="kind"
    ),
    pytest.param(changed("signals", 0, "id", REMOVE), r"signals\[0\]: expected the field 'id'", id="medium_without_id"),
    pytest.param(changed("signals", 0, "path", "/a.png"), r"path: expected a path relative to", id="path_absolute"),
    pytest.param(changed("signals", 0, "path", "../a.png"), r"path: expected a path relative to", id="path_up"),
    pytest.param(changed("signals", 0, "path", "a/../../b"), r"path: expected a path relative to", id="path_up_inside"),
    pytest.param(changed("signals", 0, "path", "a\\b.png"), r"with forward slashes", id="path_backslash"),
    pytest.param(
        changed("signals", 0, "size_hw", [4]), r"size_hw: expected \[height, width\] in whole", id="size_short"
    ),
    pytest.param(changed("signals", 0, "size_hw", [0, 6]), r"size_hw\[0\]: expected 1 or more, got 0", id="size_zero"),
    pytest.param(changed("signals", 1, "duration_s", 0), r"duration_s: expected more than 0, got 0", id="no_duration"),
    pytest.param(changed("regions", 0, "bbox", []), r"regions\[0\]: unknown field 'bbox'", id="region_unknown_field"),
    pytest.param(changed("regions", 1, "span", REMOVE), r"at least one of point, box, mask.*, got none", id="no_form"),
    pytest.param(changed("regions", 0, "signal", 7), r"regions\[0\].signal: expected a number below 4", id="no_signal"),
    pytest.param(
        changed("regions", 0, "signal", -1), r"regions\[0\].signal: expected 0 or more, got -1", id="negative"
    ),
    pytest.param(
        changed("regions", 0, "box", [1, 2, 3]), r"regions\[0\].box: expected \[x1, y1, x2, y2\]", id="box_short"
    ),
    pytest.param(changed("regions", 0, "box", [4, 0, 1, 3]), r"regions\[0\].box: expected x1 < x2", id="box_reversed"),
    pytest.param(changed("regions", 0, "box", [1, 2, 3, 2]), r"box: expected y1 < y2, got 2 and 2", id="box_empty"),
    pytest.param(changed("regions", 0, "box", [0, 0, 9, 3]), r"box: Box lies outside its image", id="box_outside"),
    pytest.param(changed("regions", 0, "box", ["a", 0, 1, 1]), r"box\[0\]: expected a number, got 'a'", id="box_text"),
    pytest.param(changed("regions", 0, "box", [0, 0, float("nan"), 1]), r"box: expected finite numbers", id="box_nan"),
    pytest.param(
        changed("regions", 0, "point", [1]), r"point: expected 2 numbers for 'image', got 1", id="point_short"
    ),
    pytest.param(changed("regions", 0, "point", [9, 9]), r"regions\[0\].point: Point lies outside", id="point_outside"),
    pytest.param(
        changed("regions", 0, "span", [0, 1]),
        r"regions\[0\].span: expected one of point, box, mask, as signal 0 is an image",
        id="span_on_picture",
    ),
    pytest.param(
        changed("regions", 1, "box", [0, 0, 1, 1]),
        r"regions\[1\].box: expected one of point, span, as signal 1 is audio",
        id="box_on_sound",
    ),
    pytest.param(
        changed("regions", 1, "span", [2, 1]), r"regions\[1\].span: expected t1 < t2, got 2 and 1", id="span_reversed"
    ),
    pytest.param(
        changed("regions", 1, "span", [1, 9]), r"regions\[1\].span: Span lies outside its audio", id="span_outside"
    ),
    pytest.param(changed("regions", 3, "time_s", [1, 9]), r"regions\[3\].time_s: Span lies outside", id="time_outside"),
    pytest.param(changed("regions", 2, "points", []), r"points: expected at least one index", id="points_none"),
    pytest.param(
        changed("regions", 2, "points", [50]), r"points: expected indices below 50.*, got 50", id="points_beyond"
    ),
    pytest.param(
        changed("regions", 2, "points", [3, 3]), r"points: expected at least one index.* without rep", id="points_twice"
    ),
    pytest.param(
        changed("regions", 2, "points", [*range(20), 3]),
        r"points: expected at least one index.* without rep",
        id="points_twice_late",
    ),
    pytest.param(
        changed("regions", 2, "points", [*range(20), 1.5]),
        r"points\[20\]: expected a whole number, got 1.5",
        id="points_float_late",
    ),
    pytest.param(
        changed("regions", 0, "mask", "size", [6, 4]), r"mask.size: expected \[4, 6\].*got \[6, 4\]", id="mask_turned"
    ),
    pytest.param(
        changed("regions", 0, "mask", "counts", [4, 3]), r"mask: the runs .* must fill its size", id="mask_short"
    ),
    pytest.param(
        changed("regions", 0, "mask", "counts", [24]), r"mask: expected at least one pixel set", id="mask_empty"
    ),
    pytest.param(
        changed("regions", 0, "mask", "counts", "é"), r"mask: 'counts' .* holds a character", id="mask_foreign_text"
    ),
    pytest.param(changed("regions", 0, "mask", [[1]]), r"mask: expected an object, got \[\[1\]\]", id="mask_as_list"),
    pytest.param(
        changed("turns", 0, "user", "What is {4}?"),
        r"turns\[0\].user: .4. names a region that is not there: the sample has 4",
        id="question_beyond",
    ),
    pytest.param(
        changed("turns", 0, "user", "What is {0:box}?"),
        r"user: expected no form and no {} in a question",
        id="question_with_form",
    ),
    pytest.param(
        changed("turns", 0, "user", "[a dog]{}?"),
        r"user: expected no form and no {} in a question",
        id="question_with_none",
    ),
    pytest.param(
        changed("turns", 0, "user", "What is {0?"),
        r"turns\[0\].user: a single { at character 8",
        id="question_malformed",
    ),
    pytest.param(
        changed("turns", 0, "assistant", "[x]{1:box}"),
        r"assistant: {1:box} asks for a form that regions\[1\] has not: it has span",
        id="form_absent",
    ),
    pytest.param(
        changed("turns", 0, "assistant", "[x]{0:circle}"),
        r"turns\[0\].assistant: the form .* must be one of",
        id="form_unknown",
    ),
    pytest.param(
        changed("turns", 0, "references", ["{9}"]),
        r"turns\[0\].references\[0\]: .9. names a region",
        id="reference_beyond",
    ),
    pytest.param(
        changed("turns", 0, "assistant", 5), r"turns\[0\].assistant: expected text, got 5", id="answer_number"
    ),
    pytest.param(
        changed("turns", 1, "choices", ["blue", "green"]), r"choices: expected the answer among them", id="choices"
    ),
    pytest.param(changed("turns", 1, "choices", ["red"]), r"choices: expected at least 2 items", id="one_choice"),
]


@pytest.mark.parametrize(("record", "sentence"), BAD)
def test_a_bad_record_is_refused_in_one_sentence(record, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        validate_record(record)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("record", "sentence"), BAD)
def test_what_json_cannot_change_is_refused_from_a_line_too(record, sentence, tmp_path):
    with pytest.raises(ValueError, match=f"{sentence}|NaN is no number of JSON"):
        sample_of(json_record(json.dumps(record)), tmp_path)


def test_the_record_is_left_as_it_was():
    record = good()
    before = copy.deepcopy(record)
    validate_record(record)
    assert record == before


_MEDIUM_FIELDS = {{"kind": "modality"}.get(name, name) for name in SCHEMA["$defs"]["signal"]["properties"]}


def test_the_schema_is_a_schema():
    meta.validate(SCHEMA)


NOT_IN_THE_FORMAT = {"scribble", "polygon", "label", "score", "phrase"}
"""Fields of a region that belong to questions and answers."""


@pytest.mark.parametrize(
    ("record_type", "properties", "apart"),
    [
        pytest.param(Sample, SCHEMA["properties"], set(), id="sample"),
        pytest.param(MediaReference, _MEDIUM_FIELDS, {"values", "content"}, id="signal"),
        pytest.param(Region, SCHEMA["$defs"]["region"]["properties"], NOT_IN_THE_FORMAT, id="region"),
        pytest.param(Turn, SCHEMA["$defs"]["turn"]["properties"], {"generated", "want"}, id="turn"),
    ],
)
def test_schema_and_dataclasses_have_the_same_fields(record_type, properties, apart):
    assert {field.name for field in fields(record_type)} - apart == set(properties)


def test_schema_and_tables_agree():
    kinds = SCHEMA["$defs"]["signal"]["properties"]["kind"]["enum"]
    assert set(kinds) == set(MODALITIES)
    assert SCHEMA["properties"]["version"]["const"] == VERSION
    assert SCHEMA["properties"]["author"]["enum"] == list(AUTHORS)
    assert [option["required"] for option in SCHEMA["$defs"]["region"]["anyOf"]] == [[name] for name in REGION_FIELDS]
    assert set(FIELDS_BEHIND) == set(FORMS)
