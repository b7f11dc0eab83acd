"""RefCOCO and its kin in the official layout: pickles of both Pythons, divisions, refCLEF's run lengths, no targets."""

import json
import os
import pickle
import re

import numpy as np
import pytest

from deixis.datasets.grounding.refcoco import GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG, splits_of
from deixis.datasets.plain_questions import plain_samples
from deixis.geometry import mask_to_rle, rle_to_mask
from tests.datasets.reading import read_all, write_json

SQUARE, TALL = [[10, 10, 20, 10, 20, 20, 10, 20]], [[40, 5, 50, 5, 50, 35, 40, 35]]
INSTANCES = {
    "images": [
        {"id": 139, "file_name": "COCO_train2014_000000000139.jpg", "height": 40, "width": 60,
         "flickr_url": "http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg"},
        {"id": 285, "file_name": "COCO_train2014_000000000285.jpg", "height": 40, "width": 60},
        {"id": 999, "file_name": "COCO_train2014_000000000999.jpg", "height": 40, "width": 60},
    ],
    "annotations": [
        {"id": 1, "image_id": 139, "category_id": 18, "segmentation": SQUARE, "bbox": [10, 10, 10, 10], "iscrowd": 0},
        {"id": 2, "image_id": 139, "category_id": 10, "segmentation": TALL, "bbox": [40, 5, 10, 30], "iscrowd": 0},
        {"id": 3, "image_id": 139, "category_id": 18, "segmentation": SQUARE, "bbox": [1, 1, 9, 9], "iscrowd": 0},
        {"id": 4, "image_id": 285, "category_id": 18, "segmentation": [], "bbox": [1, 1, 9, 9], "iscrowd": 0},
        {"id": 5, "image_id": 285, "category_id": 18, "segmentation": TALL, "bbox": [40, 5, 10, 30], "iscrowd": 0},
    ],
    "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 10, "name": "traffic_light"}],
}  # fmt: skip


def ref(ref_id, ann_id, image_id, split, *texts):
    sentences = [
        {"sent_id": n, "sent": text, "raw": text.title(), "tokens": text.split()} for n, text in enumerate(texts)
    ]
    return {"ref_id": ref_id, "ann_id": ann_id, "image_id": image_id, "split": split, "sentences": sentences,
            "file_name": "COCO_train2014_000000000139_1.jpg", "category_id": 18, "sent_ids": [0]}  # fmt: skip


def layout(folder, refs, name="refs(unc).p", instances=INSTANCES, protocol=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(json.dumps(refs).encode() if name.endswith("json") else pickle.dumps(refs, protocol))
    write_json(folder / "instances.json", instances)
    return folder


REFS = [
    ref(7, 1, 139, "train", "the dog", "dog on  the left"),
    ref(8, 2, 139, "val", "the light"),
    ref(9, 5, 285, "train", "tall thing", "tall thing"),
]


class Calls:
    def __reduce__(self):
        return os.system, ("echo run",)


@pytest.mark.parametrize(
    ("refs", "name", "form", "message"),
    [
        pytest.param(REFS, "refs(google).p", REFCOCO, "refcoco: expected refs(unc).p or refs(unc).json, got "
                     "refs(google).p: the option split_by chooses among them", id="another_division"),
        pytest.param(REFS, "other.p", REFCOCO, "got no references", id="no_references"),
        pytest.param({"refs": REFS}, "refs(unc).p", REFCOCO, "expected a list of references, got dict", id="no_list"),
        pytest.param([Calls()], "refs(unc).p", REFCOCO,
                     "refs(unc).p: expected a pickle of plain data, got the global posix.system", id="runs_code"),
        pytest.param(b"", "grefs(unc).json", REFCOCO, "expected refs(unc).p", id="gref_is_no_ref"),
    ],
)  # fmt: skip
def test_refuses_the_set(tmp_path, refs, name, form, message):
    folder = layout(tmp_path / "refcoco", refs if not isinstance(refs, bytes) else [], name)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(form, folder)


def test_refuses_a_folder_without_instances(tmp_path):
    with pytest.raises(ValueError, match=re.escape("expected instances.json beside the references, got none")):
        read_all(REFCOCO, tmp_path)


@pytest.mark.parametrize(
    ("bad", "where", "why"),
    [
        pytest.param(3, "refs(unc).p: [3]", "expected a reference with ref_id, ann_id, image_id, split, sentences, got",
                     id="no_reference"),
        pytest.param(ref(1, {}, 139, "train", "a"), "refs(unc).p: [3]", "ann_id: expected ids that are numbers or",
                     id="ann_id"),
        pytest.param(ref(1, 1, (1,), "train", "a"), "refs(unc).p: [3]", "image_id: expected ids", id="image_id"),
        pytest.param(ref(1, 1, 139, "", "a"), "refs(unc).p: [3]", "split: expected a name such as train, got ''",
                     id="split"),
        pytest.param(ref(1, 1, 139, "train"), "refs(unc).p: [3]", "sentences: expected some with a text in 'sent'",
                     id="no_sentence"),
        pytest.param(ref(1, 1, 139, "train", " "), "refs(unc).p: [3]", "sentences: expected some", id="blank_sentence"),
        pytest.param(ref(1, 4, 285, "train", "a"), "instances.json: annotations[3]",
                     "segmentation: expected polygons or run lengths, got none", id="no_mask"),
        pytest.param(ref(1, 77, 139, "train", "a"), "refs(unc).p: [3]",
                     "ann_id: expected annotations that can be used, got 77", id="no_such_annotation"),
        pytest.param(ref(1, 1, 4242, "train", "a"), "refs(unc).p: [3]",
                     "refs(unc).p: [3]: expected the image that it belongs to, 4242, got none", id="no_such_picture"),
    ],
)  # fmt: skip
def test_one_bad_reference_is_counted_and_the_rest_is_read(tmp_path, bad, where, why):
    records, skipped = read_all(REFCOCO, layout(tmp_path / "refcoco", [*REFS, bad]))
    assert [record.split for record in records] == ["train", "val", "train"]
    assert any(found.where == where and found.why.startswith(why) for found in skipped), skipped


@pytest.mark.parametrize("protocol", [pytest.param(number, id=f"protocol_{number}") for number in range(6)])
def test_a_image_has_a_record_for_each_of_its_splits(tmp_path, protocol):
    records, skipped = read_all(REFCOCO, layout(tmp_path / "refcoco", REFS, protocol=protocol))
    assert not skipped
    first, second, third = records
    assert [record.id for record in records] == [
        "refcoco/unc/train/000000000139",
        "refcoco/unc/val/000000000139",
        "refcoco/unc/train/000000000285",
    ]
    assert [record.split for record in records] == ["train", "val", "train"]
    assert first.signals == second.signals
    assert first.signals[0].id == "coco/000000000139"
    assert first.signals[0].size_hw == (40, 60)
    assert first.aliases == ("flickr/2970773875",)
    assert [obj.name for obj in first.objects] == ["dog"]
    assert [obj.name for obj in second.objects] == ["traffic light"]
    assert [(said.text, said.objects, said.unique) for said in first.expressions] == [
        ("the dog", (0,), True),
        ("dog on the left", (0,), True),
    ]
    assert [said.text for said in third.expressions] == ["tall thing"]
    assert (first.form, first.complete) == ("mask", False)
    region = first.objects[0].region
    assert region.box == (10, 10, 20, 20)
    assert np.argwhere(rle_to_mask(region.mask)).min(0).tolist() == [10, 10]
    assert int(rle_to_mask(region.mask).sum()) == 100


def test_images_lie_where_the_official_layout_has_them(tmp_path):
    folder = layout(tmp_path / "refcoco", REFS)
    (record, *_), _ = read_all(REFCOCO, folder)
    named = "COCO_train2014_000000000139.jpg"
    assert record.signals[0].path == str(tmp_path / "images/mscoco/images/train2014" / named)
    (tmp_path / "train2014").mkdir()
    (record, *_), _ = read_all(REFCOCO, folder)
    assert record.signals[0].path == str(tmp_path / "train2014" / named)
    (record, *_), _ = read_all(REFCOCO, folder, images=tmp_path / "elsewhere")
    assert record.signals[0].path == str(tmp_path / "elsewhere" / named)


def test_the_folder_above_will_do_and_divisions_are_chosen(tmp_path):
    layout(tmp_path / "refcoco+", REFS, "refs(unc).p")
    layout(tmp_path / "refcoco+", REFS[:1], "refs(google).p")
    records, _ = read_all(REFCOCO_PLUS, tmp_path, options={"split_by": "google"})
    assert [record.id for record in records] == ["refcoco_plus/google/train/000000000139"]
    layout(tmp_path / "refcocog", REFS[1:2], "refs(umd).p")
    records, _ = read_all(REFCOCOG, tmp_path)
    assert [record.id for record in records] == ["refcocog/umd/val/000000000139"]


def test_refclef_has_lists_of_run_lengths_folders_of_a_thousand_and_overlapping_tests(tmp_path):
    mask = np.zeros((40, 60), dtype=bool)
    mask[3:9, 4:6] = True
    instances = {
        "images": [{"id": 19579, "file_name": "19579.jpg", "height": 40, "width": 60}],
        "annotations": [{"id": 5, "image_id": 19579, "category_id": 1, "segmentation": [mask_to_rle(mask)],
                         "bbox": [4, 3, 2, 6]}],
        "categories": [{"id": 1, "name": "sky_blue"}],
    }  # fmt: skip
    folder = layout(tmp_path / "refclef", [ref(1, 5, 19579, "testAB", "the sky")], instances=instances, protocol=2)
    file = tmp_path / "images/saiapr_tc-12/19/images/19579.jpg"
    file.parent.mkdir(parents=True)
    file.touch()
    records, skipped = read_all(REFCLEF, folder)
    assert not skipped
    assert [record.split for record in records] == ["testA", "testB"]
    assert records[0].signals[0].id == "refclef/19579.jpg"
    assert records[0].signals[0].path == str(file)
    assert records[0].objects[0].name == "sky blue"
    assert records[0].objects[0].region.box == (4, 3, 6, 9)
    assert np.array_equal(rle_to_mask(records[0].objects[0].region.mask), mask)


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        pytest.param("train", ("train",), id="train"),
        pytest.param("test", ("test",), id="test"),
        pytest.param("testC", ("testC",), id="one_letter"),
        pytest.param("testBC", ("testB", "testC"), id="two_letters"),
        pytest.param("testing", ("testing",), id="another_word"),
    ],
)
def test_splits_of(split, expected):
    assert splits_of(split) == expected


@pytest.mark.parametrize(
    "name", [pytest.param("grefs(unc).json", id="json"), pytest.param("grefs(unc).p", id="pickle")]
)
def test_grefcoco_means_one_several_and_none(tmp_path, name):
    refs = [
        ref(1, [2, 1], 139, "train", "both of them"),
        ref(2, [-1], 139, "train", "a cat"),
        ref(3, [1], 139, "train", "the dog"),
        ref(4, [-1], 285, "testA", "nobody"),
    ]
    records, skipped = read_all(GREFCOCO, layout(tmp_path / "grefcoco", refs, name))
    assert not skipped
    assert [obj.name for obj in records[0].objects] == ["traffic light", "dog"]
    assert [(said.text, said.objects) for said in records[0].expressions] == [
        ("both of them", (0, 1)),
        ("a cat", ()),
        ("the dog", (1,)),
    ]
    assert (records[1].objects, records[1].split) == ((), "testA")
    (sample,) = plain_samples(records[1])
    assert sample.turns[0].assistant == "[nobody]{}"


def test_words_that_people_wrote(tmp_path, shared_data):
    """The published expressions in RefCOCO's format, each on an object of its own, are read unchanged."""
    said = json.loads((shared_data / "refer_expressions" / "sample_expressions_testA.json").read_text())["predictions"]
    by_ref: dict[int, list[str]] = {}
    for prediction in said:
        by_ref.setdefault(prediction["ref_id"], []).append(prediction["sent"])
    refs = [ref(ref_id, ref_id, ref_id // 4, "testA", *texts) for ref_id, texts in by_ref.items()]
    pictures = [{"id": n, "file_name": f"COCO_train2014_{n:012d}.jpg", "height": 40, "width": 60}
                for n in {ref_id // 4 for ref_id in by_ref}]  # fmt: skip
    annotations = [{"id": ref_id, "image_id": ref_id // 4, "category_id": 18, "segmentation": SQUARE,
                    "bbox": [10, 10, 10, 10]} for ref_id in by_ref]  # fmt: skip
    instances = {"images": pictures, "annotations": annotations, "categories": INSTANCES["categories"]}
    records, skipped = read_all(REFCOCO, layout(tmp_path / "refcoco", refs, instances=instances))
    assert not skipped
    found = {(int(record.signals[0].id[5:]), said.text) for record in records for said in record.expressions}
    assert found == {(ref_id // 4, " ".join(text.split())) for ref_id, texts in by_ref.items() for text in texts}
    assert sum(len(record.objects) for record in records) == len(by_ref)
    assert len(said) == 1_984


def test_masks_of_a_real_set_are_those_of_the_coco_api(tmp_path, shared_data):
    """Every annotation of another set, referred to once, against pycocotools' own reading."""
    from pycocotools.coco import COCO

    source = next((shared_data / "nuts_coco").rglob("*.json"))
    instances = json.loads(source.read_text())
    refs = [ref(n, made["id"], made["image_id"], "train", f"thing {made['id']}")
            for n, made in enumerate(instances["annotations"])]  # fmt: skip
    records, skipped = read_all(REFCOCO, layout(tmp_path / "refcoco", refs, instances=instances))
    api = COCO(source)
    assert not skipped
    count = 0
    for record in records:
        for said in record.expressions:
            annotation = api.anns[int(said.text.split()[1])]
            region = record.objects[said.objects[0]].region
            assert region.mask["counts"] == api.annToRLE(annotation)["counts"].decode("ascii")
            x, y, width, height = annotation["bbox"]
            assert region.box == pytest.approx((x, y, x + width, y + height), abs=1.01)
            count += 1
    assert count == len(instances["annotations"]) > 80


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({}, {"train": ["the dog", "dog on the left", "tall thing"], "val": ["the light"]}, id="plain"),
        pytest.param({"splits": "val"}, {"val": ["the light"]}, id="one_split"),
        pytest.param({"splits": "testA,testB"}, {}, id="no_such_split"),
        pytest.param({"splits": "train", "repeats": "keep"},
                     {"train": ["the dog", "dog on the left", "tall thing", "tall thing"]}, id="repeats"),
    ],
)  # fmt: skip
def test_what_is_scored(tmp_path, options, said):
    records, skipped = read_all(REFCOCO, layout(tmp_path / "refcoco", REFS), options=options)
    found = {}
    for record in records:
        found.setdefault(record.split, []).extend(expression.text for expression in record.expressions)
    assert (found, skipped) == (said, [])
