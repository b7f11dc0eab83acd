"""Builds region data in two ways and shows it: from a set in COCO's format, and from a folder of images and masks.

    python examples/region_data.py                                    # sets that the script generates itself
    python examples/region_data.py instances_val2017.json val2017/    # a set of yours, in COCO's format
    python examples/region_data.py instances.json images/ mine/       # and a folder with images/ and masks/

1. `deixis data build` makes samples in the manner of Ferret's GRIT from the set: questions about regions and answers
   that are regions, in many wordings, with points, boxes and free-form shapes sampled from the masks, and questions
   about absent objects.
2. `deixis data read` makes samples for fine-tuning from the folder: a question for each mask.

Both are checked, counted and drawn, into out/region_data. The commands are printed as they run: type the same ones for
data of your own.
"""

import json
import shlex
import sys
from pathlib import Path

from deixis.cli import main as deixis

OUT = Path("out/region_data")
GENERATED = 24  # images per set, where none are given
SIDE_PX = 224
SHOWN = 8  # of each task, on the page
RECIPE = """\
# `deixis data build --list` shows all types of parts and their options.
seed: 1
sources:
  coco: {{format: coco, path: {annotations}, images: {images}}}
parts:                         # samples: conversations of a few turns about one image
  - {{kind: objects, from: coco, samples: 48}}
  - {{kind: relations, from: coco, samples: 16}}
  - {{kind: classes, from: coco, samples: 16}}
  - {{kind: negatives, from: coco, samples: 16}}
shards: {{format: jsonl, media: link}}
"""


def main(words: list[str]) -> None:
    if len(words) not in (0, 2, 3):
        raise SystemExit("expected no arguments, or INSTANCES.json IMAGES [FOLDER with images/ and masks/]")
    if words:
        annotations, images, *others = map(Path, words)
        out = OUT / annotations.stem
    else:
        out = OUT / "generated"
        annotations, images, others = out / "coco/instances_train.json", out / "coco/images", [out / "folder"]
        if not annotations.is_file():
            print(f"generating {2 * GENERATED} images of the world")
            write_masks(out / "folder")
            write_coco(annotations, images)

    recipe = out / "recipe.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE.format(annotations=quoted(annotations), images=quoted(images)), encoding="utf-8")
    run("data", "build", recipe, out / "built")
    inspect(out / "built")
    for folder in others:
        run("data", "read", "masks", folder, out / "from_masks")
        inspect(out / "from_masks")
    lines = [f"{{path: {out / 'built'}/*, weight: 3}}", *(f"{{path: {out / 'from_masks'}, weight: 1}}" for _ in others)]
    print("\nTo train on them, write in recipes/finetune.yaml\n\n    data:")
    print("\n".join(f"      - {line}" for line in lines))
    print("\nand then: deixis train recipes/finetune.yaml --out runs/mine")


def inspect(samples: Path) -> None:
    """Checks a set, counts it, and draws some of it."""
    run("data", "check", samples)
    run("data", "stats", samples)
    run("data", "show", samples, "--out", samples.with_name(f"{samples.name}_shown"), "--count", SHOWN)


def run(*words: object) -> None:
    """Prints a command and runs it; ends this script where it fails, after its own error message."""
    print(f"\n$ deixis {shlex.join(str(word) for word in words)}", flush=True)
    try:
        deixis([str(word) for word in words])
    except SystemExit as end:
        if end.code:
            raise


def quoted(path: Path) -> str:
    """A path quoted for YAML, which accepts JSON's strings."""
    return json.dumps(str(path))


def write_coco(path: Path, folder: Path) -> None:
    """Writes a set of the generated world in COCO's format: images in `folder`, then annotations at `path`."""
    from deixis.geometry import Mask
    from deixis.world.objects import KIND_NAMES

    images, annotations = [], []
    for number in range(1, GENERATED + 1):
        facts = world_image(number, folder / f"{number:012d}.png")
        height, width = facts.object_id.shape
        images.append({"id": number, "file_name": f"{number:012d}.png", "height": height, "width": width})
        for object_id in visible_objects(facts):
            mask = facts.cells(object_id)
            x1, y1, x2, y2 = facts.record(object_id).box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": KIND_NAMES.index(facts.object_at(object_id).kind) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],  # COCO's boxes are left, top, width, height
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": Mask(mask).mask_rle,
                }
            )
    categories = [{"id": number, "name": kind} for number, kind in enumerate(KIND_NAMES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")


def write_masks(folder: Path) -> None:
    """Writes a folder of images and masks: images/7.png, and a binary masks/7_mug_1.png for each object in it."""
    from PIL import Image

    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for number in range(GENERATED + 1, 2 * GENERATED + 1):
        facts = world_image(number, folder / "images" / f"{number}.png")
        for object_id in visible_objects(facts):
            name = f"{number}_{facts.object_at(object_id).kind}_{object_id}.png"
            Image.fromarray(facts.cells(object_id)).save(folder / "masks" / name)


def world_image(number: int, path: Path):
    """The facts of a scene of the generated world, exact to the pixel; its image is saved at `path`."""
    from PIL import Image

    from deixis.world.generate import world_facts

    facts = world_facts("train", number, "image", size_px=SIDE_PX)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(facts.media[0].values).save(path)
    return facts


def visible_objects(facts) -> list[int]:
    """The numbers of the visible objects, barely visible ones too: questions treat unannotated objects as absent."""
    return [*facts.visible, *facts.barely_visible]


if __name__ == "__main__":
    main(sys.argv[1:])
