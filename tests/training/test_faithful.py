"""LISA and Ferret are trained as published: the recorded losses, and the updates of a plain loop over recorded batches.

The plain loop knows nothing of samples, rendering, packing, PEFT or Trainer. It reads the ids and labels that the
official code made, puts low-rank products beside the chosen layers by hand, writes the losses out, and clips and steps
AdamW itself.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate, linear

from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.fusion import Encoded
from deixis.model.masks.cells import mask_cells
from deixis.samples.mixtures.mixture import Mixture, MixtureRecipe, Part
from deixis.samples.sample import MediaReference, Sample
from deixis.samples.shards import write_shard
from deixis.signals import open_signal
from deixis.systems import SYSTEMS
from deixis.systems.chat_style import chat_template
from deixis.systems.ferret.template import STYLE
from deixis.training.instruct import Instructor
from deixis.training.parts import LoraOptions, TrainedParts, stage_parts
from deixis.training.sample_batches import SampleBatches
from deixis.training.stage_run import TrainingOptions, run_stage
from tests.parity import ferret, lisa
from tests.parity.lisa_units import turn_of
from tests.parity.networks import converted, encoded, processor_of, with_placeholders

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
RATE, DECAY, BETAS = 3e-4, 0.02, (0.9, 0.98)
OPTIONS = TrainingOptions(
    learning_rate=RATE, warmup_steps=0, weight_decay=DECAY, schedule="linear", workers=0, bf16=False, log_steps=1
)
LORA = LoraOptions(rank=8, alpha=16, dropout=0.0, targets=("q_proj", "v_proj"))
IGNORED, IMAGE = -100, -200
Loss = Callable[[DeixisForConditionalGeneration], dict[str, Tensor]]


def trained(
    network: DeixisForConditionalGeneration, batches: Callable, steps: int, folder: Path
) -> list[dict[str, float]]:
    """The losses of each step of the product's training."""
    losses: list[dict[str, float]] = []
    instructor = Instructor(network, SYSTEMS[network.config.system])

    def record(module, args, output) -> None:
        losses.append({"loss": output["loss"].item(), **{name: own.item() for name, own in output["losses"].items()}})

    instructor.register_forward_hook(record)
    run_stage(instructor, batches, steps, OPTIONS, folder, seed=1)
    return losses


def by_hand(
    network: DeixisForConditionalGeneration, weights: dict[str, nn.Parameter], steps: int, loss: Loss
) -> list[dict[str, float]]:
    """The losses of each step of the plain loop, which changes `weights`."""
    matrices = [weight for weight in weights.values() if weight.ndim > 1]
    others = [weight for weight in weights.values() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS)
    seen = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        losses = loss(network)
        seen.append({name: value.item() for name, value in losses.items()})
        optimizer.zero_grad()
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
    return seen


def recorded_ids(golden: Path, case: str, network: DeixisForConditionalGeneration, count: int) -> tuple[Tensor, Tensor]:
    """(ids, labels) of the official batch, with `count` of our placeholders for the one of an image."""
    stored, own = load_file(golden), network.config.signal_token_ids["image"]
    ids = stored[f"{case}.input_ids"].tolist()
    pairs = [zip(row, labels, strict=True) for row, labels in zip(ids, stored[f"{case}.labels"].tolist(), strict=True)]
    labels = [[label for number, label in row for _ in range(count if number == IMAGE else 1)] for row in pairs]
    return torch.tensor([with_placeholders(row, {IMAGE: (own, count)}) for row in ids]), torch.tensor(labels)


def text_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)


def batches_of(samples: list[Sample], network, processor: DeixisProcessor, folder: Path) -> SampleBatches:
    """The product's batches, each of all samples."""
    assert write_shard(samples, folder / "data.jsonl").skipped == ()
    mixture = Mixture(MixtureRecipe((Part(str(folder / "data.jsonl")),)), 3)
    system, cells = SYSTEMS[network.config.system], mask_cells(network.config)
    return SampleBatches(mixture, processor, system, cells, len(samples), 2000, None, folder / "run")


def low_rank(network: nn.Module, adapted: nn.Module) -> dict[str, nn.Parameter]:
    """Low-rank products beside the layers of `network` that have adapters in `adapted`, from the same start."""
    products = {}
    for name, layer in adapted.named_modules():
        if hasattr(layer, "lora_A"):
            down, up = (nn.Parameter(own["default"].weight.detach().clone()) for own in (layer.lora_A, layer.lora_B))

            def add(module, args, output, down=down, up=up):
                return output + LORA.alpha / LORA.rank * linear(linear(args[0], down), up)

            network.get_submodule(name).register_forward_hook(add)
            products |= {f"{name}.lora_A.default.weight": down, f"{name}.lora_B.default.weight": up}
    return products


def lisa_samples(golden: Path) -> list[Sample]:
    masks: Iterator[np.ndarray] = iter(np.load(golden / "masks.npz")["gtA"])
    texts = json.loads((golden / "cases.json").read_text())["train.one_image"]["conversations"]
    medium = MediaReference("image/A", "image", size_hw=(180, 240), path=str(golden / "imageA.png"))
    made = [lisa.sample_of(*turn_of(text), masks) for text in texts]
    return [
        Sample(f"{n}", "golden", "segment", "train", own.turns, (medium,), own.regions) for n, own in enumerate(made)
    ]


def lisa_loss(golden: Path, network, processor: DeixisProcessor) -> Loss:
    """LISA's losses of the recorded batch in plain terms (section 3.2; dvlab-research/LISA@3cb2d430, model/LISA.py)."""
    image = processor.prepare(open_signal(golden / "imageA.png"))
    with torch.no_grad():
        found: Encoded = encoded(network, "image", torch.from_numpy(image.values)[None].repeat(2, 1, 1, 1))
        (features,) = network.sam_pointing.encode(torch.from_numpy(image.sam.values)[None])
    ids, labels = recorded_ids(
        golden / "outputs.safetensors", "train.one_image", network, found.tokens["image"].shape[1]
    )
    truth = torch.from_numpy(np.load(golden / "masks.npz")["gtA"]).float()
    (height, width), places = image.sam.placed_hw, (ids[:, 1:] == network.config.seg_token_id).nonzero()

    def losses(network) -> dict[str, Tensor]:
        output = network(input_ids=ids, encoded=found)  # causal: what follows the last token is not learnt
        states = output.hidden[places[:, 0], places[:, 1]]
        low = network.sam_pointing(states, (features.expand(len(states), -1, -1, -1),)).view(len(states), 1, 256, 256)
        square = interpolate(low, (1024, 1024), mode="bilinear", align_corners=False)[..., :height, :width]
        masks = interpolate(square, truth.shape[1:], mode="bilinear", align_corners=False)[:, 0]
        shared, sizes = (masks.sigmoid() * truth).sum((1, 2)), (masks.sigmoid() + truth).sum((1, 2))
        text, bce = text_loss(output.logits, labels), binary_cross_entropy_with_logits(masks, truth)
        dice = (1 - (2 * shared / 1000 + 1e-6) / (sizes / 1000 + 1e-6)).mean()
        return {"loss": text + 2 * bce + 0.5 * dice, "text": text, "bce": bce, "dice": dice}

    return losses


def test_lisa_learns_as_published(shared_golden, tmp_path):
    golden = shared_golden / "lisa_tiny"
    network = converted("lisa", golden, tmp_path / "lisa")
    processor, plain = processor_of(tmp_path / "lisa"), deepcopy(network).requires_grad_(False)
    batches = batches_of(lisa_samples(golden), network, processor, tmp_path)
    TrainedParts(network, stage_parts(network, SYSTEMS["lisa"], None), LORA)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    products = low_rank(plain, network)
    learnt = {name for name, weight in network.named_parameters() if weight.requires_grad}
    weights = products | {name: weight for name, weight in plain.named_parameters() if name in learnt}
    assert weights.keys() == learnt
    for weight in weights.values():
        weight.requires_grad_(True)
    ours = trained(network.train(), batches, 2, tmp_path / "run")
    theirs = by_hand(plain, weights, 2, lisa_loss(golden, plain, processor))
    recorded = json.loads((golden / "cases.json").read_text())["train.one_image"]["losses"]
    names = {"loss": "loss", "text": "ce_loss"}
    for name, own in names.items():
        assert ours[0][name] == pytest.approx(recorded[own], rel=1e-5)
    assert 2 * ours[0]["bce"] == pytest.approx(recorded["mask_bce_loss"], rel=1e-5)
    assert 0.5 * ours[0]["dice"] == pytest.approx(recorded["mask_dice_loss"], rel=1e-5)
    assert_same(ours, theirs)
    assert_moved_alike(network, weights, before)


def assert_same(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    """The same losses in every step."""
    assert len(ours) == len(theirs)
    for step, losses in enumerate(theirs):
        assert {name: ours[step][name] for name in losses} == pytest.approx(losses, rel=1e-5)


def assert_moved_alike(network: nn.Module, weights: dict[str, nn.Parameter], before: dict[str, Tensor]) -> None:
    """The trained weights are where the plain loop brought them, and all others where they were, to the bit.

    AdamW makes a whole step of a gradient of rounding errors, which is why means are compared, and why biases of keys,
    which change no attention, may go anywhere.
    """
    for name, weight in network.named_parameters():
        if name not in weights:
            assert torch.equal(weight, before[name]), name
            continue
        apart, step = (weight - weights[name]).abs().mean().item(), (weights[name] - before[name]).abs().mean().item()
        assert apart <= 1e-5, name
        assert apart <= 1e-2 * step or name.endswith("k_proj.bias"), (name, apart, step)


def ferret_samples(golden: Path) -> list[Sample]:
    size_hw = (720, 960)
    texts = json.loads((golden / "model_cases.json").read_text())["train_conversations"]
    medium = MediaReference("image", "image", size_hw=size_hw, path=str(golden / "image.png"))
    made = [ferret.sample_of([turn["value"] for turn in text], size_hw) for text in texts]
    return [Sample(f"{n}", "golden", "refer", "train", own.turns, (medium,), own.regions) for n, own in enumerate(made)]


def recorded_points(golden: Path, side: int) -> dict[str, Tensor]:
    """The points of the three regions, which the recording drew from masks that its conversations do not tell."""
    masks = np.load(golden / "masks.npz")
    points = [
        (np.argwhere(masks[name]) / np.array(masks[name].shape)).astype(np.float32) for name in ("A0", "A1", "A2")
    ]
    places = [ferret.transposed_places(own, side) for own in points]
    return {"region_points": torch.from_numpy(np.stack(points)), "region_places": torch.from_numpy(np.stack(places))}


def ferret_loss(golden: Path, network, processor: DeixisProcessor, points: dict[str, Tensor]) -> Loss:
    """The loss of the recorded batch in plain terms: the text's alone."""
    image = processor.prepare(open_signal(golden / "image.png"))
    values = torch.from_numpy(image.values)[None].repeat(2, 1, 1, 1)
    ids, labels = recorded_ids(golden / "model_outputs.safetensors", "train", network, processor.token_counts["image"])
    signal = torch.tensor([0, 0, 1])  # the first conversation is about two regions, the second about one

    def losses(network) -> dict[str, Tensor]:
        found = encoded(network, "image", values)
        output = network(input_ids=ids, encoded=found, region_signal=signal, **points)
        text = text_loss(output.logits, labels)
        return {"loss": text, "text": text}

    return losses


def test_ferret_learns_as_published(shared_golden, tmp_path):
    golden = shared_golden / "ferret_tiny"
    network = converted("ferret", golden, tmp_path / "ferret")
    processor, plain = processor_of(tmp_path / "ferret"), deepcopy(network).requires_grad_(False)
    processor.tokenizer.chat_template = chat_template(STYLE, start_end=True)  # as recorded
    batches = batches_of(ferret_samples(golden), network, processor, tmp_path)
    points = recorded_points(golden, round(processor.token_counts["image"] ** 0.5))
    TrainedParts(network, stage_parts(network, SYSTEMS["ferret"], None))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    weights = {name: weight for name, weight in plain.named_parameters() if network.get_parameter(name).requires_grad}
    assert any(name.startswith("region_sampler") for name in weights)
    assert any(name.startswith("projection") for name in weights)
    for weight in weights.values():
        weight.requires_grad_(True)

    def with_points(step: int) -> dict:
        batch, order = batches(step), [batches.mixture[2 * step + n][1].id for n in range(2)]
        own = [0, 1, 2] if order == ["0", "1"] else [2, 0, 1]
        return batch | {name: values[own] for name, values in points.items()}

    ours = trained(network.train(), with_points, 3, tmp_path / "run")
    theirs = by_hand(plain, weights, 3, ferret_loss(golden, plain, processor, points))
    assert ours[0]["loss"] == pytest.approx(
        load_file(golden / "model_outputs.safetensors")["train.loss"].item(), rel=1e-5
    )
    assert_same(ours, theirs)
    assert_moved_alike(network, weights, before)
