"""Held-out samples that are asked and drawn while a stage is trained: what a user would get of its weights by then."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import TrainerCallback

from deixis.errors import DeixisError
from deixis.inference.model import Model
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor
from deixis.samples.conversations import with_turns
from deixis.samples.mixtures.mixture import Mixture
from deixis.samples.sample import Sample, Turn
from deixis.training.processes import is_first
from deixis.training.sharding import is_sharded

logger = logging.getLogger(__name__)
FOLDER = "drawings"
MAX_NEW_TOKENS = 128


class Drawings(TrainerCallback):
    """Asks the first question of each sample at every checkpoint, and draws `folder`/step-STEP/NUMBER.png.

    It is asked by the first process alone, which must hold all weights: sharded ones are not drawn. A sample that
    cannot be asked or drawn is told of and left out.
    """

    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        processor: DeixisProcessor,
        samples: Sequence[Sample],
        folder: Path,
    ):
        self.model = Model(network, processor, folder.parent.name, cache_bytes=0)
        self.samples, self.folder = [first_question(sample) for sample in samples], folder

    def on_save(self, args, state, control, **kwargs):
        if not is_first() or is_sharded():
            return
        network, folder = self.model.network, self.folder / f"step-{state.global_step}"
        was_training = network.training
        network.eval()
        with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
            for number, sample in enumerate(self.samples):
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    self.model.answer([sample], MAX_NEW_TOKENS)[0].draw(folder / f"{number}.png")
                except DeixisError as error:
                    logger.warning("%s is not drawn: %s", sample.id, error)
        network.train(was_training)


def first_question(sample: Sample) -> Sample:
    """The sample without its answers."""
    return with_turns(sample, (Turn(sample.turns[0].user),))


def drawn_samples(mixture: Mixture, count: int) -> list[Sample]:
    """The first samples of a mixture that are about signals, at most `count`."""
    draws = range(mixture.length or 0)
    found = (sample for _, sample in map(mixture.__getitem__, draws) if isinstance(sample, Sample) and sample.signals)
    return [sample for _, sample in zip(range(count), found, strict=False)]
