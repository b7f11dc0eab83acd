"""Visual Genome in the official layout: objects joined over files, boxes cut, old and new versions, foreign ids."""

import tracemalloc

import numpy as np
import pytest

from deixis.datasets.annotated import Relation
from deixis.datasets.detection.visual_genome import VISUAL_GENOME, scan_visual_genome
from deixis.datasets.plain_questions import plain_samples
from deixis.datasets.source import DatasetConfig
from tests.datasets.reading import read_all, write_json, write_picture

IMAGES = [
    {"image_id": 1, "url": "https://cs.stanford.edu/people/rak248/VG_100K_2/1.jpg", "width": 80, "height": 60,
     "coco_id": None, "flickr_id": None},
    {"image_id": 2, "url": "https://cs.stanford.edu/people/rak248/VG_100K/2.jpg", "width": 80, "height": 60,
     "coco_id": 139, "flickr_id": 2970773875},
]  # fmt: skip


def obj(number, names, x=10, y=10, w=20, h=20, **other):
    return {"object_id": number, "names": names, "synsets": [], "x": x, "y": y, "w": w, "h": h, **other}


def end(number, name, **place):
    return {**obj(number, name, **place), "name": name}


DOG, MAN = obj(11, ["Dog ", "puppy"], merged_object_ids=[15]), obj(12, ["man"], x=40)
RIDES = {
    "relationship_id": 5,
    "predicate": "NEXT  to",
    "synsets": [],
    "subject": end(15, "dog"),
    "object": end(12, "man"),
}
REGION = {"region_id": 9, "image_id": 1, "phrase": "a dog  sleeps", "x": 5, "y": 5, "width": 30, "height": 40}


def layout(folder, images=IMAGES, **files):
    names = {"regions": "region_descriptions"}
    if images is not None:
        write_json(folder / "image_data.json", images)
    for part, records in files.items():
        key = "id" if part == "regions" else "image_id"
        write_json(folder / f"{names.get(part, part)}.json", [{key: number, part: found} for number, found in records])
    return folder


def test_refuses_a_folder_without_annotations(tmp_path):
    with pytest.raises(ValueError, match=r"expected some of image_data\.json, objects\.json, .* in it, got none"):
        read_all(VISUAL_GENOME, layout(tmp_path))


@pytest.mark.parametrize(
    ("part", "bad", "why"),
    [
        pytest.param("objects", 3, "objects: expected an object of JSON, got 3", id="no_object"),
        pytest.param("objects", {"names": ["a"]}, "object_id: expected a number, got null", id="no_id"),
        pytest.param("objects", obj(99, []), "names: expected what the object is called, got []", id="no_name"),
        pytest.param("objects", obj(99, [" "]), "names: expected what the object is called", id="blank_name"),
        pytest.param("objects", obj(99, ["a"], w=0), "x, y, w, h: expected a box with an area on",
                     id="no_width"),
        pytest.param("objects", obj(99, ["a"], x=None), "x, y, w, h: expected four numbers", id="no_x"),
        pytest.param("attributes", obj(99, ["a"], x=500), "x, y, w, h: expected a box with an area",
                     id="off_the_picture"),
        pytest.param("relationships", {**RIDES, "predicate": ""}, "predicate: expected words, got ''",
                     id="no_predicate"),
        pytest.param("relationships", {**RIDES, "subject": 3}, "subject: expected an object of JSON",
                     id="no_subject"),
        pytest.param("relationships", {**RIDES, "object": end(77, "a", w=-3)}, "object: x, y, w, h: expected a box",
                     id="end_without_a_box"),
        pytest.param("relationships", {**RIDES, "object": end(11, "dog")},
                     "object: expected another object than the subject, got the same", id="to_itself"),
        pytest.param("regions", {**REGION, "phrase": None}, "phrase: expected text, got null", id="no_phrase"),
        pytest.param("regions", {**REGION, "width": 0}, "x, y, width, height: expected a box",
                     id="region_without_width"),
    ],
)  # fmt: skip
def test_one_bad_fact_is_counted_and_the_rest_is_read(tmp_path, part, bad, why):
    files = {"objects": [DOG, MAN], "attributes": [], "relationships": [RIDES], "regions": [REGION]}
    files[part] = [bad, *files[part]]
    (record,), skipped = read_all(
        VISUAL_GENOME, layout(tmp_path, IMAGES[:1], **{p: [(1, f)] for p, f in files.items()})
    )
    name = "region_descriptions" if part == "regions" else part
    assert [found.where for found in skipped] == [f"{name}.json: [0]: {part}[0]"]
    assert skipped[0].why.startswith(why)
    assert (len(record.objects), len(record.relations), len(record.expressions)) == (3, 1, 1)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param([], "image_id: expected the number of an image, got []", id="list"),
        pytest.param({"objects": []}, "image_id: expected the number of an image, got {", id="no_id"),
        pytest.param({"image_id": 1, "objects": None}, "objects: expected a list, got null", id="no_list"),
    ],
)
def test_a_bad_image_is_counted(tmp_path, record, why):
    layout(tmp_path, IMAGES[:1], regions=[(1, [REGION])])
    write_json(tmp_path / "objects.json", [record])
    records, skipped = read_all(VISUAL_GENOME, tmp_path)
    assert len(records) == 1
    assert [(found.where, found.why[: len(why)]) for found in skipped] == [("objects.json: [0]", why)]


def test_facts_of_all_files_are_joined(tmp_path):
    files = {
        "objects": [(1, [DOG, MAN, obj(13, ["sky"], x=-5, y=-5, w=200, h=20)])],
        "attributes": [(1, [{**DOG, "attributes": ["Brown", "sleepy", "brown"]}, {**MAN, "names": ["man"]},
                            {**obj(14, ["hat"]), "attributes": ["red"]}])],
        "relationships": [(1, [RIDES, RIDES, {**RIDES, "object": end(20, "ball", x=70, w=30)}])],
        "regions": [(1, [REGION])],
    }  # fmt: skip
    (record, *_), skipped = read_all(VISUAL_GENOME, layout(tmp_path, **files))
    assert not skipped
    assert [obj.name for obj in record.objects] == ["dog", "man", "sky", "hat", "ball", ""]
    assert record.objects[0].synonyms == ("puppy",)
    assert record.objects[0].attributes == ("brown", "sleepy")
    assert record.objects[3].attributes == ("red",)
    assert record.objects[2].region.box == (0, 0, 80, 15)
    assert record.objects[4].region.box == (70, 10, 80, 30)
    assert record.relations == (Relation(0, "next to", 1), Relation(0, "next to", 4))
    assert [(said.text, said.objects, said.unique) for said in record.expressions] == [("a dog sleeps", (5,), False)]
    assert record.objects[5].region.box == (5, 5, 35, 45)
    assert (record.complete, record.form, record.split) == (False, "box", "train")
    turns = {sample.task: sample.turns for sample in plain_samples(record)}
    assert "detect" not in turns
    assert turns["describe"][0].assistant == "a dog sleeps"
    assert len(turns["relate"]) == 2


def test_a_image_that_is_cocos_too_keeps_its_id_and_has_the_others_as_aliases(tmp_path):
    """VG's copy has another size than COCO's, so they are two media; leaks are found by the aliases."""
    records, _ = read_all(VISUAL_GENOME, layout(tmp_path, objects=[(1, [DOG]), (2, [DOG])]), split="test")
    assert [record.id for record in records] == ["vg/1", "vg/2"]
    assert [record.signals[0].id for record in records] == ["vg/1", "vg/2"]
    assert [record.aliases for record in records] == [(), ("coco/000000000139", "flickr/2970773875")]
    assert [record.split for record in records] == ["test", "test"]


def test_images_lie_as_their_addresses_end(tmp_path):
    layout(tmp_path, objects=[(1, [DOG]), (2, [DOG])])
    write_picture(tmp_path / "VG_100K_2" / "1.jpg", np.zeros((60, 80, 3), np.uint8))
    write_picture(tmp_path / "images" / "2.jpg", np.zeros((60, 80, 3), np.uint8))
    records, _ = read_all(VISUAL_GENOME, tmp_path)
    assert [record.signals[0].path for record in records] == [
        str(tmp_path / "VG_100K_2/1.jpg"), str(tmp_path / "images/2.jpg")
    ]  # fmt: skip


def test_without_image_data_the_size_is_the_images(tmp_path):
    layout(tmp_path, None, objects=[(1, [DOG]), (2, [DOG])])
    write_picture(tmp_path / "1.jpg", np.zeros((60, 80, 3), np.uint8))
    (record,), skipped = read_all(VISUAL_GENOME, tmp_path)
    assert record.signals[0].size_hw == (60, 80)
    assert "2.jpg: expected the image, whose size the set does not tell, got no such file" in skipped[0].why


def test_version_1_0_names_one_name_and_other_ids(tmp_path):
    layout(tmp_path, [{**IMAGES[0], "id": 1}])
    write_json(
        tmp_path / "objects.json", [{"id": 1, "objects": [{"id": 3, "name": "Cat", "x": 1, "y": 1, "w": 9, "h": 9}]}]
    )
    (record,), _ = read_all(VISUAL_GENOME, tmp_path)
    assert [obj.name for obj in record.objects] == ["cat"]


def test_the_pass_over_the_files_holds_one_image(tmp_path):
    """Ten times as many images take no more memory."""
    peaks = []
    for count in (20, 200):
        folder = tmp_path / str(count)
        layout(folder, None, objects=[(number, [obj(n, ["thing"]) for n in range(40)]) for number in range(count)])
        tracemalloc.start()
        assert sum(1 for _ in scan_visual_genome(DatasetConfig(folder))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
