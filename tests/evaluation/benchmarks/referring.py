"""A miniature of RefCOCO and its kin in the official layout, which the tests of masks and of boxes share."""

import json
import pickle
from pathlib import Path

import numpy as np

from tests.datasets.reading import write_json, write_picture

SIZE_HW = (40, 60)
BOXES = {1: (10, 10, 30, 30), 2: (40, 5, 55, 35), 3: (2, 2, 20, 38), 4: (30, 10, 50, 20), 5: (5, 5, 58, 38)}
IMAGE_OF = {1: 139, 2: 139, 3: 285, 4: 285, 5: 400}
EXPRESSIONS = {  # split -> (annotations, text)
    "train": [((1,), ["left thing"])],
    "val": [((2,), ["Tall One", "right thing"]), ((3,), ["left post", "left post"])],
    "testA": [((4,), ["flat thing"])],
    "testB": [((5,), ["big {thing}"])],
}
EXPRESSIONS_G = {"train": EXPRESSIONS["train"], "val": EXPRESSIONS["val"], "test": EXPRESSIONS["testA"]}
SAID_SEVERAL = {
    "val": [((1, 2), ["both"]), ((-1,), ["no such thing", "a cow"]), ((3,), ["left post"])],
    "testA": [((3, 4), ["all of them"])],
    "testB": [((-1,), ["a whale"])],
}


def outline(box):
    x1, y1, x2, y2 = box
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def referring_layout(
    root: Path, folder: str, expressions=EXPRESSIONS, name: str = "refs(unc).p", images: bool = True
) -> Path:
    """Writes the set below `root`, with images of one colour; returns `root`."""
    refs, count = [], 0
    for split, entries in expressions.items():
        for annotations, texts in entries:
            sentences = [
                {"sent_id": count + n, "sent": text, "raw": text, "tokens": []} for n, text in enumerate(texts)
            ]
            image_id = IMAGE_OF[abs(annotations[0])] if annotations != (-1,) else 400
            own = list(annotations) if name.startswith("grefs") else annotations[0]
            refs.append({"ref_id": len(refs), "ann_id": own, "image_id": image_id, "split": split,
                         "sentences": sentences, "sent_ids": [], "category_id": 1})  # fmt: skip
            count += len(texts)
    (root / folder).mkdir(parents=True, exist_ok=True)
    content = json.dumps(refs).encode() if name.endswith(".json") else pickle.dumps(refs, 2)
    (root / folder / name).write_bytes(content)
    height, width = SIZE_HW
    write_json(root / folder / "instances.json", {
        "images": [{"id": n, "file_name": file_name(n), "height": height, "width": width} for n in (139, 285, 400)],
        "annotations": [
            {"id": n, "image_id": IMAGE_OF[n], "category_id": 1, "segmentation": outline(box),
             "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]], "iscrowd": 0} for n, box in BOXES.items()
        ],
        "categories": [{"id": 1, "name": "thing"}],
    })  # fmt: skip
    for number in (139, 285, 400) if images else ():
        grey = np.full((*SIZE_HW, 3), number % 200, np.uint8)
        write_picture(root / "images/mscoco/images/train2014" / file_name(number), grey)
    return root


def file_name(number: int) -> str:
    return f"COCO_train2014_{number:012d}.jpg"


def drawn(*annotations: int) -> np.ndarray:
    """The mask of objects, by plain slices."""
    mask = np.zeros(SIZE_HW, bool)
    for number in annotations:
        if number in BOXES:
            x1, y1, x2, y2 = BOXES[number]
            mask[y1:y2, x1:x2] = True
    return mask
