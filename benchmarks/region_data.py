"""The region-data engine on a COCO-like set: items read and samples made per second, by stage, on one core.

The set is random, in COCO's own format: images of 640 x 480 with 7 objects each on average, polygons of about 50
corners, 80 names; expressions and relations are added for the parts that need them. Image files are not read. Run from
the repository:

    python -m benchmarks.region_data --out benchmarks/results/NAME.md
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measuring import command_line, publish
from deixis.datasets.annotated import Annotated, Expression, Relation
from deixis.datasets.object_names import names_with_hard_negatives
from deixis.datasets.runs.folder import RunFolder
from deixis.datasets.runs.pool import Workers
from deixis.datasets.runs.sources import Source
from deixis.datasets.source import DatasetConfig
from deixis.samples.progress import Silent
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import write_shard
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.build_run import build_set, plan_build
from deixis.synthesis.parts.registry import PARTS
from deixis.synthesis.recipe import build_recipe

SIZE_WH = (640, 480)
OBJECTS, CORNERS, NAMES = 7, 50, 80
TEMPLATE_PARTS = ("objects", "relations", "descriptions", "negatives", "classes")
PER_IMAGE = (1, 3, 6)  # samples per image of whole runs; GRIT has about 6 of each image of COCO and Visual Genome
PREDICATES = ("riding", "next to", "holding", "has", "on top of")
TARGET = 500  # samples per second and core


def coco_like(images: int, seed: int = 0) -> dict:
    """A random set in the form of COCO's instances file; an image has 0 to 30 objects, from tiny to half of it."""
    rng = np.random.default_rng(seed)
    names = names_with_hard_negatives()[:NAMES]
    annotations = []
    for image in range(1, images + 1):
        for _ in range(min(int(rng.geometric(1 / (OBJECTS + 1))) - 1, 30)):
            outline = _outline(rng)
            low, high = outline.min(axis=0), outline.max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(min(rng.zipf(1.4), len(names))),
                    "segmentation": [[round(value, 2) for value in outline.ravel().tolist()]],
                    "bbox": [round(value, 2) for value in (*low.tolist(), *(high - low).tolist())],
                    "area": float((high - low).prod()),
                    "iscrowd": 0,
                }
            )
    size = {"width": SIZE_WH[0], "height": SIZE_WH[1]}
    records = [{"id": n, "file_name": f"train2017/{n:012d}.jpg", **size} for n in range(1, images + 1)]
    return {
        "images": records,
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(names, 1)],
    }


def _outline(rng: np.random.Generator) -> np.ndarray:
    """Corners (x, y) of a random closed curve."""
    count = int(np.clip(rng.normal(CORNERS, 15), 8, 120))
    angles = np.sort(rng.uniform(0, 2 * math.pi, count))
    deformation = sum(rng.normal(0, 0.15 / k) * np.sin(k * angles + rng.uniform(0, 6)) for k in range(1, 6))
    sides = np.exp(rng.normal(4.0, 0.9, 2)).clip(4, 250)
    middle = rng.uniform(0, 1, 2) * SIZE_WH
    outline = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * sides * (1 + deformation)[:, None] / 2
    return outline.clip((0, 0), SIZE_WH)


def with_words(item: Annotated, rng: np.random.Generator) -> Annotated:
    """The item with an expression for each object, and a relation for each but the first."""
    objects = range(len(item.objects))
    expressions = [Expression(f"the {item.objects[n].name} that is number {n}", (n,)) for n in objects]
    relations = [Relation(n, PREDICATES[int(rng.integers(len(PREDICATES)))], n - 1) for n in objects[1:]]
    return replace(item, expressions=tuple(expressions), relations=tuple(relations))


def measure(images: int) -> list[tuple[str, int, float]]:
    """Rows (stage, count, seconds)."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = folder / "instances_train2017.json"
        path.write_text(json.dumps(coco_like(images)))
        source = Source("coco", "coco", DatasetConfig(path), folder / "coco.sqlite")
        rows.append(_timed("index (items)", source.prepare))
        found: list[Annotated] = []

        def read() -> int:
            records = (record for _, record in source.records(0, images))
            found.extend(record for record in records if isinstance(record, Annotated))
            return len(found)

        rows.append(_timed("read (items)", read))
        rng = np.random.default_rng(1)
        items = [with_words(item, rng) for item in found]
        made: list[Sample] = []
        rows += [_timed(f"make {part} (samples)", lambda p=part: _make(p, items, made)) for part in TEMPLATE_PARTS]
        total = [sum(column) for column in zip(*(row[1:] for row in rows[2:]), strict=True)]
        rows.append(("make, all template parts (samples)", *total))
        for ending in ("jsonl", "tar", "parquet"):
            shard = folder / f"shard.{ending}"
            rows.append(
                _timed(f"check and write {ending} (samples)", lambda s=shard: write_shard(made, s, "none").samples)
            )
        for per_image in PER_IMAGE:
            target, out = per_image * images, folder / f"run{per_image}"
            rows.append(
                _timed(f"whole run, {per_image} per image (samples)", lambda n=target, o=out: _whole_run(path, n, o))
            )
    return rows


def _whole_run(path: Path, target: int, out: Path) -> int:
    """The samples of `deixis data build` with three parts, from the JSON file to the shards, in this process."""
    parts = {"objects": 0.6, "relations": 0.2, "negatives": 0.2}
    recipe = build_recipe(
        {
            "sources": {"coco": {"format": "coco", "path": str(path)}},
            "parts": [{"kind": n, "from": "coco", "samples": round(share * target)} for n, share in parts.items()],
            "shards": {"format": "tar", "media": "none"},
        }
    )
    folder = RunFolder(out)
    return sum(build_set(plan_build(recipe, folder, Annotators()), folder, Workers(), Silent())["samples"].values())


def _make(name: str, items: Sequence[Annotated], made: list[Sample]) -> int:
    """The number of samples that a part makes as in a run: batches of 250 items, two rounds of one sample per item."""
    part, before = PARTS[name], len(made)
    for start in range(0, len(items), 250):
        batch = items[start : start + 250]
        for sample in part.make(batch, 2 * len(batch), "0", Annotators(), part.options()):
            if isinstance(sample, Skipped):  # none may be: the set is valid, and a skipped one would count as fast
                raise ValueError(f"{sample.where}: {sample.why}")
            made.append(sample)
    return len(made) - before


def _timed(stage: str, call: Callable[[], int]) -> tuple[str, int, float]:
    began = time.process_time()
    count = call()
    return stage, count, time.process_time() - began


def report(rows: list[tuple[str, int, float]], options: argparse.Namespace) -> None:
    about = (
        f"{options.images} images of 640 x 480, {OBJECTS} objects each on average, polygons of about {CORNERS} "
        "corners; 1 to 3 turns per sample, default shapes of regions. A whole run indexes the file, surveys it for "
        "held-out images and names, reads it again for each part, makes, checks and writes. Seconds are processor "
        f"time of one process. Target: {TARGET} samples per second."
    )
    table = ["| stage | count | seconds | per second |", "|---|---:|---:|---:|"]
    table += [f"| {stage} | {count} | {seconds:.2f} | {count / seconds:.0f} |" for stage, count, seconds in rows]
    publish(options, "Region data: items and samples per second, by stage, one core", about, table)


def main() -> None:
    options = command_line(__doc__, images=2_000)
    report(measure(options.images), options)


if __name__ == "__main__":
    main()
