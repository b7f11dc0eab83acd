"""LISA: pictures for both encoders, training's batches and losses, questions answered with masks; units beside them."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD
from deixis.checkpoints.tokenizer import published_text
from deixis.model import DeixisForConditionalGeneration
from deixis.model.masks.mask_cells import Prepared
from deixis.model.masks.sam_image import MEAN_RGB, STD_RGB, placed_logits, prepare_for_sam
from deixis.signals import open_signal
from deixis.systems.lisa.losses import lisa_mask_losses
from deixis.systems.llava.labels import IGNORED, padded_labels
from tests.parity import lisa_decoder, lisa_units
from tests.parity.golden import Check, Golden
from tests.parity.networks import accounted, converted, encoded, greedy, processor_of, with_placeholders

SOURCES = (
    "config.json", "generation_config.json", "model*.safetensors", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "reasonseg.json",
)  # fmt: skip
GIVEN = {
    "image?": "pictures",
    "masks/gt?": "masks that training was given",
    "units/*.logits": "logits",
    "units/*.target": "masks",
    "units/*.gt": "masks",
    "units/iou/*/samples*": "how the pairs are grouped",
    "units/intersection_union/*/pair": "names of the pairs",
    "units/reasonseg/height": "the picture's size",
    "units/reasonseg/width": "the picture's size",
    "units/tokenizer/*/text": "texts",
    "units/tokenizer_image/*/text": "texts",
    "cases/get_preprocess_shape/*/[hw]": "sizes",
    "cases/evaluate.q?/question": "questions",
    "cases/evaluate.q?/image": "which picture",
}
LEFT = {
    "cases/generation_steering": "words: how the weights were made",
    "cases/float32_vs_float64_relative/*": "how far the official code is from itself in float64",
    "cases/inference_vs_train_max_abs_diff": "how far two paths of the official code are apart; here there is one path",
    "state_dict_keys/note": "words",
}
SHARE = 1e-4  # of the largest value: float32 against float32
IMAGE = -200


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
    tokenizer = processor_of(place / "lisa").tokenizer
    yield from words(golden, network, tokenizer)
    pictures = {}
    for file in sorted(golden.folder.glob("image?.png")):
        name = file.stem.removeprefix("image")
        pictures[name] = processor_of(place / "lisa").prepare(open_signal(file))
        yield from prepared(golden, name, pictures[name])
        yield from features(golden, name, network, pictures[name])
    for case in golden.keys("cases/get_preprocess_shape"):
        size = [golden[f"cases/get_preprocess_shape/{case}/{side}"] for side in "hw"]
        placed = prepare_for_sam(
            np.zeros((*size, 3), dtype=np.uint8), network.config.mask_config.vision_config.image_size
        )
        yield Check(f"cases/get_preprocess_shape/{case}/result", list(placed.placed_hw))
    yield from lisa_decoder.checks(golden, network)
    for case in golden.keys("cases"):
        if case.startswith("train."):
            yield from training(golden, case, network, tokenizer, pictures)
        if case.startswith("evaluate."):
            yield from answer(golden, case, network, tokenizer, pictures[golden[f"cases/{case}/image"]])


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


def prepared(golden: Golden, name: str, picture: Prepared) -> Iterator[Check]:
    prefix, case = f"outputs/prep.{name}", f"cases/prep.{name}"
    values, (height, width) = picture.sam.values, picture.sam.placed_hw
    resized = as_pixels(values[:, :height, :width], MEAN_RGB, STD_RGB)
    yield Check(f"clip_input{name}", as_pixels(picture.values, CLIP_MEAN, CLIP_STD))
    yield Check(f"{prefix}.clip_rows_28", picture.values[:, ::28], 1e-5)
    yield Check(f"{prefix}.sam_resized_u8_every8", resized[::8, ::8])
    yield Check(f"{prefix}.sam_norm_every32", values[:, ::32, ::32], 1e-5)
    yield Check(f"{case}/original_hw", list(picture.sam.size_hw))
    yield Check(f"{case}/resize_hw", [height, width])
    yield Check(f"{case}/sam_shape", list(values.shape))
    yield Check(f"{case}/sam_sum", float(values.astype(np.float64).sum()), 1e-5, relative=True)
    yield Check(f"{case}/resized_u8_sum", int(resized.astype(np.int64).sum()))


def features(golden: Golden, name: str, network: DeixisForConditionalGeneration, picture: Prepared) -> Iterator[Check]:
    """CLIP's features and their projection; SAM's image embeddings."""
    found = encoded(network, "image", torch.from_numpy(picture.values)[None])
    (embeddings,) = network.sam_pointing.encode(torch.from_numpy(picture.sam.values)[None])
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


def decoded(
    network: DeixisForConditionalGeneration, states: Tensor, picture: Prepared
) -> tuple[Tensor, Tensor, Tensor]:
    """(low-resolution logits (n, 1, side, side), predicted IoU (n, 1), logits in the file's pixels (n, h, w))."""
    (embeddings,) = network.sam_pointing.encode(torch.from_numpy(picture.sam.values)[None])
    prompts = network.sam_pointing.prompt(states)[:, None]
    logits, scores = network.sam_pointing.decode(prompts, (embeddings.expand(len(states), -1, -1, -1),))
    side = round(logits.shape[1] ** 0.5)
    whole = in_file(logits, picture.sam.placed_hw, picture.sam.values.shape[1], picture.sam.size_hw)
    return logits.view(-1, 1, side, side), scores[:, None], whole


def in_file(logits: Tensor, placed_hw: tuple[int, int], size_px: int, size_hw: tuple[int, int]) -> Tensor:
    """(n, h, w) logits in the file's pixels of (n, cell)."""
    placed = [placed_logits(own, placed_hw, size_px) for own in logits]
    return torch.cat([interpolate(own, size_hw, mode="bilinear", align_corners=False)[0] for own in placed])


def training(golden, case: str, network, tokenizer, pictures: dict[str, Prepared]) -> Iterator[Check]:
    """A batch of one or two pictures: ids, labels, states, masks and losses."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    offset = golden[f"{prefix}.offset"].tolist()
    own = [pictures[name] for name in sorted(pictures)[: len(offset) - 1]]
    conversations = golden[f"{stored}/conversations"]
    texts = [lisa_units.rendered(tokenizer, *lisa_units.turn_of(text), "llava_v1", True) for text in conversations]
    yield Check(f"{stored}/conversations", [text.removeprefix("<s>") for text in texts])
    rows = [lisa_units.labelled(tokenizer, text) for text in texts]
    ids, labels, mask = padded_labels(rows, tokenizer.pad_token_id)
    yield Check(f"{prefix}.input_ids", ids)
    yield Check(f"{prefix}.labels", labels)
    yield Check(f"{prefix}.attention_masks", mask)
    learnt = [published_text(tokenizer, [n for n in row.tolist() if n != IGNORED]) for row in labels]
    yield Check(f"{stored}/label_text", learnt)
    # which picture a conversation is about: its masks lie between two offsets
    sample = [next(i for i in range(len(own)) if offset[i] <= row < offset[i + 1]) for row in range(len(rows))]
    yield Check(f"{prefix}.offset", np.cumsum([0, *np.bincount(sample)]))
    found = encoded(network, "image", torch.from_numpy(np.stack([own[i].values for i in sample])))
    count = found.tokens["image"].shape[1]
    full = model_ids(network, ids, count)
    at = [row.index(IMAGE) for row in ids.tolist()]
    wide = [
        torch.stack([widened(v, p, count, f) for v, p in zip(t, at, strict=True)])
        for t, f in ((mask, 1), (labels, -100))
    ]
    output = network(input_ids=full, attention_mask=wide[0].long(), encoded=found)
    ce_loss = network(input_ids=full, attention_mask=wide[0].long(), encoded=found, labels=wide[1]).losses["text"]
    places = seg_positions(network, full)
    states = output.hidden[places[:, 0], places[:, 1]]
    tail = next(entry for entry in golden.names(f"{prefix}.logits_tail*"))
    yield Check(f"{prefix}.seg_positions", places)
    yield Check(f"{prefix}.hidden_at_seg", states, SHARE, relative=True)
    yield Check(f"{prefix}.pred_embeddings", network.sam_pointing.prompt(states), SHARE, relative=True)
    yield Check(tail, output.logits[:, -int(tail.rpartition("tail")[2]) :], SHARE, relative=True)
    yield Check(f"{prefix}.last_hidden_rows", output.hidden[:, ::16], SHARE, relative=True)
    yield Check(f"{stored}/seq_len", full.shape[1])
    whole, low = [], []
    for number, picture in enumerate(own):
        mine = torch.tensor([sample[row] == number for row in places[:, 0].tolist()])
        logits, scores, masks = decoded(network, states[mine], picture)
        whole.append(masks)
        low.append(logits)
        name = f"{prefix}.image{number}"
        values = {"low_res_every4": logits[..., ::4, ::4], "iou": scores, "pred_mask_every2": masks[:, ::2, ::2]}
        yield from (
            Check(f"{name}.{n}", v, SHARE, relative=True) for n, v in values.items() if golden.has(f"{name}.{n}")
        )
    yield from batch_facts(golden, case, own, whole, low, ce_loss, sorted(pictures))


def batch_facts(golden, case: str, own, whole, low, ce_loss: Tensor, names: list[str]) -> Iterator[Check]:
    """Losses (with the weights 1, 2 and 0.5), sizes, and the spread of the low-resolution logits."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    truth = [torch.from_numpy(golden[f"masks/gt{name}"]).float() for name in names[: len(own)]]
    losses = {"ce_loss": ce_loss} | lisa_mask_losses(whole, truth)
    losses["loss"] = losses["ce_loss"] + losses["mask_loss"]
    for name, value in losses.items():
        yield Check(f"{prefix}.{name}", value, SHARE, relative=True)
        yield Check(f"{stored}/losses/{name}", float(value), SHARE, relative=True)
    yield Check(f"{stored}/resize_list", [list(picture.sam.placed_hw) for picture in own])
    yield Check(f"{stored}/label_shapes", [list(picture.sam.size_hw) for picture in own])
    first = low[0]  # recorded of the first picture
    yield Check(f"{stored}/low_abs_max", first.abs().max().item(), SHARE, relative=True)
    yield Check(f"{stored}/low_std", first.std().item(), SHARE, relative=True)


def widened(values: Tensor, place: int, count: int, filling: int) -> Tensor:
    """A row in which what stands for a picture is `count` times `filling`."""
    values = values.long()
    return torch.cat([values[:place], torch.full((count,), filling), values[place + 1 :]])


def answer(golden, case: str, network, tokenizer, picture: Prepared) -> Iterator[Check]:
    """A question answered greedily, and the masks of its [SEG]: states are taken while decoding, at one go here."""
    prefix, stored = f"outputs/{case}", f"cases/{case}"
    text = lisa_units.rendered(tokenizer, golden[f"{stored}/question"], None, "llava_v1", True)
    yield Check(f"{stored}/prompt", text.removeprefix("<s>"))
    ids = torch.tensor([lisa_units.ids_of(tokenizer, text)])
    yield Check(f"{prefix}.input_ids", ids)
    found = encoded(network, "image", torch.from_numpy(picture.values)[None])
    full = model_ids(network, ids, found.tokens["image"].shape[1])
    steps = golden[f"{prefix}.step_logits"].shape[0]
    said, scores = greedy(network, full, steps, encoded=found)
    yield Check(f"{prefix}.step_logits", scores[0], SHARE, relative=True)
    best = scores[0].topk(2).values
    yield Check(f"{stored}/min_margin", (best[:, 0] - best[:, 1]).min().item(), 1e-3)
    yield Check(f"{stored}/generated", said[0].tolist())
    whole_ids = torch.cat([ids, said], 1)
    yield Check(f"{prefix}.output_ids", whole_ids)
    spoken = published_text(tokenizer, [n for n in whole_ids[0].tolist() if n != IMAGE])
    yield Check(f"{stored}/text_output", re.sub("  ", " ", spoken.replace("\n", "")))
    ids = torch.cat([full, said], 1)
    places = seg_positions(network, ids)
    states = network(input_ids=ids, encoded=found).hidden[places[:, 0], places[:, 1]]
    yield Check(f"{prefix}.seg_positions", places)
    yield Check(f"{stored}/n_masks", len(places))
    yield Check(f"{prefix}.pred_embeddings", network.sam_pointing.prompt(states), SHARE, relative=True)
    logits, scores, masks = decoded(network, states, picture) if len(states) else (None, None, no_masks(picture))
    yield Check(f"{prefix}.pred_masks_every3", masks[:, ::3, ::3], SHARE, relative=True)
    if len(states):
        yield Check(f"{prefix}.low_res_every4", logits[..., ::4, ::4], SHARE, relative=True)
        yield Check(f"{prefix}.iou", scores, SHARE, relative=True)
    yield Check(f"{stored}/resize_hw", list(picture.sam.placed_hw))
    yield Check(f"{stored}/original_hw", list(picture.sam.size_hw))


def no_masks(picture: Prepared) -> Tensor:
    return torch.zeros(0, *picture.sam.size_hw)
