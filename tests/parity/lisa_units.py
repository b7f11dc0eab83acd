"""LISA without its network: losses, scores, masks of ReasonSeg, prompts, tokenizer. Part of `lisa.py`."""

import json
import re
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from deixis.checkpoints.tokenizer import find_tokenizer, read_tokenizer
from deixis.conversation.system import Conversation
from deixis.datasets.segmentation.reason_seg import read_reason_seg
from deixis.model.chat_template import conversation_ids
from deixis.systems import SYSTEMS
from deixis.systems.chat_style import ChatStyle, chat_template
from deixis.systems.lisa.losses import dice_loss, sigmoid_ce_loss
from deixis.systems.lisa.scoring import foreground_iou, intersection_and_union, macro_iou, micro_iou
from deixis.systems.lisa.template import LLAMA_2_STYLE, STYLE
from deixis.systems.lisa.wording import validation_question
from tests.parity.golden import Check, Golden

ADDED = ("[SEG]", "<im_start>", "<im_end>")
IMAGE = -200


def checks(golden: Golden) -> Iterator[Check]:
    yield from losses(golden)
    yield from scores(golden)
    if golden.has("units/reasonseg"):
        yield from reason_seg(golden)
    tokenizer = folder_tokenizer(golden)
    yield from prompts(golden, tokenizer)
    yield from tokens(golden, tokenizer)


def losses(golden: Golden) -> Iterator[Check]:
    for kind, loss in (("dice", dice_loss), ("bce", sigmoid_ce_loss)):
        for entry in golden.names(f"units/*.{kind}.num_masks*"):
            case = entry.split(".")[0]
            count = int(entry.rpartition("num_masks")[2])
            value = loss(golden[f"{case}.logits"], golden[f"{case}.target"], count)
            yield Check(entry, value, 1e-6, relative=True)


def mask_scores(pairs: list[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """(gIoU, cIoU) of (predicted, target) masks, by the formulas that the benchmarks aggregate with."""
    counts = [intersection_and_union(*(mask.long().numpy() for mask in pair)) for pair in pairs]
    shared, union = (np.array([count[n][1] for count in counts]) for n in (0, 1))
    return macro_iou(foreground_iou(shared, union).sum(), len(pairs)), micro_iou(shared.sum(), union.sum())


def scores(golden: Golden) -> Iterator[Check]:
    for case in golden.keys("units/iou"):
        pairs = [pair for image in golden[f"units/iou/{case}/samples"] for pair in image]
        giou, ciou = mask_scores([(golden[f"units/iou.{p}.logits"] > 0, golden[f"units/iou.{p}.gt"]) for p in pairs])
        yield Check(f"units/iou/{case}/giou", giou, 1e-6)
        yield Check(f"units/iou/{case}/ciou", ciou, 1e-6)
    for case in golden.keys("units/intersection_union"):
        pair = golden[f"units/intersection_union/{case}/pair"]
        marked = (golden[f"units/iou.{pair}.logits"] > 0).long().numpy()
        counts = intersection_and_union(marked, golden[f"units/iou.{pair}.gt"].long().numpy())
        for name, values in zip(("intersection", "union", "target"), counts, strict=True):
            yield Check(f"units/intersection_union/{case}/{name}", values.tolist())


def reason_seg(golden: Golden) -> Iterator[Check]:
    size_hw = (golden["units/reasonseg/height"], golden["units/reasonseg/width"])
    read = read_reason_seg(golden.folder / "reasonseg.json", size_hw)
    yield Check("units/reasonseg/text", list(read.texts))
    yield Check("units/reasonseg/is_sentence", read.is_sentence)
    values, counts = np.unique(read.mask, return_counts=True)
    yield Check("units/reasonseg/counts", dict(zip(values.tolist(), counts.tolist(), strict=True)))
    if golden.has("masks/reasonseg"):
        yield Check("masks/reasonseg", read.mask)


def folder_tokenizer(golden: Golden):
    """The folder's tokenizer as a conversion reads it."""
    added = json.loads((golden.folder / "added_tokens.json").read_text(encoding="utf-8"))
    return read_tokenizer(find_tokenizer(golden.folder), ("[SEG]",), max(added.values()) + 1, ("<image>",))


def rendered(tokenizer, question: str, answer: str | None, style: ChatStyle, start_end: bool) -> str:
    """A conversation about an image by a chat template; without an answer it is a question."""
    tokenizer.chat_template = chat_template(style, start_end)
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    if answer is not None:
        messages.append({"role": "assistant", "content": answer})
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer is None)


def turn_of(text: str) -> tuple[str, str | None]:
    """(question, answer) of a recorded conversation of one turn; no answer where it is open."""
    asked = re.search(r"<image>(?:<im_end>)?\n(.*?)(?: ASSISTANT:(?: (.*)</s>)?| \[/INST\])$", text, re.DOTALL)
    return asked[1], asked[2]


def ids_of(tokenizer, text: str) -> list[int]:
    """Ids of a text that begins with <s>, -200 for each image."""
    ids = conversation_ids(tokenizer, text, {"image": "<image>"}, ["image"] * text.count("<image>"), {"image": 1})[0]
    own = tokenizer.convert_tokens_to_ids("<image>")
    return [IMAGE if number == own else number for number in ids]


def labelled(tokenizer, text: str) -> tuple[list[int], list[int]]:
    """Ids and labels of a conversation in Vicuna's style."""
    ids = ids_of(tokenizer, text)
    return ids, SYSTEMS["lisa"].label_rule(Conversation(text, ids, (), (), lambda part: ids_of(tokenizer, part)))


def prompts(golden: Golden, tokenizer) -> Iterator[Check]:
    templates = {"llava_v1_open": (STYLE, True), "llava_llama_2_open": (LLAMA_2_STYLE, True)}
    for name, style in templates.items():
        if golden.has(f"units/prompts/{name}"):
            text = rendered(tokenizer, *turn_of(golden[f"units/prompts/{name}"]), *style)
            yield Check(f"units/prompts/{name}", text.removeprefix("<s>"))
    for name, is_sentence in (("val_sentence_prompt", True), ("val_phrase_prompt", False)):
        stored = golden[f"units/prompts/{name}"]
        pattern = r"\n (.*) Please output" if is_sentence else r"What is (.*) in this image"
        question = validation_question(re.search(pattern, stored)[1], is_sentence)
        text = rendered(tokenizer, question, "[SEG].", STYLE, "<im_start>" in stored)
        yield Check(f"units/prompts/{name}", text.removeprefix("<s>"))


def tokens(golden: Golden, tokenizer) -> Iterator[Check]:
    for case in golden.keys("units/tokenizer"):
        name = f"units/tokenizer/{case}"
        text = golden[f"{name}/text"]
        yield Check(f"{name}/ids", tokenizer(text)["input_ids"])
        yield Check(f"{name}/ids_no_special", tokenizer(text, add_special_tokens=False)["input_ids"])
    for case in golden.keys("units/tokenizer_image"):
        name = f"units/tokenizer_image/{case}"
        yield Check(f"{name}/ids", ids_of(tokenizer, "<s>" + golden[f"{name}/text"]))
    if golden.has("units/collate_val"):
        stored = golden["units/collate_val/conversation"]
        texts = [rendered(tokenizer, *turn_of(text), STYLE, "<im_start>" in text) for text in stored]
        rows = [labelled(tokenizer, text) for text in texts]
        yield Check("units/collate_val/conversation", [text.removeprefix("<s>") for text in texts])
        yield Check("units/collate_val/input_ids", [ids for ids, _ in rows])
        yield Check("units/collate_val/labels", [labels for _, labels in rows])
