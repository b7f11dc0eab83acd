"""Regenerates the files of this folder: an image, audio and a point cloud of the world, and questions about them.

They are scenes of the test split, never trained on. The regions of the questions are the world's ground truth. Needs
the extra `world`: python examples/make.py
"""

import json
import math
from pathlib import Path

import numpy as np

from deixis.samples.media import write_medium
from deixis.world.facts import EventFacts, SceneFacts
from deixis.world.generate import world_facts

FOLDER = Path(__file__).parent
SEEDS = {"image": 867, "audio": 15, "point_cloud": 577}
FILES = {"image": "scene.png", "audio": "sound.wav", "point_cloud": "cloud.ply"}
IMAGE_PX = 512


def main() -> None:
    facts = {kind: world_facts("test", seed, kind, size_px=IMAGE_PX) for kind, seed in SEEDS.items()}
    for kind, name in FILES.items():
        write_medium(facts[kind].media[0], FOLDER / name)
    questions = [*about_image(facts["image"]), *about_audio(facts["audio"]), *about_cloud(facts["point_cloud"])]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (FOLDER / "questions.jsonl").write_text(lines, encoding="utf-8")
    print(lines, end="")


def about_image(facts: SceneFacts) -> list[dict]:
    mug, car = of_kind(facts, "mug"), of_kind(facts, "car")
    return [
        question("region-to-text", "image", "What is {0}?", box=outward(facts.record(mug).box, 0)),
        question("text-to-box", "image", f"Where is the {words(facts, car)}?"),
        question("reasoning-to-mask", "image", "What would you drink hot coffee from?"),
        question("everything", "image", "Segment everything."),
        question("absence", "image", "Is there a bottle in the picture?"),
    ]


def about_audio(facts: EventFacts) -> list[dict]:
    first = facts.events[0]
    span = [round(first.start_s, 2), round(first.end_s, 2)]
    return [
        question("span-to-text", "audio", "What do you hear in {0}?", span=span),
        question("text-to-span", "audio", "When do you hear the bell?"),
    ]


def about_cloud(facts: SceneFacts) -> list[dict]:
    house, table = of_kind(facts, "house"), of_kind(facts, "table")
    return [
        question("cloud-region-to-text", "point_cloud", "What is {0}?", box3d=outward(facts.record(house).box3d, 2)),
        question("text-to-points", "point_cloud", f"Mark the {words(facts, table)}."),
    ]


def question(name: str, kind: str, text: str, **region: list[float]) -> dict:
    """One line of the file that `deixis ask --batch` reads."""
    regions = {"regions": [region]} if region else {}
    return {"id": name, "files": [FILES[kind]], "question": text, **regions}


def of_kind(facts: SceneFacts, kind: str) -> int:
    """The index of the only fully visible object of this class."""
    (number,) = (i for i in facts.visible if facts.object_at(i).kind == kind)
    return number


def words(facts: SceneFacts, number: int) -> str:
    return f"{facts.object_at(number).colour} {facts.object_at(number).kind}"


def outward(box: tuple[float, ...], digits: int) -> list[float]:
    """Lows, then highs, rounded outward."""
    lows, highs = np.split(np.array(box) * 10**digits, 2)
    rounded = [*(math.floor(v) for v in lows), *(math.ceil(v) for v in highs)]
    return [v / 10**digits for v in rounded] if digits else rounded


if __name__ == "__main__":
    main()
