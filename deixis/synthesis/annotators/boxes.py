"""Boxes of whatever names mean in an image, by OWL-ViT, OWLv2 or Grounding DINO.

(Minderer et al., ECCV 2022 and NeurIPS 2023; Liu et al., ECCV 2024.) All three give candidates, each with a box and a
score for every name; the best name of each above the threshold is taken, then non-maximum suppression per name. Images
are prepared by transformers' Pillow processors.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import AutoModelForZeroShotObjectDetection, PreTrainedModel

from deixis.errors import DataError
from deixis.geometry import box_iou
from deixis.model.devices import choose_device
from deixis.synthesis.annotators import BoxesOfNames
from deixis.synthesis.annotators.model_loading import Wanted, find_model

WANTED = Wanted(
    "boxes", "an OWL-ViT, OWLv2 or Grounding DINO", ("owlvit", "owlv2", "grounding-dino", "mm-grounding-dino")
)
OWL_PROMPT = "a photo of a {}"  # the first of CLIP's seven best prompts, with which OWL-ViT was trained
MAX_OVERLAP = 0.5
"""IoU above which two boxes of one name are one object."""
Found = tuple[str, tuple[float, ...], float]


@dataclass(frozen=True)
class Candidates:
    """Boxes in the image's pixels, and the probability of every name in every box."""

    boxes_xyxy: Float[np.ndarray, "candidate 4"]
    scores: Float[np.ndarray, "candidate name"]


class Owl:
    """OWL-ViT, and OWLv2, whose image lies in the upper left corner of a square."""

    def __init__(self, network: PreTrainedModel, tokenizer: Any):
        self.network, self.tokenizer = network, tokenizer

    def groups(self, names: list[str]) -> Iterator[list[str]]:
        """Names that share one forward pass: all of them."""
        yield names

    def candidates(self, image: Mapping[str, Tensor], names: list[str], size_hw: tuple[int, int]) -> Candidates:
        """The network's candidates in the prepared image, for these names."""
        config = self.network.config
        texts = self.tokenizer(
            [OWL_PROMPT.format(name) for name in names],
            padding="max_length",
            max_length=config.text_config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        ).to(self.network.device)
        answer = self.network(
            pixel_values=image["pixel_values"], input_ids=texts["input_ids"], attention_mask=texts["attention_mask"]
        )
        placed_hw = (max(size_hw), max(size_hw)) if config.model_type == "owlv2" else size_hw
        return Candidates(corners(answer.pred_boxes[0], placed_hw), answer.logits[0].sigmoid().cpu().numpy())


class GroundingDino:
    """Grounding DINO and MM Grounding DINO, which read the names as one sentence, "a cat. a dog.".

    The score of a name is the mean over its tokens, as the official evaluation on COCO has it
    (IDEA-Research/GroundingDINO, demo/test_ap_on_coco.py).
    """

    def __init__(self, network: PreTrainedModel, tokenizer: Any):
        self.network, self.tokenizer = network, tokenizer
        self.longest = network.config.max_text_len

    def groups(self, names: list[str]) -> Iterator[list[str]]:
        """Names that share one forward pass: as many as the network reads at once."""
        group: list[str] = []
        for name in names:
            if group and self.length([*group, name]) > self.longest:
                yield group
                group = []
            group.append(name)
        yield group

    def length(self, names: list[str]) -> int:
        return len(self.tokenizer(sentence(names)[0])["input_ids"])

    def candidates(self, image: Mapping[str, Tensor], names: list[str], size_hw: tuple[int, int]) -> Candidates:
        """The network's candidates in the prepared image, for these names."""
        text, spans = sentence(names)
        tokens = self.tokenizer(
            text, return_tensors="pt", return_offsets_mapping=True, truncation=True, max_length=self.longest
        )
        places = tokens.pop("offset_mapping")[0].tolist()
        tokens = tokens.to(self.network.device)
        answer = self.network(
            pixel_values=image["pixel_values"],
            pixel_mask=image["pixel_mask"],
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            token_type_ids=tokens["token_type_ids"],
        )
        of_tokens = answer.logits[0].sigmoid().cpu().numpy()
        scores = np.zeros((len(of_tokens), len(names)), dtype=np.float32)
        for column, (start, end) in enumerate(spans):
            if its := [token for token, (low, high) in enumerate(places) if start <= low < high <= end]:
                scores[:, column] = of_tokens[:, its].mean(axis=1)
        return Candidates(corners(answer.pred_boxes[0], size_hw), scores)


class OpenVocabularyBoxes:
    """`BoxesOfNames` by a detector that reads names."""

    def __init__(self, detector: Owl | GroundingDino, image_processor: Any, threshold: float):
        self.detector, self.image_processor, self.threshold = detector, image_processor, threshold

    @torch.inference_mode()
    def __call__(self, pixels: UInt8[np.ndarray, "h w 3"], names: Sequence[str]) -> list[Found]:
        """(name, box_xyxy in pixels, score) of all that is found, best first; boxes are cut at the image's edge."""
        names = [name for name in dict.fromkeys(names) if name.strip()]
        found: list[Found] = []
        if names:
            image = self.prepare(pixels)
            for group in self.detector.groups(names):
                candidates = self.detector.candidates(image, group, pixels.shape[:2])
                found += read_candidates(candidates, group, self.threshold)
        found = [one for one in (cut_at_edge(one, pixels.shape[:2]) for one in found) if one is not None]
        return best_of_each_place(sorted(found, key=lambda one: -one[2]))

    def prepare(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Mapping[str, Tensor]:
        """The network's input of an image."""
        return self.image_processor(images=pixels, return_tensors="pt").to(self.detector.network.device)


def sentence(names: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The names as Grounding DINO reads them, and where in the text each is; full stops part them, so none has its own.

    >>> sentence(["St. Bernard", "cat"])
    ('st bernard. cat.', [(0, 10), (12, 15)])
    """
    text, spans = "", []
    for name in names:
        plain = re.sub(r"[.\s]+", " ", name).strip().lower()
        start = len(text) + bool(text)
        text = f"{text} {plain}." if text else f"{plain}."
        spans.append((start, start + len(plain)))
    return text, spans


def corners(boxes: Float[Tensor, "candidate 4"], size_hw: tuple[int, int]) -> Float[np.ndarray, "candidate 4"]:
    """Boxes in pixels from centre and size in shares of an image of `size_hw`.

    >>> corners(torch.tensor([[0.5, 0.5, 0.5, 1.0]]), (10, 20)).tolist()
    [[5.0, 0.0, 15.0, 10.0]]
    """
    height, width = size_hw
    values = boxes.cpu().numpy().astype(np.float64)
    centre, half = values[:, :2], values[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1) * np.array([width, height] * 2)


def read_candidates(candidates: Candidates, names: Sequence[str], threshold: float) -> list[Found]:
    """The best name of each candidate whose score is above the threshold."""
    best = candidates.scores.argmax(axis=1)
    scores = candidates.scores[np.arange(len(best)), best]
    return [
        (names[best[number]], tuple(candidates.boxes_xyxy[number].tolist()), float(scores[number]))
        for number in np.flatnonzero(scores > threshold)
    ]


def cut_at_edge(found: Found, size_hw: tuple[int, int]) -> Found | None:
    """What is found, with its box cut at the image's edge; None where nothing of it is inside.

    >>> cut_at_edge(("cat", (-5.0, 2.0, 8.0, 30.0), 0.5), (20, 10))
    ('cat', (0.0, 2.0, 8.0, 20.0), 0.5)
    """
    name, (x1, y1, x2, y2), score = found
    height, width = size_hw
    x1, x2 = max(x1, 0.0), min(x2, float(width))
    y1, y2 = max(y1, 0.0), min(y2, float(height))
    return (name, (x1, y1, x2, y2), score) if x1 < x2 and y1 < y2 else None


def best_of_each_place(found: Sequence[Found], max_overlap: float = MAX_OVERLAP) -> list[Found]:
    """Without those that lie over a better one of the same name (greedy suppression); `found` is best first.

    >>> best_of_each_place([("cat", (0, 0, 9, 9), 0.9), ("cat", (0, 0, 9, 8), 0.8), ("dog", (0, 0, 9, 9), 0.7)])
    [('cat', (0, 0, 9, 9), 0.9), ('dog', (0, 0, 9, 9), 0.7)]
    """
    kept: list[Found] = []
    for one in found:
        rivals = np.array([other[1] for other in kept if other[0] == one[0]], dtype=np.float64).reshape(-1, 4)
        if (box_iou(np.array([one[1]], dtype=np.float64), rivals) <= max_overlap).all():
            kept.append(one)
    return kept


def open_vocabulary_boxes(name: str | Path, threshold: float = 0.3, device: str | None = None) -> BoxesOfNames:
    """Boxes of names by the detector called `name`, a folder or a hub id ("google/owlv2-base-patch16-ensemble").

    `threshold`: the score above which something is found; Grounding DINO's usual one is 0.3, OWL's 0.1 to 0.3.
    `device`: "cpu", "cuda", "mps"; the best there is if not given. Raises DataError for a name, a
    device or weights that are not there, and a model of another kind.
    """
    if not 0 <= threshold < 1:
        raise DataError(f"threshold: expected a score from 0 to below 1, got {threshold}")
    place = choose_device(device)
    found = find_model(name, WANTED)
    kind = Owl if found.config.model_type.startswith("owl") else GroundingDino
    image_processor, tokenizer = found.image_processor(), found.tokenizer()
    detector = kind(found.network(AutoModelForZeroShotObjectDetection, place), tokenizer)
    return OpenVocabularyBoxes(detector, image_processor, threshold)
