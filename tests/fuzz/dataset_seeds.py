"""Miniature sets in the layouts that `deixis data read` knows, as the tests of their readers make them."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deixis.samples.shards import write_shard
from tests import clouds
from tests.datasets.coco_sets import coco_set
from tests.datasets.detection import test_labelme as labelme
from tests.datasets.detection import test_lvis as lvis
from tests.datasets.detection import test_objects365 as objects365
from tests.datasets.detection import test_parts as parts
from tests.datasets.detection import test_visual_genome as visual_genome
from tests.datasets.detection import test_voc as voc
from tests.datasets.grounding import test_ferret_bench as ferret_bench
from tests.datasets.grounding import test_ferret_lvis as ferret_lvis
from tests.datasets.grounding import test_flickr30k as flickr30k
from tests.datasets.grounding import test_grand as grand
from tests.datasets.grounding import test_grand_f as grand_f
from tests.datasets.grounding import test_grit as grit
from tests.datasets.grounding import test_kosmos_grit as kosmos_grit
from tests.datasets.grounding import test_mdetr as mdetr
from tests.datasets.grounding import test_osprey as osprey
from tests.datasets.grounding import test_refcoco as refcoco
from tests.datasets.instruction import test_caption_sets as caption_sets
from tests.datasets.instruction import test_llava as llava
from tests.datasets.instruction import test_onellm as onellm
from tests.datasets.instruction import test_question_sets as question_sets
from tests.datasets.reading import write_json, write_picture
from tests.datasets.segmentation import test_class_maps as class_maps
from tests.datasets.segmentation import test_labelled_clouds as labelled_clouds
from tests.datasets.segmentation import test_mask_folder as mask_folder
from tests.fuzz.seeds import Seed, files_of
from tests.samples.test_round_trip import MEDIA, sample

Layout = Callable[[Path], Any]
COCO_SCENE = "COCO_train2014_000000000139.jpg"
TABLE = "audiocap_id,youtube_id,start_time,caption\n1,rqfQRErjfk8,170,A crowd cheers\n2,abcdefghijk,1,A dog barks\n"
REASONING = {
    "text": ["what barks?"],
    "is_sentence": True,
    "shapes": [{"label": "target", "points": [[1, 1], [9, 1], [9, 9]]}],
}


def in_box(folder: Path, name: str, size_wh: tuple[int, int]) -> None:
    write_picture(folder / name, np.zeros((size_wh[1], size_wh[0], 3), np.uint8))


def _labelme(folder: Path) -> None:
    in_box(folder, "a.jpg", (30, 20))
    mask = labelme.png(np.ones((3, 4), np.uint8))
    shapes = [labelme.SQUARE, {**labelme.SQUARE, "shape_type": "mask", "points": [[1, 1], [5, 4]], "mask": mask}]
    write_json(folder / "a.json", labelme.labelme(*shapes))
    write_json(folder / "b.json", labelme.labelme(labelme.SQUARE, imageData=labelme.png(labelme.PICTURE)))


def _voc(folder: Path) -> None:
    voc.lay(folder, voc.obj(), voc.obj("cat", more="<difficult>1</difficult>"))
    voc.lay(folder, voc.obj("sofa"), name="b")


def _grit(folder: Path) -> None:
    in_box(folder, "VG_100K/2.jpg", (4, 6))
    write_json(folder / "grit.json", [grit.row(), grit.row(masks=[[grit.mask_to_rle(grit.TALL)], []])])


def _mdetr(folder: Path) -> None:
    images = [mdetr.entry(1, mdetr.WALKS, "flickr")]
    mdetr.file(folder / "final_x_val.json", images, [mdetr.annotation(1, 1, [1, 1, 9, 9], [[0, 5]])])


def _masks(folder: Path) -> None:
    mask_folder.lay(folder, "masks/a_cat_0.png", "masks/a_dog_1.png")
    write_json(folder / "classes.json", {"0": "cat", "255": "dog"})


def _reason_seg(folder: Path) -> None:
    in_box(folder / "train", "a.jpg", (20, 12))
    write_json(folder / "train" / "a.json", REASONING)
    write_json(folder / "explanatory" / "train.json", [{"image": "a.jpg", "query": "what barks?", "outputs": "A dog."}])


def _classes(folder: Path) -> None:
    for name in ("cat", "dog"):
        in_box(folder / name, "a.png", (6, 4))
    (folder / "labels.csv").write_text("file,label\ncat/a.png,cat\ndog/a.png,dog\n")


def _ferret_bench(folder: Path) -> None:
    ferret_bench.write(folder / "refer_caption", [ferret_bench.QUESTION], [ferret_bench.ANSWER])
    in_box(folder, "a.jpg", (20, 12))


def _genome(folder: Path) -> None:
    relationships = [(1, [visual_genome.RIDES])]
    named = {"objects": [(1, [visual_genome.DOG, visual_genome.MAN])], "regions": [(1, [visual_genome.REGION])]}
    visual_genome.layout(folder, relationships=relationships, **named)


def _onellm(folder: Path) -> None:
    onellm.table(folder / "image" / "laion" / "00000.csv", "A cat\tcluster:s3://x/1.jpg", '"A ""big"" dog"\t2.jpg')
    in_box(folder / "image" / "laion", "2.jpg", (6, 4))


def _shard(ending: str) -> Layout:
    def write(folder: Path) -> None:
        write_shard([sample(kind) for kind in MEDIA], folder / f"train.{ending}", "copy")

    return write


def _scene(name: str, value: Any, form: str = "json") -> Layout:
    """One file, and the image that most of the miniatures are about."""

    def write(folder: Path) -> None:
        in_box(folder, COCO_SCENE, (60, 40))
        if form == "json":
            write_json(folder / name, value)
        else:
            text = value if form == "text" else "\n".join(map(json.dumps, value))
            (folder / name).write_text(text, encoding="utf-8")

    return write


OBJECTS365 = objects365.objects365(objects365.BOX)
COCO_FILE = {"images": [lvis.IMAGE], "annotations": [lvis.CUP], "categories": lvis.CATEGORIES}
PACO = {
    "images": [parts.IMAGE],
    "annotations": [parts.THING],
    "categories": parts.CATEGORIES,
    "attributes": parts.ATTRIBUTES,
}
CAPTIONS = caption_sets.coco({"image_id": 9, "caption": "A dog."})
GQA = {"1": {"question": "Is it red?", "answer": "yes", "fullAnswer": "Yes.", "imageId": "2331", "types": {}}}
SETS: tuple[tuple[str, str, Layout, dict[str, str]], ...] = (
    ("coco", "instances_train.json", lambda folder: coco_set(folder, 2), {"images": "train"}),
    ("lvis", "lvis_v1_train.json", _scene("lvis_v1_train.json", COCO_FILE), {}),
    ("objects365", "zhiyuan_objv2_val.json", _scene("zhiyuan_objv2_val.json", OBJECTS365), {}),
    ("paco_lvis", "paco_lvis_v1_train.json", _scene("paco_lvis_v1_train.json", PACO), {}),
    ("labelme", "", _labelme, {}),
    ("voc", "", _voc, {}),
    ("visual_genome", "", _genome, {}),
    ("ade20k", "", class_maps.ade20k, {}),
    ("coco_stuff", "stuffthingmaps", class_maps.coco_stuff, {"images": "coco"}),
    ("mapillary", "", class_maps.mapillary, {}),
    ("class_maps", "", class_maps.any_folder, {}),
    ("masks", "", _masks, {}),
    ("clouds", "", labelled_clouds.lay, {"name": "chair"}),
    ("reason_seg", "", _reason_seg, {}),
    ("class_folders", "", _classes, {}),
    ("refcoco", "", lambda folder: refcoco.layout(folder, refcoco.REFS), {}),
    ("flickr30k", "", flickr30k.layout, {}),
    ("mdetr", "final_x_val.json", _mdetr, {}),
    ("grit", "grit.json", _grit, {}),
    ("kosmos_grit", "a.parquet", lambda folder: kosmos_grit.write(folder / "a.parquet", kosmos_grit.row()), {}),
    ("grand", "", lambda folder: write_json(folder / "sa_1.json", {"sa_1.jpg": grand.record()}), {}),
    ("grand_f", "OpenPsgGCG_train.json", _scene("OpenPsgGCG_train.json", [grand_f.gcg(**grand_f.GOOD)]), {}),
    ("osprey", "osprey_conversation.json", _scene("osprey_conversation.json", [osprey.GOOD]), {}),
    ("ferret_lvis", "lvis_eval.jsonl", _scene("lvis_eval.jsonl", [ferret_lvis.ROW], "lines"), {}),
    ("ferret_bench", "", _ferret_bench, {}),
    ("llava", "mix.json", _scene("mix.json", [llava.ROW, {**llava.ROW, "image": COCO_SCENE}]), {}),
    ("onellm", "image/laion", _onellm, {}),
    ("coco_captions", "captions_val2014.json", _scene("captions_val2014.json", CAPTIONS), {}),
    ("clotho", "a.csv", _scene("a.csv", 'file_name,caption_1,caption_2\na b.wav,"Rain, heavy",It rains\n', "text"), {}),
    ("audiocaps", "test.csv", _scene("test.csv", TABLE, "text"), {}),
    ("vqav2", "v2_OpenEnded_mscoco_val2014_questions.json",
     lambda folder: question_sets.vqa(folder, [question_sets.QUESTION], [question_sets.ANNOTATION]), {}),
    ("gqa", "testdev_balanced_questions.json", _scene("testdev_balanced_questions.json", GQA), {}),
    ("pope", "coco_pope_random.json", _scene("coco_pope_random.json", [question_sets.POPE_ROW], "lines"), {}),
    ("samples", "train.jsonl", _shard("jsonl"), {}),
    ("samples", "train.tar", _shard("tar"), {}),
    ("samples", "train.parquet", _shard("parquet"), {}),
)  # fmt: skip
"""(name of the format, path, what lays the files, --images and options)."""


def dataset_seeds() -> list[Seed]:
    """Every set to be read, shards to be checked, and clouds to be classified."""
    seeds = []
    for form, path, lay, words in SETS:
        name = f"{form}{Path(path).suffix}" if form == "samples" else form
        images = ("--images", f"set/{words['images']}") if "images" in words else ()
        options = [word for key in words.keys() - {"images"} for word in ("--option", f"{key}={words[key]}")]
        media = "copy" if form in ("coco", "masks", "samples") else "none"  # most miniatures lack their photos
        read = ("data", "read", form, f"set/{path}", "out", *images, *options, "--media", media)
        files = laid(lay)
        annotations = tuple(file for file in files if not file.endswith(".jpg"))  # photos are damaged as images
        seeds.append(Seed("dataset", name, "command", files, {"words": read}, annotations))
    seeds += [
        Seed(
            "dataset",
            f"check.{ending}",
            "command",
            laid(_shard(ending)),
            {"words": ("data", "check", f"set/train.{ending}")},
        )
        for ending in ("jsonl", "tar", "parquet")
    ]
    layouts = (clouds.modelnet_h5, clouds.modelnet_text, clouds.scanobjectnn_h5, clouds.class_folders)
    seeds += [Seed("dataset", layout.__name__, "read_clouds", laid(layout), {"path": "set"}) for layout in layouts]
    return seeds


def laid(lay: Layout) -> dict[str, bytes]:
    """The files that a layout writes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        folder.mkdir()
        lay(folder)
        return files_of(Path(place))
