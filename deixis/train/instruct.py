"""Instruction tuning: questions of every kind about every signal, all parts trained together.

The pretraining heads may stay on beside (`dense_weight`), so that the field goes on learning what it shows.
"""

import numpy as np
import torch
from torch import Tensor, nn

from deixis.model.fusion import SignalBatch
from deixis.model.masks import Prepared
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor
from deixis.signals import open_signal
from deixis.train.dense import DenseHeads
from deixis.train.packing import collate, pack
from deixis.train.streams import supersampling
from deixis.world.facts import SoundFacts
from deixis.world.generate import KINDS, Facts, draw_questions, world_facts
from deixis.world.scene import scene_rng
from deixis.world.truth import cloud_truth, sound_truth, view_truth

LOWERCASE = 0.15  # of the questions, for people do not always begin with a capital


class Instructor(nn.Module):
    """The network with its losses, and with the dense losses of the same fields beside them if heads are given."""

    def __init__(self, model: DeixisForConditionalGeneration, heads: nn.ModuleDict | None, dense_weight: float):
        super().__init__()
        self.model, self.heads, self.dense_weight = model, heads, dense_weight

    def forward(self, dense: dict[str, dict[str, Tensor]] | None = None, **batch: Tensor) -> dict[str, Tensor]:
        values = {kind: batch.pop(f"{kind}_values", None) for kind in KINDS}
        encoded = self.model.encode(values, SignalBatch(batch.pop("signal_kind"), batch.pop("signal_sample")))
        output = self.model(**batch, encoded=encoded)
        loss, losses = output.loss, dict(output.losses)
        for kind, truth in (dense or {}).items() if self.heads is not None else ():
            head: DenseHeads = self.heads[kind]
            result = head(encoded.fields[kind], truth["classes"], truth["box"])
            loss = loss + self.dense_weight * result["loss"]
            losses |= {f"{kind}/{name}": value.detach() for name, value in result.items()}
        return {"loss": loss, "losses": losses}


class InstructBatches:
    """`make` for instruction tuning: `counts` media of each kind a batch, `questions` about each."""

    def __init__(
        self, processor: DeixisProcessor, cells: dict[str, int], counts: dict[str, int], questions: int, max_tokens: int, seed: int
    ):
        self.processor, self.cells, self.counts = processor, cells, counts
        self.questions, self.max_tokens, self.seed = questions, max_tokens, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        rows, truths = [], {}
        for kind, count in self.counts.items():
            for i in range(count):
                seed = self.seed + step * count + i
                facts = world_facts("train", seed, kind, supersampling(seed))
                prepared = self.processor.prepare(open_signal(_source(facts), kind))
                rng = scene_rng("train", seed, 10 + KINDS.index(kind))
                samples = [_lowered(s, rng) for s in draw_questions(facts, rng, self.questions)]
                rows.append(pack(samples, [prepared], self.processor, self.cells, self.max_tokens))
                truths.setdefault(kind, []).append(_truth(facts, prepared, self.cells[kind]))
        dense = {
            kind: {n: torch.from_numpy(np.stack([getattr(t, n) for t in own])) for n in ("classes", "box")}
            for kind, own in truths.items()
        }
        return collate(rows, self.processor.tokenizer.pad_token_id) | {"dense": dense}


def _source(facts: Facts):
    return (facts.medium.values, facts.medium.rate_hz) if isinstance(facts, SoundFacts) else facts.medium.values


def _truth(facts: Facts, prepared: Prepared, cells: int):
    if isinstance(facts, SoundFacts):
        return sound_truth(facts.sound, prepared.frame.extent[0], cells)
    if facts.is_picture:
        return view_truth(facts.scene, facts.object_id, facts.part_id, round(cells**0.5))
    chosen = prepared.chosen
    return cloud_truth(facts.scene, facts.object_id[chosen], facts.part_id[chosen], prepared.values[:, :3])


def _lowered(sample, rng: np.random.Generator):
    """The sample, sometimes with its questions in lower case and without the question mark."""
    from dataclasses import replace

    if rng.random() >= LOWERCASE:
        return sample
    return replace(sample, turns=tuple(replace(t, user=t.user.lower().rstrip("?.")) for t in sample.turns))
