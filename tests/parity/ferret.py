"""Ferret: the region sampler alone, images, prompts, runs with regions, training batch and loss, greedy answers."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deixis.conversation import IGNORED, Row, collate, render
from deixis.geometry import Box, Point, Region
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.chat_template import conversation_ids
from deixis.model.fusion import Encoded
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import open_signal
from deixis.systems import SYSTEMS
from deixis.systems.chat_style import chat_template
from deixis.systems.ferret.sampling import ferret_mask, transposed_places
from deixis.systems.ferret.template import STYLE
from deixis.training.instruct import Instructor
from tests.parity import ferret_sampler, ferret_text
from tests.parity.golden import Check, Golden
from tests.parity.networks import accounted, converted, encoded, greedy, processor_of, with_placeholders
from tests.parity.slow_text import published_text

SOURCES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "sampler_state.safetensors",
)  # fmt: skip
GIVEN = {
    "image": "the image",
    "masks/[AB][0-9]": "regions",
    "model_outputs/*.boxpoint.*.points": "points drawn at random",
    "sampler_unit/feature_map": "the map",
    "sampler_unit/[BC].points": "points drawn at random, or made up",
    "sampler_unit/D.points_xy": "points",
    "sampler_unit/E.xyz": "points",
    "model_cases/region/image_wh": "the image's size",
    "model_cases/region/raw_*": "regions",
    "model_cases/train_conversations*": "conversations",
    "model_cases/tokenizer/*/text": "texts",
    "text_parse/image_*": "the image's size",
    "text_parse/*/text": "answers",
    "text_parse/phrases_similar/*/[ab]": "phrases",
    **{f"text_parse/resize_bbox/*/{name}": "boxes" for name in ("box", "w", "h")},
    "refexp_metric/annotations/*": "annotations",
    "refexp_metric/predictions/*": "answers",
    "refexp_metric/thresh_iou": "an argument",
    **{f"prompts/lvis/*/{name}": "records" for name in ("format", "index", "width", "height")},
    **{f"prompts/lvis/*/{name}": "records" for name in ("sample_point", "bbox_norm", "free_shape_bbox_raw")},
    **{f"prompts/gpt4eval/{name}": "a record" for name in ("text", "width", "height")},
    **{f"prompts/*_question_rule/{name}": "phrases" for name in ("template", "caption", "entities")},
    **{f"prompts/serve/*/{name}": "strokes" for name in ("width", "height", "raw_prompt", "mode", "painted_xyxy")},
    **{f"prompts/train/*/{name}": "records" for name in ("key", "width", "height", "boxes", "from")},
    "prompts/train/*/point_input_sample": "how points are drawn",
    "prompts/train_segment_masks*": "words for two segments",
    **{f"prompts/regulate_box/*/{name}": "boxes" for name in ("box", "w", "h")},
    "prompts/coordinate_rounding/table/*/size": "sizes",
    "prompts/coordinate_rounding/table/*/n": "sizes",
    "prompts/coordinate_rounding/expressions/*": "words for the formulas",
    "prompts/template_name": "a name",
}
LEFT = {
    **{
        f"text_parse/cases/*/model_{name}_template*": "a reader of the script that asks"
        for name in ("refcoco", "flickr")
    },
    "prompts/lvis/*/question": "numbers of boxes, which this script alone truncates as shares of the image",
    "prompts/gpt4eval/question": "the same",
    "prompts/serve/*/placeholder": "a name for a region in the demo's text field",
    "model_cases/tolerance_report/*": "how far the official code is from itself in float64",
    "state_dict_keys/note": "words",
}
SHARE = 1e-4  # of the largest value: float32 against float32
TIED = 0.05  # the same, where equal distances are broken at random by the official code (its README)
IMAGE = -200
FERRET = SYSTEMS["ferret"]


@torch.no_grad()
def checks(golden: Golden, place: Path) -> Iterator[Check]:
    yield from ferret_text.checks(golden)
    if golden.has("sampler_unit"):
        yield from ferret_sampler.checks(golden)
    if not golden.has("model_outputs"):
        return
    network = converted("ferret", golden.folder, place / "ferret")
    if golden.has("state_dict_keys"):
        names = accounted(golden.folder, place / "ferret")
        yield Check("state_dict_keys/keys", names)
        yield Check("state_dict_keys/num_keys", len(names))
    processor = processor_of(place / "ferret")
    prepared = processor.prepare(open_signal(golden.folder / "image.png"))
    found = encoded(network, "image", torch.from_numpy(prepared.values)[None])
    yield from picture(golden, prepared.values, found)
    yield from words(golden, processor)
    yield from conversations(golden, processor, prepared)
    for mode in ("max", "mean"):
        network.region_sampler.pooling = mode
        yield from runs(golden, network, found, mode)
    network.region_sampler.pooling = "max"
    yield from without_regions(golden, network, found)
    yield from answer(golden, network, processor, found)
    yield from training(golden, network, processor)


def picture(golden: Golden, values: np.ndarray, found: Encoded) -> Iterator[Check]:
    mean, std = (np.array(golden_values).reshape(3, 1, 1) for golden_values in CLIP)
    pixels = np.round((values * std + mean) * 255).astype(np.uint8).transpose(1, 2, 0)
    yield Check("clip_input", pixels)
    yield Check("model_outputs/pixel_values_rows_24", values[None, :, ::24], 1e-5)
    yield Check("model_outputs/vision_features", found.fields["image"].tokens, SHARE, relative=True)
    yield Check("model_outputs/projected_features_every4", found.tokens["image"][:, ::4], SHARE, relative=True)


CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def words(golden: Golden, processor: DeixisProcessor) -> Iterator[Check]:
    """The tokenizer, case by case, and its size."""
    tokenizer = processor.tokenizer
    for case in golden.keys("model_cases/tokenizer"):
        name = f"model_cases/tokenizer/{case}"
        ids = tokenizer(golden[f"{name}/text"])["input_ids"]
        yield Check(f"{name}/ids", ids)
        yield Check(f"{name}/tokens", tokenizer.convert_ids_to_tokens(ids)[1:])
    names = {"region_fea": "<region_fea>", "im_start": "<im_start>", "im_end": "<im_end>"}
    for name, token in names.items():
        yield Check(f"model_cases/vocab/{name}", tokenizer.convert_tokens_to_ids(token))
    added = [token for token in tokenizer.get_added_vocab() if token not in ("<s>", "</s>", "<unk>", "<image>")]
    yield Check("model_cases/vocab/total", len(tokenizer) - 1)  # without our <image>
    yield Check("model_cases/vocab/base", len(tokenizer) - 1 - len(added))


def prompt_ids(processor: DeixisProcessor, prompt: str) -> list[int]:
    """Ids of a prompt, -200 for the image as in the official code."""
    modalities = ["image"] * prompt.count("<image>")
    ids = conversation_ids(processor.tokenizer, f"<s>{prompt}", {"image": "<image>"}, modalities, {"image": 1})[0]
    return with_placeholders(ids, {processor.tokenizer.convert_tokens_to_ids("<image>"): (IMAGE, 1)})


def conversations(golden: Golden, processor: DeixisProcessor, prepared) -> Iterator[Check]:
    """Prompts through our question writer and chat templates, and their ids."""
    region = golden["model_cases/region"]
    regions = [Box(*region["raw_box_xyxy"]), Point(*region["raw_point"])]
    written = [processor.question(f"{{{index}}}", regions, [prepared])[0] for index in (0, 1)]
    for name, text in zip(("box_text", "point_text"), written, strict=True):
        yield Check(f"model_cases/region/{name}", [int(number) for number in re.findall(r"\d+", text)])
    masks = [ferret_mask(own, prepared.frame.size.size_hw) for own in regions]
    for index, mask in enumerate(masks):
        yield Check(f"masks/boxpoint{index}", mask)
    for name in ("startend", "plain", "noregion"):
        prompt = golden[f"model_cases/{name}/prompt"]
        question = prompt.rpartition("\n")[2].removesuffix(" ASSISTANT:")
        indices = iter(range(len(regions)))
        markup = re.sub(r"\[[\d, ]+\] <region_fea>", lambda _, left=indices: f"{{{next(left)}}}", question)
        body, _ = processor.question(markup, regions, [prepared])
        processor.tokenizer.chat_template = chat_template(STYLE, "<im_start>" in prompt)
        text = rendered(processor, [body])
        yield Check(f"model_cases/{name}/prompt", text.removeprefix("<s>"))
        ids = prompt_ids(processor, text.removeprefix("<s>"))
        yield Check(f"model_cases/{name}/input_ids", ids)
        yield Check(f"model_outputs/{name}.input_ids", np.array([ids]))
    yield from templates(golden, processor)


def templates(golden: Golden, processor: DeixisProcessor) -> Iterator[Check]:
    processor.tokenizer.chat_template = chat_template(STYLE, start_end=False)
    for name in ("template_open", "template_two_rounds"):
        if golden.has(f"prompts/{name}"):
            stored = golden[f"prompts/{name}"]
            turns = re.findall(r"(?:<image>\n|USER: (?!<))(.*?) ASSISTANT:(?: (.*?)</s>)?", stored)
            text = rendered(processor, *[[question, generated] for question, generated in turns])
            yield Check(f"prompts/{name}", text.removeprefix("<s>"))


def rendered(processor: DeixisProcessor, *turns: list[str]) -> str:
    """The chat template's text of turns of [question, answer]; a turn without answer is open."""
    messages = []
    for number, (question, *generated) in enumerate(turns):
        picture = [{"type": "image"}] * (number == 0)
        messages.append({"role": "user", "content": [*picture, {"type": "text", "text": question}]})
        if generated and generated[0]:
            messages.append({"role": "assistant", "content": generated[0]})
    is_open = messages[-1]["role"] == "user"
    return processor.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=is_open)


def model_ids(network: DeixisForConditionalGeneration, ids: Tensor, found: Encoded) -> Tensor:
    """Recorded ids in which -200 is replaced by one of our placeholders per token of the image."""
    count, own = found.tokens["image"].shape[1], network.config.signal_token_ids["image"]
    return torch.tensor([with_placeholders(row, {IMAGE: (own, count)}) for row in ids.tolist()])


def region_inputs(network: DeixisForConditionalGeneration, points: Tensor, found: Encoded) -> dict[str, Tensor]:
    """Regions of image 0 with given points, as inputs of the network."""
    side = found.fields["image"].grid[0]
    places = torch.from_numpy(np.stack([transposed_places(own.numpy(), side) for own in points]))
    zeros = torch.zeros(len(points), dtype=torch.long)
    return {"region_points": points, "region_places": places, "region_signal": zeros}


def exact_points(golden: Golden, names: list[str]) -> Tensor:
    """Points of masks with as many pixels as are sampled: all of them, x-major, in fractions of the image."""
    masks = [golden[f"masks/{name}"] for name in names]
    return torch.from_numpy(np.stack([np.argwhere(m) / np.array(m.shape) for m in masks])).float()


def runs(golden: Golden, network: DeixisForConditionalGeneration, found: Encoded, mode: str) -> Iterator[Check]:
    """The runs of one pooling: region vectors, logits, hidden states."""
    for entry in golden.names(f"model_outputs/*.{mode}.points"):
        prefix = entry.removesuffix(".points")
        prompt, masks, _ = prefix.removeprefix("model_outputs/").split(".")
        points, share = golden[entry], TIED
        if masks == "exact":
            points, share = exact_points(golden, ["A0", "A1"]), SHARE
            yield Check(entry, points, 1e-6)
        own = region_inputs(network, points, found)
        vectors = network.region_tokens(found, own["region_points"], own["region_signal"], own["region_places"])
        yield Check(f"{prefix}.region_features", vectors, share, relative=True)
        ids = model_ids(network, golden[f"model_outputs/{prompt}.input_ids"], found)
        output = network(input_ids=ids, encoded=found, **own)
        rows = golden[f"{prefix}.logits_text"].shape[1]
        yield Check(f"{prefix}.logits_text", output.logits[:, -rows:], share, relative=True)
        if golden.has(f"{prefix}.logits_first48"):
            yield Check(f"{prefix}.logits_first48", output.logits[:, :48], share, relative=True)
            yield Check(f"{prefix}.last_hidden_every4", output.hidden[:, ::4], share, relative=True)
        case = f"model_cases/runs/{prompt}.{masks}.{mode}"
        yield Check(f"{case}/seq_len", ids.shape[1])
        yield Check(f"{case}/argmax_last", int(output.logits[0, -1].argmax()))


def without_regions(golden: Golden, network: DeixisForConditionalGeneration, found: Encoded) -> Iterator[Check]:
    ids = model_ids(network, golden["model_outputs/noregion.input_ids"], found)
    rows = golden["model_outputs/noregion.logits_text"].shape[1]
    logits = network(input_ids=ids, encoded=found).logits[:, -rows:]
    yield Check("model_outputs/noregion.logits_text", logits, SHARE, relative=True)


def answer(
    golden: Golden, network: DeixisForConditionalGeneration, processor: DeixisProcessor, found: Encoded
) -> Iterator[Check]:
    """The greedy answer to the first prompt, and at each step the margin of the most probable token over the second."""
    names = golden.names("model_cases/greedy[0-9]*")
    count = len(golden["model_cases/greedy_margin"])
    ids = model_ids(network, golden["model_outputs/startend.input_ids"], found)
    own = region_inputs(network, exact_points(golden, ["A0", "A1"]), found)
    generated, scores = greedy(network, ids, count, encoded=found, **own)
    best = scores[0].topk(2).values
    yield Check("model_cases/greedy_margin", (best[:, 0] - best[:, 1]).numpy(), 1e-3)
    for name in names:
        is_text = name.endswith("_text")
        yield Check(
            name, published_text(processor.tokenizer, generated[0].tolist()) if is_text else generated[0].tolist()
        )


def training(golden: Golden, network: DeixisForConditionalGeneration, processor: DeixisProcessor) -> Iterator[Check]:
    """The batch of two samples through the product's renderer, batch builder and loss."""
    start_end = "<im_start>" in str(golden["model_cases/train_conversations"])
    processor.tokenizer.chat_template = chat_template(STYLE, start_end)
    rows = []
    for conversation in golden["model_cases/train_conversations"]:
        prepared = [processor.prepare(open_signal(golden.folder / "image.png"))]
        sample = sample_of([turn["value"] for turn in conversation], prepared[0].frame.size.size_hw)
        row = Row(prepared)
        row.add(render(sample, prepared, processor, FERRET.label_rule))
        rows.append(row)
    batch = collate(rows, processor.tokenizer.pad_token_id, FERRET)
    own = network.config.signal_token_ids["image"]
    held = batch["input_ids"] == own
    kept = ~held | (held & ~torch.nn.functional.pad(held[:, :-1], (1, 0)))  # the first placeholder of each run

    def squeezed(values: Tensor) -> Tensor:
        return torch.stack([row[keep] for row, keep in zip(values, kept, strict=True)])

    valid = torch.nn.functional.pad(batch["position_ids"][:, 1:] > 0, (1, 0), value=True)  # padding has position 0
    ids, labels = squeezed(batch["input_ids"]), squeezed(batch["labels"])
    yield Check("model_outputs/train.input_ids", ids.masked_fill(ids == own, IMAGE))
    yield Check("model_outputs/train.labels", labels)
    yield Check("model_outputs/train.attention_mask", squeezed(valid))
    learnt = [published_text(processor.tokenizer, [n for n in row.tolist() if n != IGNORED]) for row in labels]
    yield Check("model_cases/train_label_text", learnt)
    # the recording drew its points from masks that the conversations' numbers do not tell
    points = exact_points(golden, ["A0", "A1", "A2"])
    side = round(processor.token_counts["image"] ** 0.5)
    places = np.stack([transposed_places(one.numpy(), side) for one in points])
    batch |= {"region_points": points, "region_places": torch.from_numpy(places)}
    output = Instructor(network, FERRET).eval()(**batch)
    yield Check("model_outputs/train.loss", output["losses"]["text"], SHARE, relative=True)


def sample_of(values: list[str], size_hw: tuple[int, int]) -> Sample:
    """A recorded conversation as a sample: the coordinates in its questions and answers become regions."""
    regions: list[Region] = []

    def reference(match: re.Match) -> str:
        numbers = [int(number) for number in match[1].split(", ")]
        sides = [size_hw[1], size_hw[0]] * 2
        # the middle of a grid number's pixels, which is truncated to the same number
        place = [(number + 0.5) / 1000 * side for number, side in zip(numbers, sides, strict=False)]
        regions.append(Point(*place) if len(place) == 2 else Box(*place))
        return f"{{{len(regions) - 1}}}"

    texts = [value.rpartition("<image>")[2].removeprefix("<im_end>").lstrip("\n") for value in values]
    markup = [re.sub(r"\[(\d+(?:, \d+)+)\](?: <region_fea>)?", reference, text) for text in texts]
    turns = tuple(Turn(*pair) for pair in zip(markup[::2], markup[1::2], strict=True))
    return Sample("golden", "golden", "refer", "train", turns, (MediaReference("image", "image"),), tuple(regions))
