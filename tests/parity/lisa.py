"""LISA: images for both encoders, training batches and losses, questions answered with masks, and single functions."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD
from deixis.conversation import IGNORED, Row, collate, mask_targets, render
from deixis.geometry import Mask, escaped
from deixis.model import DeixisForConditionalGeneration
from deixis.model.masks.sam import sam_side
from deixis.model.masks.sam_image import MEAN_RGB, STD_RGB, placed_logits, prepare_for_sam
from deixis.model.prepared import Prepared
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import open_signal
from deixis.systems import SYSTEMS
from deixis.systems.lisa.template import STYLE
from deixis.training.instruct import Instructor
from tests.parity import lisa_decoder, lisa_units
from tests.parity.golden import Check, Golden
from tests.parity.networks import accounted, converted, encoded, greedy, processor_of, with_placeholders
from tests.parity.slow_text import published_text

SOURCES = (
    "config.json", "generation_config.json", "model*.safetensors", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "reasonseg.json",
)  # fmt: skip
GIVEN = {
    "image?": "images",
    "masks/gt?": "masks that training was given",
    "units/*.logits": "logits",
    "units/*.target": "masks",
    "units/*.gt": "masks",
    "units/iou/*/samples*": "how the pairs are grouped",
    "units/intersection_union/*/pair": "names of the pairs",
    "units/reasonseg/height": "the image's size",
    "units/reasonseg/width": "the image's size",
    "units/tokenizer/*/text": "texts",
    "units/tokenizer_image/*/text": "texts",
    "cases/get_preprocess_shape/*/[hw]": "sizes",
    "cases/evaluate.q?/question": "questions",
    "cases/evaluate.q?/image": "which image",
}
LEFT = {
    "cases/generation_steering": "words: how the weights were made",
    "cases/float32_vs_float64_relative/*": "how far the official code is from itself in float64",
    "cases/inference_vs_train_max_abs_diff": "how far two paths of the official code are apart; here there is one path",
    "state_dict_keys/note": "words",
    **{f"units/prompts/{name}*": "words" for name in ("short", "long", "explanatory", "answers")},
}
SHARE = 1e-4  # of the largest value: float32 against float32
IMAGE = -200
LISA = SYSTEMS["lisa"]


@torch.no_grad()
def checks(golden: Golden, place: Path) -> Iterator[Check]:
    if golden.has("units"):
        yield from lisa_units.checks(golden)
    if not golden.has("outputs"):
        return
    network = converted("lisa", golden.folder, place / "lisa")
    if golden.has("state_dict_keys"):
        names = accounted(golden.folder, place / "lisa")
        yield Check("state_dict_keys/keys", names)
        yield Check("state_dict_keys/num_keys", len(names))
    processor = processor_of(place / "lisa")
    tokenizer, files = processor.tokenizer, {}
    yield from words(golden, network, tokenizer)
    images = {}
    for file in sorted(golden.folder.glob("image?.png")):
        name = file.stem.removeprefix("image")
        files[name] = file
        images[name] = processor.prepare(open_signal(file))
        yield from prepared(golden, name, images[name])
        yield from features(golden, name, network, images[name])
    for case in golden.keys("cases/get_preprocess_shape"):
        size = [golden[f"cases/get_preprocess_shape/{case}/{side}"] for side in "hw"]
        placed = prepare_for_sam(
            np.zeros((*size, 3), dtype=np.uint8), network.config.mask_config.vision_config.image_size
        )
        yield Check(f"cases/get_preprocess_shape/{case}/result", list(placed.placed_hw))
    yield from lisa_decoder.checks(golden, network)
    for case in golden.keys("cases"):
        if case.startswith("train."):
            yield from training(golden, case, network, processor, files)
        if case.startswith("evaluate."):
            yield from answer(golden, case, network, tokenizer, images[golden[f"cases/{case}/image"]])


def words(golden: Golden, network: DeixisForConditionalGeneration, tokenizer) -> Iterator[Check]:
    yield Check("cases/seg_token_idx", network.config.seg_token_id)
    for name, token in {"SEG": "[SEG]", "im_start": "<im_start>", "im_end": "<im_end>"}.items():
        yield Check(f"cases/vocab/{name}", tokenizer.convert_tokens_to_ids(token))
    added = [token for token in tokenizer.get_added_vocab() if token not in ("<s>", "</s>", "<unk>", "<image>")]
    yield Check("cases/vocab/total", len(tokenizer) - 1)  # without our <image>
    yield Check("cases/vocab/base", len(tokenizer) - 1 - len(added))
    norm = network.get_output_embeddings().weight[network.config.seg_token_id].norm().item()
    yield Check("cases/lm_head_seg_row_norm", norm, 1e-5)


def as_pixels(values: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """(h, w, 3) uint8 of normalised (3, h, w)."""
    pixels = values * np.array(std).reshape(3, 1, 1) + np.array(mean).reshape(3, 1, 1)
    return np.round(pixels * 255).astype(np.uint8).transpose(1, 2, 0)


def prepared(golden: Golden, name: str, image: Prepared) -> Iterator[Check]:
    prefix, case = f"outputs/prep.{name}", f"cases/prep.{name}"
    values, (height, width) = image.sam.values, image.sam.placed_hw
    resized = as_pixels(values[:, :height, :width], MEAN_RGB, STD_RGB)
    yield Check(f"clip_input{name}", as_pixels(image.values, CLIP_MEAN, CLIP_STD))
    yield Check(f"{prefix}.clip_rows_28", image.values[:, ::28], 1e-5)
    yield Check(f"{prefix}.sam_resized_u8_every8", resized[::8, ::8])
    yield Check(f"{prefix}.sam_norm_every32", values[:, ::32, ::32], 1e-5)
    yield Check(f"{case}/original_hw", list(image.sam.size_hw))
    yield Check(f"{case}/resize_hw", [height, width])
    yield Check(f"{case}/sam_shape", list(values.shape))
    yield Check(f"{case}/sam_sum", float(values.astype(np.float64).sum()), 1e-5, relative=True)
    yield Check(f"{case}/resized_u8_sum", int(resized.astype(np.int64).sum()))


def features(golden: Golden, name: str, network: DeixisForConditionalGeneration, image: Prepared) -> Iterator[Check]:
    """CLIP's features and their projection; SAM's image embeddings."""
    found = encoded(network, "image", torch.from_numpy(image.values)[None])
    (embeddings,) = network.sam_pointing.encode(torch.from_numpy(image.sam.values)[None])
    flat = embeddings.flatten(2)
    computed = {
        f"outputs/clip.{name}.features": found.fields["image"].tokens,
        f"outputs/clip.{name}.projected_every4": found.tokens["image"][:, ::4],
        f"outputs/sam.{name}.image_embeddings_ch16": embeddings[:, ::16, ::2, ::2],
        f"outputs/sam.{name}.image_embeddings_channel_mean": flat.mean(-1),
        f"outputs/sam.{name}.image_embeddings_channel_std": flat.std(-1),
    }
    yield from (Check(entry, values, SHARE, relative=True) for entry, values in computed.items() if golden.has(entry))


def model_ids(network: DeixisForConditionalGeneration, ids: Tensor, count: int) -> Tensor:
    """Recorded ids with `count` of our placeholders for -200."""
    own = network.config.signal_token_ids["image"]
    return torch.tensor([with_placeholders(row, {IMAGE: (own, count)}) for row in ids.tolist()])


def seg_positions(network: DeixisForConditionalGeneration, ids: Tensor) -> Tensor:
    """(mask, 2): row and position of the states that prompt masks, the ones before [SEG]."""
    return (ids[:, 1:] == network.config.seg_token_id).nonzero()


def decoded(network: DeixisForConditionalGeneration, states: Tensor, image: Prepared) -> tuple[Tensor, Tensor, Tensor]:
    """(low-resolution logits (n, 1, side, side), predicted IoU (n, 1), logits in the file's pixels (n, h, w))."""
    (embeddings,) = network.sam_pointing.encode(torch.from_numpy(image.sam.values)[None])
    prompts = network.sam_pointing.prompt(states)[:, None]
    logits, scores = network.sam_pointing.decode(prompts, (embeddings.expand(len(states), -1, -1, -1),))
    side = round(logits.shape[1] ** 0.5)
    whole = in_file(logits, image.sam.placed_hw, image.sam.values.shape[1], image.sam.size_hw)
    return logits.view(-1, 1, side, side), scores[:, None], whole


def in_file(logits: Tensor, placed_hw: tuple[int, int], size_px: int, size_hw: tuple[int, int]) -> Tensor:
    """(n, h, w) logits in the file's pixels of (n, cell)."""
    placed = [placed_logits(own, placed_hw, size_px) for own in logits]
    return torch.cat([interpolate(own, size_hw, mode="bilinear", align_corners=False)[0] for own in placed])


def training(golden, case: str, network, processor, files: dict[str, Path]) -> Iterator[Check]:
    """A batch of one or two images through the product's renderer, batch builder and loss."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    offset = golden[f"{prefix}.offset"].tolist()
    names = sorted(files)[: len(offset) - 1]
    prepared = {name: [processor.prepare(open_signal(files[name]))] for name in names}
    # which image a conversation is about: its masks lie between two offsets
    image = [
        next(names[i] for i in range(len(names)) if offset[i] <= row < offset[i + 1])
        for row in range(len(golden[f"{stored}/conversations"]))
    ]
    masks = {name: iter(golden[f"masks/gt{name}"]) for name in names}
    rows, texts = [], []
    for text, name in zip(golden[f"{stored}/conversations"], image, strict=True):
        sample = sample_of(*lisa_units.turn_of(text), masks[name])
        rendered = render(sample, prepared[name], processor, LISA.label_rule)
        cells = {"image": sam_side(network.config.mask_config) ** 2}
        row = Row(prepared[name])
        row.add(rendered, mask_targets(rendered, sample.regions, prepared[name], cells, LISA))
        rows.append(row)
        turns = [(sample.turns[0].user, lisa_units.turn_of(text)[1])]
        texts.append(processor.conversation_text(turns, ["image"])[0].removeprefix("<s>"))
    yield Check(f"{stored}/conversations", texts)
    batch = collate(rows, processor.tokenizer.pad_token_id, LISA)
    yield from recorded_batch(golden, case, network, processor.tokenizer, batch)
    yield Check(f"{prefix}.offset", np.cumsum([0, *np.bincount([names.index(name) for name in image])]))
    yield from states(golden, case, network, batch, [prepared[name][0] for name in names])
    output = Instructor(network, LISA).eval()(**batch)
    weights, losses = network.config.loss_weights, output["losses"]
    values = {
        "ce_loss": losses["text"],
        "mask_bce_loss": weights.bce * losses["bce"],
        "mask_dice_loss": weights.dice * losses["dice"],
        "mask_loss": weights.bce * losses["bce"] + weights.dice * losses["dice"],
        "loss": output["loss"],
    }
    for name, value in values.items():
        yield Check(f"{prefix}.{name}", value, SHARE, relative=True)
        yield Check(f"{stored}/losses/{name}", float(value), SHARE, relative=True)


def sample_of(question: str, answer: str, masks: Iterator) -> Sample:
    """A recorded conversation of one turn as a sample; each [SEG] stands for the next of the image's masks."""
    regions = [Mask(np.asarray(next(masks), dtype=bool)) for _ in range(answer.count("[SEG]"))]
    numbers = iter(range(len(regions)))
    markup = re.sub(r"\[SEG\]", lambda _: f"{{{next(numbers)}:mask}}", escaped(answer))
    turn = Turn(escaped(question), markup)
    return Sample("golden", "golden", "segment", "train", (turn,), (MediaReference("image", "image"),), tuple(regions))


def recorded_batch(golden, case: str, network, tokenizer, batch: dict) -> Iterator[Check]:
    """Ids, labels and attention of the batch, with one token for all those of an image as the recording has them."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    own = network.config.signal_token_ids["image"]
    held = batch["input_ids"] == own
    kept = ~held | (held & ~torch.nn.functional.pad(held[:, :-1], (1, 0)))  # the first placeholder of each run
    ids = torch.stack([row[keep] for row, keep in zip(batch["input_ids"], kept, strict=True)])
    yield Check(f"{prefix}.input_ids", ids.masked_fill(ids == own, IMAGE))
    labels = torch.stack([row[keep] for row, keep in zip(batch["labels"], kept, strict=True)])
    yield Check(f"{prefix}.labels", labels)
    visible = valid_tokens(batch)
    yield Check(f"{prefix}.attention_masks", torch.stack([row[keep] for row, keep in zip(visible, kept, strict=True)]))
    learnt = [published_text(tokenizer, [n for n in row.tolist() if n != IGNORED]) for row in labels]
    yield Check(f"{stored}/label_text", learnt)
    yield Check(f"{stored}/seq_len", batch["input_ids"].shape[1])


def valid_tokens(batch: dict) -> Tensor:
    """(row, position): whether there is a token and no padding, whose positions are all 0."""
    return torch.nn.functional.pad(batch["position_ids"][:, 1:] > 0, (1, 0), value=True)


def states(golden, case: str, network, batch: dict, images: list[Prepared]) -> Iterator[Check]:
    """Hidden states at [SEG], what they prompt, and the masks of each image."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    signals = {name: value for name, value in batch.items() if name.startswith(("signal", "image", "sam"))}
    encoded = network.encode_inputs(dict(signals))
    # plain causal attention with padding masked, as recorded, so that padded positions agree too
    output = network(input_ids=batch["input_ids"], attention_mask=valid_tokens(batch).long(), encoded=encoded)
    places = seg_positions(network, batch["input_ids"])
    hidden = output.hidden[places[:, 0], places[:, 1]]
    tail = next(entry for entry in golden.names(f"{prefix}.logits_tail*"))
    yield Check(f"{prefix}.seg_positions", places)
    yield Check(f"{prefix}.hidden_at_seg", hidden, SHARE, relative=True)
    yield Check(f"{prefix}.pred_embeddings", network.sam_pointing.prompt(hidden), SHARE, relative=True)
    yield Check(tail, output.logits[:, -int(tail.rpartition("tail")[2]) :], SHARE, relative=True)
    yield Check(f"{prefix}.last_hidden_rows", output.hidden[:, ::16], SHARE, relative=True)
    low = []
    first = {number: row for row, number in reversed(list(enumerate(batch["seg_image"].tolist())))}
    order = sorted(set(batch["seg_image"].tolist()), key=lambda number: first[number])
    for number, (key, image) in enumerate(zip(order, images, strict=True)):
        logits, scores, masks = decoded(network, hidden[batch["seg_image"] == key], image)
        low.append(logits)
        values = {"low_res_every4": logits[..., ::4, ::4], "iou": scores, "pred_mask_every2": masks[:, ::2, ::2]}
        for name, value in values.items():
            if golden.has(f"{prefix}.image{number}.{name}"):
                yield Check(f"{prefix}.image{number}.{name}", value, SHARE, relative=True)
    yield Check(f"{stored}/resize_list", [list(image.sam.placed_hw) for image in images])
    yield Check(f"{stored}/label_shapes", [list(image.sam.size_hw) for image in images])
    # recorded: the largest over all images, the spread of the first
    yield Check(f"{stored}/low_abs_max", max(own.abs().max().item() for own in low), SHARE, relative=True)
    yield Check(f"{stored}/low_std", low[0].std().item(), SHARE, relative=True)


def answer(golden, case: str, network, tokenizer, image: Prepared) -> Iterator[Check]:
    """A question answered greedily, and the masks of its [SEG]: states are taken while decoding, at one go here."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    text = lisa_units.rendered(tokenizer, golden[f"{stored}/question"], None, STYLE, True)
    yield Check(f"{stored}/prompt", text.removeprefix("<s>"))
    ids = torch.tensor([lisa_units.ids_of(tokenizer, text)])
    yield Check(f"{prefix}.input_ids", ids)
    found = encoded(network, "image", torch.from_numpy(image.values)[None])
    full = model_ids(network, ids, found.tokens["image"].shape[1])
    steps = golden[f"{prefix}.step_logits"].shape[0]
    generated, scores = greedy(network, full, steps, encoded=found)
    yield Check(f"{prefix}.step_logits", scores[0], SHARE, relative=True)
    best = scores[0].topk(2).values
    yield Check(f"{stored}/min_margin", (best[:, 0] - best[:, 1]).min().item(), 1e-3)
    yield Check(f"{stored}/generated", generated[0].tolist())
    whole_ids = torch.cat([ids, generated], 1)
    yield Check(f"{prefix}.output_ids", whole_ids)
    spoken = published_text(tokenizer, [n for n in whole_ids[0].tolist() if n != IMAGE])
    yield Check(f"{stored}/text_output", re.sub("  ", " ", spoken.replace("\n", "")))
    ids = torch.cat([full, generated], 1)
    places = seg_positions(network, ids)
    states = network(input_ids=ids, encoded=found).hidden[places[:, 0], places[:, 1]]
    yield Check(f"{prefix}.seg_positions", places)
    yield Check(f"{stored}/n_masks", len(places))
    yield Check(f"{prefix}.pred_embeddings", network.sam_pointing.prompt(states), SHARE, relative=True)
    logits, scores, masks = decoded(network, states, image) if len(states) else (None, None, no_masks(image))
    yield Check(f"{prefix}.pred_masks_every3", masks[:, ::3, ::3], SHARE, relative=True)
    if len(states):
        yield Check(f"{prefix}.low_res_every4", logits[..., ::4, ::4], SHARE, relative=True)
        yield Check(f"{prefix}.iou", scores, SHARE, relative=True)
    yield Check(f"{stored}/resize_hw", list(image.sam.placed_hw))
    yield Check(f"{stored}/original_hw", list(image.sam.size_hw))


def no_masks(image: Prepared) -> Tensor:
    return torch.zeros(0, *image.sam.size_hw)
