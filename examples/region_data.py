"""Builds region data two ways and shows it: from a set in COCO's form, and from a folder of pictures and masks.

    python examples/region_data.py                                    # sets that the script draws itself
    python examples/region_data.py instances_val2017.json val2017/    # a set of yours, in COCO's form
    python examples/region_data.py instances.json pictures/ mine/     # and a folder with images/ and masks/

1. `deixis data build` makes of the set what Ferret's GRIT is made of: questions about regions and answers that are
   regions, in many wordings, with points, boxes and free forms drawn from the masks, and questions about what is not
   there.
2. `deixis data read` makes of the folder what a model is fine-tuned on: a question for everything that has a mask.

Both are checked, counted and drawn, into out/region_data. The commands that run are shown, for they are what you type
for data of your own.
"""

import json
import shlex
import sys
from pathlib import Path

from deixis.cli import main as deixis

OUT = Path("out/region_data")
DRAWN = 24  # pictures, where none are given
SIDE_PX = 224
SHOWN = 8  # of each task, on the page
RECIPE = """\
# `deixis data build --list` shows all kinds of parts and their options.
seed: 1
sources:
  things: {{format: coco, path: {annotations}, images: {pictures}}}
parts:                         # samples: conversations of a few turns about one picture
  - {{kind: objects, from: things, samples: 48}}
  - {{kind: relations, from: things, samples: 16}}
  - {{kind: classes, from: things, samples: 16}}
  - {{kind: negatives, from: things, samples: 16}}
shards: {{format: jsonl, media: link}}
"""


def main(words: list[str]) -> None:
    if len(words) not in (0, 2, 3):
        raise SystemExit("expected nothing, or INSTANCES.json PICTURES [FOLDER with images/ and masks/]")
    if words:
        annotations, pictures, *others = map(Path, words)
        out = OUT / annotations.stem
    else:
        out = OUT / "drawn"
        annotations, pictures, others = out / "coco/instances_train.json", out / "coco/pictures", [out / "folder"]
        if not annotations.is_file():
            print(f"drawing {2 * DRAWN} pictures of the generated world")
            draw_masks(out / "folder")
            draw_coco(annotations, pictures)

    recipe = out / "recipe.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE.format(annotations=quoted(annotations), pictures=quoted(pictures)), encoding="utf-8")
    run("data", "build", recipe, out / "built")
    look_at(out / "built")
    for folder in others:
        run("data", "read", "masks", folder, out / "from_masks")
        look_at(out / "from_masks")
    lines = [f"{{path: {out / 'built'}/*, weight: 3}}", *(f"{{path: {out / 'from_masks'}, weight: 1}}" for _ in others)]
    print("\nTo train on them, say in recipes/finetune.yaml\n\n    data:")
    print("\n".join(f"      - {line}" for line in lines))
    print("\nand then: deixis train recipes/finetune.yaml --out runs/mine")


def look_at(samples: Path) -> None:
    """Checks a set, counts it, and draws some of it."""
    run("data", "check", samples)
    run("data", "stats", samples)
    run("data", "show", samples, "--out", samples.with_name(f"{samples.name}_shown"), "--count", SHOWN)


def run(*words: object) -> None:
    """Runs a command and shows it; ends this script where it fails, for it has said why."""
    print(f"\n$ deixis {shlex.join(str(word) for word in words)}", flush=True)
    try:
        deixis([str(word) for word in words])
    except SystemExit as end:
        if end.code:
            raise


def quoted(path: Path) -> str:
    """A path as YAML takes it, whatever signs are in it; JSON's quotes are YAML's."""
    return json.dumps(str(path))


def draw_coco(path: Path, pictures: Path) -> None:
    """Writes a set drawn from the generated world, as COCO's files are: annotations at `path`, after the pictures."""
    from deixis.geometry import Mask
    from deixis.world.objects import KIND_NAMES

    images, annotations = [], []
    for number in range(1, DRAWN + 1):
        facts = world_picture(number, pictures / f"{number:012d}.png")
        height, width = facts.object_id.shape
        images.append({"id": number, "file_name": f"{number:012d}.png", "height": height, "width": width})
        for thing in everything_in(facts):
            mask = facts.cells(thing)
            x1, y1, x2, y2 = facts.record(thing).box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": KIND_NAMES.index(facts.object_at(thing).kind) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],  # COCO's boxes are left, top, width, height
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": Mask(mask).mask_rle,
                }
            )
    categories = [{"id": number, "name": kind} for number, kind in enumerate(KIND_NAMES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")


def draw_masks(folder: Path) -> None:
    """Writes a folder as people have it: images/7.png, and a black and white masks/7_mug_1.png for each thing in it."""
    from PIL import Image

    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for number in range(DRAWN + 1, 2 * DRAWN + 1):
        facts = world_picture(number, folder / "images" / f"{number}.png")
        for thing in everything_in(facts):
            name = f"{number}_{facts.object_at(thing).kind}_{thing}.png"
            Image.fromarray(facts.cells(thing)).save(folder / "masks" / name)


def world_picture(number: int, path: Path):
    """A scene of the generated world, its picture saved at `path`: what is where is known to the pixel."""
    from PIL import Image

    from deixis.world.generate import world_facts

    facts = world_facts("train", number, "image", size_px=SIDE_PX)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(facts.medium.values).save(path)
    return facts


def everything_in(facts) -> list[int]:
    """The numbers of the things that can be seen, slivers too: of what is not marked, questions say it is not there."""
    return [*facts.visible, *facts.barely_visible]


if __name__ == "__main__":
    main(sys.argv[1:])
