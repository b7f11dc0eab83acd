"""What a model is taught it says when asked: training, conversion, saving, prompts and masks agree with inference.

Small models with random weights learn a few drawn or random signals by heart on the path of `deixis train`; each
is then loaded and asked. Samples of a modality share their question, so that the signal or region must be read.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from deixis.geometry import Region
from deixis.inference import load
from deixis.inference.answer import Answer
from deixis.inference.model import Model
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.systems.conversion import convert
from deixis.training.recipe import train
from deixis.training.recipe_file import parse_recipe
from deixis.training.sample_batches import SKIPPED
from tests.checkpoints import checkpoints
from tests.toy import UNION, VISION, toy_image, toy_network, toy_point_cloud, toy_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
FEW = {"warmup_steps": 5, "workers": 0, "bf16": False, "weight_decay": 0.0, "schedule": "linear", "max_tokens": 2000}
THINGS = ("red mug", "old car", "bell", "house", "lamp", "tree", "blue chair", "dog")
SIDE = 32  # pixels of the drawn images: their grid is that of the patches of the mask encoder


def lively(state: checkpoints.State) -> checkpoints.State:
    """The weights in sizes that keep what flows through them, as trained ones do: signals stay different."""
    generator = torch.Generator().manual_seed(0)

    def scaled(name: str, weight: torch.Tensor) -> torch.Tensor:
        if weight.ndim < 2:
            return weight + 1 if name.endswith("weight") else weight
        size = 0.5 if "embed" in name else weight[0].numel() ** -0.5
        return torch.randn(weight.shape, generator=generator) * size

    return {name: scaled(name, weight) for name, weight in state.items()}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Converts a published system with lively weights; returns the folder."""
    random_state = checkpoints.random_state
    monkeypatch.setattr(checkpoints, "random_state", lambda shapes, seed=0: lively(random_state(shapes, seed)))

    def make(system: str) -> Path:
        return convert(system, checkpoints.WRITERS[system](tmp_path / "source"), tmp_path / "converted")

    return make


def sample(number: int, medium: MediaReference, question: str, answer: str, *regions: Region) -> Sample:
    return Sample(str(number), "drawn", "refer", "train", (Turn(question, answer),), (medium,), regions)


def learnt(start: Path, samples: list[Sample], steps: int, folder: Path, **options) -> Model:
    """The model that has been trained on all the samples in every step."""
    assert write_shard(samples, folder / "data.jsonl").skipped == ()
    stage = {"name": "tune", "task": "instruct", "data": [{"path": str(folder / "data.jsonl")}], **FEW, **options}
    stage |= {"steps": steps, "save_steps": steps, "log_steps": steps // 4, "batch": {"data": len(samples)}}
    trained = train(parse_recipe({"init": str(start), "stages": [stage]}), folder / "out")
    assert not (folder / "out" / "tune" / SKIPPED).exists()
    return load(trained, device="cpu")


def told(model: Model, own: Sample) -> Answer:
    """The answer to a sample's question about its signal."""
    with open_media(own.signals[0]) as signal:
        return model.ask(own.turns[0].user, signal, max_new_tokens=24)


def drawn(number: int) -> tuple[np.ndarray, np.ndarray]:
    """(image of 96 x 128 pixels with one rectangle in a colour of its own, the rectangle as a mask)."""
    rng = np.random.default_rng(number)
    height, width = rng.integers(1, (3, 4))
    y, x = rng.integers(0, (4 - height, 5 - width))
    mask = np.zeros((3 * SIDE, 4 * SIDE), bool)
    mask[y * SIDE : (y + height) * SIDE, x * SIDE : (x + width) * SIDE] = True
    colour = [255 * (number >> bit & 1) for bit in range(3)]
    return np.where(mask[..., None], colour, 110).astype(np.uint8), mask


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def picture(number: int, pixels: np.ndarray, kind: str = "image") -> MediaReference:
    return MediaReference(f"{kind}/{number}", kind, size_hw=pixels.shape[:2], values=pixels)


LISA = {"learning_rate": 3e-2, "learning_rates": {"masks": 2e-2}, "lora": {"dropout": 0.0}}


def test_lisa_says_and_marks_what_it_was_taught(source, tmp_path):
    images, masks = zip(*map(drawn, range(4)), strict=True)
    samples = [
        sample(n, picture(n, pixels), "Where is it?", f"A {THINGS[n]} {{0:mask}}.", Region(mask=mask))
        for n, (pixels, mask) in enumerate(zip(images, masks, strict=True))
    ]
    model = learnt(source("lisa"), samples, 60, tmp_path, **LISA)
    for number, own in enumerate(samples):
        answer = told(model, own)
        assert answer.text == f"A {THINGS[number]}."
        (mask,) = answer.masks
        assert iou(mask, masks[number]) >= 0.9


BOXES = ((8.0, 8.0, 56.0, 40.0), (72.0, 16.0, 120.0, 88.0))


def test_ferret_reads_regions_and_writes_boxes(source, tmp_path):
    samples = []
    for number in range(4):
        image, here = divmod(number, 2)
        asked, named = Region(box=BOXES[here]), Region(box=tuple(np.add(BOXES[1 - here], 4 * image)))
        pixels, answer = toy_image(96, 128, seed=image), f"A [{THINGS[number]}]{{1}}."
        samples.append(sample(number, picture(image, pixels), "What is next to {0}?", answer, asked, named))
    model = learnt(source("ferret"), samples, 50, tmp_path, learning_rate=2e-2)
    for own in samples:
        asked, named = own.regions
        answer = model.ask("What is next to {0}?", own.signals[0].values, regions=[asked], max_new_tokens=32)
        assert answer.text.strip(". ") in own.turns[0].assistant.replace("[", "")
        np.testing.assert_allclose(answer.boxes, [named.box], atol=0.2)


def movement(seed: int) -> tuple[np.ndarray, float]:
    """(rows of six axes, 40 Hz): four seconds of lying still, or of being shaken."""
    swing = 20 * np.sin(2 * np.pi * 3 * np.arange(160) / 40)[:, None]
    return np.array([0, 0, 9.8, 0, 0, 0]) + (0.01, 1)[seed] * swing * np.array([1, -1, 0, 1, 0, 1]), 40.0


def sound(seed: int) -> tuple[np.ndarray, int]:
    """(two seconds of a quiet hum or of a loud hiss, 16 kHz)."""
    times_s = np.arange(32_000) / 16_000
    hum, hiss = np.sin(2 * np.pi * 200 * times_s) / 50, np.random.default_rng(0).normal(0, 0.3, len(times_s))
    return (hum, hiss)[seed].astype(np.float32), 16_000


def cloud(seed: int) -> np.ndarray:
    """(100, 6): a flat or an upright slab, blue or red."""
    points = toy_point_cloud(seed=seed) * np.array([[1, 1, 0.05], [0.05, 1, 1]][seed] + [1, 1, 1])
    points[:, 3:] = np.eye(3)[2 * seed]
    return points.astype(np.float32)


def medium(kind: str, number: int, values) -> MediaReference:
    """The reference to a signal in memory, (values, rate) where it has a rate."""
    values, rate_hz = values if isinstance(values, tuple) else (values, None)
    return MediaReference(f"{kind}/{number}", kind, values=values, rate_hz=rate_hz)


def test_onellm_tells_sounds_clouds_and_movements(source, tmp_path):
    made = {"audio": sound, "point_cloud": cloud, "imu": movement}
    samples = [
        sample(2 * n + i, medium(kind, i, make(i)), "What is it?", f"A {THINGS[2 * n + i]}.")
        for n, (kind, make) in enumerate(made.items())
        for i in range(2)
    ]
    model = learnt(source("onellm"), samples, 100, tmp_path, learning_rate=3e-2)
    for own in samples:
        assert told(model, own).text == own.turns[0].assistant


VISION_OF_UNION = {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14}


def brain(folder: Path) -> MediaReference:
    """A volume of one bright half."""
    import nibabel

    values = np.ones((4, 4, 4), np.float32)
    values[:2] = 3.0
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path := folder / "brain.nii")
    return MediaReference("fmri/0", "fmri", path=str(path))


def film(seed: int, frame: np.ndarray, folder: Path) -> MediaReference:
    """Three seconds of one frame."""
    import av

    with av.open(str(path := folder / f"{seed}.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=2)
        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(frame, format="rgb24") for _ in range(6)]
        container.mux([packet for own in [*pictures, None] for packet in stream.encode(own)])
    return MediaReference(f"video/{seed}", "video", path=str(path))


def test_a_union_knows_eight_modalities(tmp_path):
    network, processor = toy_network(toy_tokenizer(), vision_config=VISION_OF_UNION, **UNION)
    network.save_pretrained(tmp_path / "start")
    processor.save_pretrained(tmp_path / "start")
    left = [np.tile((np.arange(28) < 14) == (n == 0), (28, 1)) for n in range(2)]
    photos = [np.where(left[n][..., None], np.eye(3)[n] * 255, 20).astype(np.uint8) for n in range(2)]
    depths = [np.where(left[n], 1.0 + 5 * n, 2.0 + 5 * n).astype(np.float32) for n in range(2)]
    slopes = [np.full((28, 28, 3), own, np.float32) for own in ((0.0, 0.0, 1.0), (0.0, 0.8, 0.6))]
    seen = [
        own
        for n in range(2)
        for own in (
            picture(n, photos[n]),
            film(n, photos[n], tmp_path),
            medium("depth", n, depths[n]),
            medium("normal", n, slopes[n]),
        )
    ]
    media = [*seen, medium("audio", 0, sound(0)), medium("point_cloud", 0, cloud(0)), medium("imu", 0, movement(0))]
    media += [brain(tmp_path)]
    words = [*THINGS, *THINGS[::-1]][: len(media)]
    marked = {"image/0": left[0], "image/1": left[1]}
    samples = [
        sample(n, own, "What is it?", f"A [{words[n]}]{{0:mask}}.", Region(mask=marked[own.id]))
        if own.id in marked
        else sample(n, own, "What is it?", f"A {words[n]}.")
        for n, own in enumerate(media)
    ]
    model = learnt(tmp_path / "start", samples, 80, tmp_path, learning_rate=1e-2)
    for number, own in enumerate(samples):
        answer = told(model, own)
        assert answer.text == f"A {words[number]}."
        assert len(answer.masks) == len(own.regions)
        assert all(iou(mask, marked[own.signals[0].id]) >= 0.9 for mask in answer.masks)
