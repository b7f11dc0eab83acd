"""A miniature of Flickr30k Entities and of MDETR's files about it: two images, two captions each."""

import json
from pathlib import Path

from tests.evaluation.benchmarks.scripted import save_image

SIZE_HW = (100, 200)
SENTENCES = {
    "101": ["[/EN#1/people A man] pets [/EN#2/animals a dog] , near [/EN#3/other a lake] .",
            "[/EN#1/people A man] and [/EN#4/people two women] sit ."],
    "102": ["[/EN#5/people A girl] kicks [/EN#6/other a Blue ball] to [/EN#7/people A girl] .",
            "[/EN#8/notvisual someone] waves ."],
}  # fmt: skip
BOXES = {
    "101": {"1": [(11, 21, 60, 90)], "2": [(100, 50, 160, 90)], "4": [(120, 10, 140, 60), (160, 10, 180, 60)]},
    "102": {"5": [(5, 5, 45, 95)], "6": [(60, 40, 80, 60)], "7": [(100, 10, 150, 90)]},
}
"""Entity 3, a lake, has no box."""
SPLIT = {"val": ["101"], "test": ["102"]}


def write_entities(folder: Path) -> None:
    for name in ("Sentences", "Annotations"):
        (folder / name).mkdir(parents=True)
    for number, sentences in SENTENCES.items():
        (folder / "Sentences" / f"{number}.txt").write_text("\n".join(sentences) + "\n")
        objects = "<object><name>3</name><nobndbox>1</nobndbox><scene>0</scene></object>"
        for entity, boxes in BOXES[number].items():
            for box in boxes:
                edges = "".join(f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
                objects += f"<object><name>{entity}</name><bndbox>{edges}</bndbox></object>"
        height, width = SIZE_HW
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        (folder / "Annotations" / f"{number}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    for split, numbers in SPLIT.items():
        (folder / f"{split}.txt").write_text("".join(f"{number}\n" for number in numbers))


def write_pictures(folder: Path) -> None:
    for number in SENTENCES:
        save_image(folder / f"{number}.jpg", SIZE_HW, int(number))


CAPTIONS = {
    ("101", 0): ("A man pets a dog , near a lake .", [("A man", "1"), ("a dog", "2")]),
    ("101", 1): ("A man and two women sit .", [("A man", "1"), ("two women", "4")]),
    ("102", 0): ("A girl kicks a Blue ball to A girl .", [("A girl", "5"), ("a Blue ball", "6"), ("A girl", "7")]),
}
"""Picture and sentence -> caption, and its phrases that have boxes, with their entities."""


def write_mdetr(folder: Path, merged: bool = True) -> None:
    """The files of MDETR, with one box a phrase (`merged`), or with all."""
    for split, numbers in SPLIT.items():
        images, annotations = [], []
        for (number, sentence), (caption, phrases) in CAPTIONS.items():
            if number not in numbers:
                continue
            spans, at = [], 0
            for text, entity in phrases:
                start = caption.index(text, at)
                at = start + len(text)
                spans.append([[start, at]])
                boxes = BOXES[number][entity]
                x1, y1, x2, y2 = zip(*boxes, strict=True)
                for box in [(min(x1), min(y1), max(x2), max(y2))] if merged else boxes:
                    xywh = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                    annotations.append({"id": len(annotations), "image_id": len(images), "bbox": xywh,
                                        "tokens_positive": [[start, at]], "category_id": 1})  # fmt: skip
            images.append({
                "id": len(images), "file_name": f"{number}.jpg", "height": SIZE_HW[0], "width": SIZE_HW[1],
                "caption": caption, "dataset_name": "flickr", "tokens_positive_eval": spans, "sentence_id": sentence,
                "original_img_id": int(number),
            })  # fmt: skip
        name = f"final_flickr_{'merged' if merged else 'separate'}GT_{split}.json"
        (folder / name).write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
