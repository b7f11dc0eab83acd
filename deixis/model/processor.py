"""`DeixisProcessor`: files, regions and questions in; the network's tensors out, and answers back to the file's units.

It owns the tokenizer, how each kind of signal is prepared, how many tokens a signal takes, and the dialect. It knows
nothing of weights.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, no_type_check

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from deixis.geometry import DIALECTS, Region, check_region, parse_answer, region_points, write_prompt
from deixis.geometry.parse import ParsedAnswer
from deixis.model.config import KINDS, POINT_AXES, DeixisConfig
from deixis.model.masks import Prepared
from deixis.model.sam_picture import prepare_for_sam
from deixis.model.text import SPECIAL_TOKENS, answer_text, turn_text
from deixis.signals import (
    SIGNALS,
    AudioSpec,
    ImageSpec,
    PointCloudSpec,
    Signal,
    chosen_indices,
    open_signal,
    to_tensor,
)

Turns = Sequence[tuple[str, str]]


class DeixisProcessor(ProcessorMixin):
    """Prepares samples for `DeixisForConditionalGeneration`; saved beside the weights.

    specs: preparation of each kind (fields of ImageSpec, AudioSpec, PointCloudSpec). token_counts: placeholders a
    signal of each kind takes. points: how many points are drawn in a region. sam_size_px: side of SAM's input, 0
    where SAM does not make the masks.
    """

    attributes = ["tokenizer"]
    tokenizer_class = "AutoTokenizer"

    @no_type_check  # the tests' hook would wrap it, and transformers reads the arguments' names in its code
    def __init__(
        self,
        tokenizer=None,
        specs: dict[str, dict[str, Any]] | None = None,
        token_counts: dict[str, int] | None = None,
        points: int = 64,
        dialect: str = "deixis",
        sam_size_px: int = 0,
        **kwargs,
    ):
        self.specs, self.token_counts = dict(specs or {}), dict(token_counts or {})
        self.points, self.dialect, self.sam_size_px = points, dialect, sam_size_px
        super().__init__(tokenizer, **kwargs)

    @property
    def grammar(self):
        """The `Dialect` that regions are written in."""
        return DIALECTS[self.dialect]

    def spec(self, kind: str) -> ImageSpec | AudioSpec | PointCloudSpec:
        """How signals of this kind are prepared."""
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in self.specs[kind].items()}
        return SIGNALS[kind].spec_type(**options)

    def prepare(self, signal: Signal) -> Prepared:
        """The network's input for a signal. Raises ValueError for a kind that the model does not take."""
        if signal.kind not in self.specs:
            raise ValueError(
                f"'{signal.name}': this model takes {', '.join(self.specs)}; got a signal of kind {signal.kind}"
            )
        spec = self.spec(signal.kind)
        values, frame = to_tensor(signal, spec)
        chosen = chosen_indices(signal, spec) if signal.kind == "point_cloud" else None
        is_for_sam = signal.kind == "image" and self.sam_size_px > 0
        sam = prepare_for_sam(signal.values, self.sam_size_px) if is_for_sam else None
        return Prepared(signal.kind, values, frame, chosen, sam)

    def prefix(self, prepared: Sequence[Prepared]) -> str:
        """The beginning of a conversation: the placeholders of its signals."""
        return SPECIAL_TOKENS["bos"] + "".join(SPECIAL_TOKENS[p.kind] * self.token_counts[p.kind] for p in prepared)

    def question(self, markup: str, regions: Sequence[Region], prepared: Sequence[Prepared]) -> tuple[str, list[int]]:
        """The model's text of a question, and the region of each of its region tokens.

        Raises ValueError for a reference without a region, a region that does not fit its signal, and words that are
        tokens with a meaning of their own.
        """
        if special := next((token for token in SPECIAL_TOKENS.values() if token in markup), None):
            raise ValueError(f"the question must not contain {special}, which has a meaning for the model")
        frames = [p.frame for p in prepared]
        extents = [frame.size for frame in frames]
        for region in regions:
            if not 0 <= region.signal < len(frames):
                raise ValueError(f"region on signal {region.signal}: there are {len(frames)} signal(s), counted from 0")
            check_region(region, extents[region.signal])
        return write_prompt(markup, regions, frames, extents, self.grammar)

    def points_of(self, region: Region, prepared: Sequence[Prepared]) -> np.ndarray:
        """(points, 3) unit coordinates drawn in a region, absent axes zero; the same for the same region."""
        frame = prepared[region.signal].frame
        points = region_points(region, frame.size, frame, self.points)
        return np.pad(points, ((0, 0), (0, POINT_AXES - points.shape[1]))).astype(np.float32)

    def __call__(
        self,
        text: str | Sequence[str] = "",
        signals: Sequence[Any] = (),
        regions: Sequence[Any] = (),
        history: Turns | Sequence[Turns] = (),
        **kwargs,
    ) -> BatchFeature:
        """Tensors for questions in markup ("What is {0}?") about signals (paths, arrays, ...) and regions.

        One question with its lists of signals and regions, or sequences of all three. `history` holds the earlier turns
        of each question, as the model wrote and read them (question text, answer text).
        """
        if isinstance(text, str):
            text, signals, regions, turns = [text], [signals], [regions], [history]
        else:
            turns = history or [()] * len(text)
        signals, regions = signals or [()] * len(text), regions or [()] * len(text)
        prepared = [[self.prepare(open_signal(s)) for s in own] for own in signals]
        return self.batch(text, prepared, regions, turns)

    def batch(
        self,
        questions: Sequence[str],
        prepared: Sequence[Sequence[Prepared]],
        regions: Sequence[Sequence[Region]],
        history: Sequence[Sequence[tuple[str, str, Sequence[np.ndarray], Sequence[int]]]] | Sequence[Turns],
    ) -> BatchFeature:
        """As `__call__`, for signals already prepared; left-padded."""
        texts, points, region_signal, offset = [], [], [], 0
        for question, own, places, turns in zip(questions, prepared, regions, history, strict=True):
            body, order = self.question(question, places, own)
            past = "".join(turn_text(q) + answer_text(a) for q, a, *_ in turns)
            for _, _, *earlier in turns:
                for drawn, signal in zip(*earlier, strict=True) if earlier else ():
                    points.append(drawn)
                    region_signal.append(offset + signal)
            for index in order:
                points.append(self.points_of(places[index], own))
                region_signal.append(offset + places[index].signal)
            texts.append(self.prefix(own) + past + turn_text(body))
            offset += len(own)
        encoded = self.tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        data = {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
        data |= signal_tensors(prepared)
        if points:
            data["region_points"] = torch.from_numpy(np.stack(points))
            data["region_signal"] = torch.tensor(region_signal)
        return BatchFeature(data)

    def parse(self, text: str, prepared: Sequence[Prepared]) -> ParsedAnswer:
        """What a person reads of the model's text, and its phrases and marks (in unit coordinates)."""
        for token in (self.tokenizer.eos_token, self.tokenizer.pad_token, self.tokenizer.bos_token):
            text = text.replace(token, "") if token else text
        return parse_answer(text, [p.frame for p in prepared], self.grammar)


def signal_tensors(prepared: Sequence[Sequence[Prepared]]) -> dict[str, torch.Tensor]:
    """The signals of a batch as the network takes them: values by kind, kinds and samples in order."""
    flat = [(p, sample) for sample, own in enumerate(prepared) for p in own]
    tensors: dict[str, torch.Tensor] = {}
    for kind in KINDS:
        rows = [p.values for p, _ in flat if p.kind == kind]
        if rows:
            tensors[f"{kind}_values"] = torch.from_numpy(np.stack(rows))
    if pictures := [p.sam.values for p, _ in flat if p.sam is not None]:
        tensors["sam_values"] = torch.from_numpy(np.stack(pictures))
    if flat:
        tensors["signal_kind"] = torch.tensor([KINDS.index(p.kind) for p, _ in flat])
        tensors["signal_sample"] = torch.tensor([sample for _, sample in flat])
    return tensors


def build_processor(config: DeixisConfig, tokenizer) -> DeixisProcessor:
    """The processor that fits a network of this configuration."""
    specs, counts = {}, {}
    for kind in config.kinds:
        known = {field.name for field in fields(SIGNALS[kind].spec_type)}
        specs[kind] = {k: v for k, v in getattr(config, kind).items() if k in known}
        counts[kind] = signal_token_count(config, kind)
    sam_size_px = config.mask_config.vision_config.image_size if config.pointing["backbone"] == "sam" else 0
    return DeixisProcessor(tokenizer, specs, counts, config.sampler["points"], config.dialect, sam_size_px)


def encoder_token_count(config: DeixisConfig, kind: str) -> int:
    """How many tokens the encoder makes of a signal of this kind."""
    options = getattr(config, kind)
    return {
        "image": lambda: (options["size_px"] // options["patch_px"]) ** 2,
        "audio": lambda: round(options["window_s"] * 100) // options["stride"],
        "point_cloud": lambda: options["groups"],
    }[kind]()


def signal_token_count(config: DeixisConfig, kind: str) -> int:
    """How many tokens a signal of this kind takes in the language model: the projection's count for the encoder's."""
    tokens = encoder_token_count(config, kind)
    if config.projection["type"] == "linear":
        return tokens
    return config.projection["queries"] + tokens * config.projection["keep_tokens"]
