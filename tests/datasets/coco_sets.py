"""Sets in COCO's format with any number of images of one colour; some objects broken on purpose."""

import json
from pathlib import Path

from PIL import Image

NAMES = ("mug", "chair", "lamp")
SIZE_WH = (64, 48)


def coco_set(folder: Path, pictures: int, split: str = "train", first: int = 1, broken: tuple[int, ...] = ()) -> Path:
    """The annotation file of `pictures` images numbered from `first`; those in `broken` have a box without width."""
    images, annotations = [], []
    place = folder / split
    place.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + pictures):
        name = f"{number:012d}.jpg"
        Image.new("RGB", SIZE_WH, (number % 256, 90, 90)).save(place / name)
        images.append({"id": number, "file_name": name, "width": SIZE_WH[0], "height": SIZE_WH[1]})
        for obj in range(1 + number % 3):
            x, y, w, h = 4 + 9 * obj, 5 + number % 7, 0 if number in broken and obj == 0 else 12, 14
            annotations.append(
                {
                    "id": 10 * number + obj,
                    "image_id": number,
                    "category_id": 1 + (number + obj) % 3,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    categories = [{"id": number, "name": name, "supercategory": "thing"} for number, name in enumerate(NAMES, 1)]
    path = folder / f"instances_{split}.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a run but what it keeps for itself, links followed."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if ".run" not in p.parts}
