"""Instruction tuning: questions of every type about every modality, all parts trained together.

The pretraining heads may be kept (`dense_weight`), so that the field is still trained on its dense targets.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from deixis.conversation import Row, System, mask_targets, render
from deixis.errors import ConfigError
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor
from deixis.samples.sample import Sample
from deixis.training.alignment import Alignment, caption_sample, contrast_loss
from deixis.training.dense import signal_of, stacked, targets_of, training_facts
from deixis.training.guidance import SAMPLE_IDS, AttentionGuide, GuidedRow, GuideSizes, collate_guided
from deixis.world.dense_targets import DenseTargets
from deixis.world.facts import Facts
from deixis.world.generate import question_rng, sample_questions_about
from deixis.world.questions.wording import wordings

PAIR = "pair"  # rows of two files, of which each question is about one; their words do not overlap
PAIRS = (("image", "audio"), ("audio", "image"), ("point_cloud", "audio"), ("audio", "point_cloud"))
OTHER_SCENES = 5_000_000  # from a scene that a stage's tasks cannot ask about to those that replace it
ATTEMPTS = 50
LOWERCASE = 0.15  # of the questions, for people do not always begin with a capital


class Instructor(nn.Module):
    """The network with its system's losses, dense losses of its fields (with heads) and guided attention."""

    def __init__(
        self,
        model: DeixisForConditionalGeneration,
        system: System,
        heads: nn.ModuleDict | None = None,
        dense_weight: float = 0.0,
        guide_weight: float = 0.0,
        checkpointing: bool = False,
        alignment: Alignment | None = None,
        contrast_weight: float = 1.0,
    ):
        super().__init__()
        self.alignment, self.contrast_weight = alignment, contrast_weight
        self.model, self.system, self.heads, self.dense_weight = model, system, heads, dense_weight
        # sharded by themselves, as accelerate asks: they are in every batch, other layers where their modality is
        self._no_split_modules = [type(layer).__name__ for layer in model.language_model.get_decoder().layers[:1]]
        self.guide_weight = guide_weight
        self.guide = AttentionGuide(model.language_model.get_decoder()) if guide_weight > 0 else None
        self.checkpointing = checkpointing
        if checkpointing:
            # the second is its name in earlier releases of transformers
            enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
            enable({"use_reentrant": False})
        self.tied = {
            f"model.{copy}": f"model.{original}" for copy, original in (model._tied_weights_keys or {}).items()
        }
        self.register_state_dict_post_hook(_drop_known)
        self.register_load_state_dict_pre_hook(_restore_known)

    def close(self) -> None:
        """Leaves the network as it is without this stage."""
        if self.guide is not None:
            self.guide.close()
        if self.checkpointing:
            disable = getattr(self.model, "activation_checkpointing_disable", self.model.gradient_checkpointing_disable)
            disable()

    def forward(
        self,
        dense: dict[str, dict[str, Tensor]] | None = None,
        guide: dict[str, Tensor] | None = None,
        **batch: Any,
    ) -> dict[str, Any]:
        batch.pop(SAMPLE_IDS, None)
        targets = {name: batch.pop(name) for name in ("seg_pixels", "seg_image") if name in batch}
        encoded = self.model.encode_inputs(batch)
        contrast = None
        if self.alignment in ("contrast", "both"):
            assert encoded is not None, "samples of an alignment have signals"
            contrast = contrast_loss(encoded, batch["labels"], self.model.get_input_embeddings())
        if contrast is not None and self.alignment == "contrast":  # no word is generated
            return {"loss": self.contrast_weight * contrast, "losses": {"contrast": contrast.detach()}}
        output = self.model(**batch, encoded=encoded)
        loss, losses = output.loss, dict(output.losses)
        if contrast is not None:
            loss = loss + self.contrast_weight * contrast
            losses["contrast"] = contrast.detach()
        if targets and self.system.mask_losses is not None:
            weights = self.model.config.loss_weights
            for name, value in self.system.mask_losses(output.mask_logits, targets).items():
                loss = loss + getattr(weights, name) * value
                losses[name] = value.detach()
        if self.heads is not None and dense:
            assert encoded is not None, "dense targets come with their signals"
            for modality, truth in dense.items():
                result = self.heads[modality](encoded.fields[modality], **truth)
                loss = loss + self.dense_weight * result["loss"]
                losses |= {f"{modality}/{name}": value.detach() for name, value in result.items()}
        if self.training and self.guide is not None and guide is not None:
            guided = self.guide.loss(guide, batch["attention_mask"])
            loss = loss + self.guide_weight * guided
            losses["guide"] = guided.detach()
        if self.guide is not None:
            self.guide.seen.clear()  # of a batch without guided tokens too: the next one must not meet its graph
        return {"loss": loss, "losses": losses}


def _drop_known(module: Instructor, state: dict[str, Tensor], prefix: str, metadata: object) -> None:
    """A checkpoint holds what is trained, for the rest is where the stage began, and a tied weight once: safetensors
    refuses two names of one tensor."""
    for name in (*module.tied, *_frozen(module)):
        state.pop(prefix + name, None)


def _restore_known(module: Instructor, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
    for name, weight in _frozen(module).items():
        state.setdefault(prefix + name, weight)
    for copy, original in module.tied.items():
        if prefix + original in state:
            state[prefix + copy] = state[prefix + original]


def _frozen(module: nn.Module) -> dict[str, Tensor]:
    """By every name that they have."""
    named = module.named_parameters(remove_duplicate=False)
    return {name: weight.detach() for name, weight in named if not weight.requires_grad}


class InstructBatches:
    """`make` for instruction tuning: `counts` rows of each modality (or "pair") per batch, `questions` in each row.

    `dense_cells` and `mask_cells` are the numbers of cells per modality of dense targets and of masks; `task_weights`
    those that differ from the world's own (`world.generate.task_weights`). captions: as `alignment.caption_sample`;
    rewording: as `world.questions.wording.wordings`.
    """

    def __init__(
        self,
        processor: DeixisProcessor,
        system: System,
        dense_cells: dict[str, int],
        mask_cells: dict[str, int],
        counts: dict[str, int],
        questions: int,
        max_tokens: int,
        seed: int,
        guide_sizes: GuideSizes | None = None,
        task_weights: Mapping[str, float] | None = None,
        captions: bool = False,
        rewording: bool = True,
    ):
        self.captions, self.rewording = captions, rewording
        self.processor, self.system, self.counts = processor, system, counts
        self.dense_cells, self.mask_cells = dense_cells, mask_cells
        self.questions, self.max_tokens, self.seed = questions, max_tokens, seed
        self.guide_sizes, self.task_weights = guide_sizes, task_weights

    def __call__(self, step: int) -> dict[str, Any]:
        rows, truths = self.rows(step)
        dense = {modality: stacked(own) for modality, own in truths.items()}
        pad_id = self.processor.tokenizer.pad_token_id
        return collate_guided(rows, pad_id, self.system) | {"dense": dense}

    def rows(self, step: int) -> tuple[list[GuidedRow], dict[str, list[DenseTargets]]]:
        """The rows of a step, and the dense targets of their signals by modality."""
        rows: list[GuidedRow] = []
        truths: dict[str, list[DenseTargets]] = {}
        for name, count in self.counts.items():
            for i in range(count):
                seed = self.seed + step * count + i
                subjects = PAIRS[seed % len(PAIRS)] if name == PAIR else (name,)
                rows.append(self._row(subjects, seed, truths))
        return rows, truths

    def _row(self, subjects: tuple[str, ...], seed: int, truths: dict[str, list[DenseTargets]]) -> GuidedRow:
        """Questions about the signals of one seed, in the order given; adds their dense targets to `truths`."""
        prepared, samples = [], []
        for name in subjects:
            facts, drawn, rng = self._asked(name, seed, self.questions // len(subjects))
            drawn = [caption_sample(sample) if self.captions else sample for sample in drawn]
            samples += [_behind(_jittered(_lowered(sample, rng), rng), len(prepared)) for sample in drawn]
            for part in facts.parts:
                prepared.append(self.processor.prepare(signal_of(part.medium)))
                if (cells := self.dense_cells.get(part.subject)) is not None:  # none in networks without masks
                    truths.setdefault(part.subject, []).append(targets_of(part, prepared[-1], cells))
        row = GuidedRow(Row(prepared))
        for sample in samples:
            rendered = render(sample, prepared, self.processor, self.system.label_rule)
            row.row.open(rendered)  # a row in which nothing fits still has its signals
            if row.row.length_with(rendered) <= self.max_tokens:
                targets = mask_targets(rendered, sample.regions, prepared, self.mask_cells, self.system)
                row.add(sample, rendered, targets, self.processor, self.guide_sizes)
        return row

    def _asked(self, name: str, seed: int, questions: int) -> tuple[Facts, list[Sample], np.random.Generator]:
        """The signal of a seed with questions about it; of another seed where the stage's tasks have none about it.

        Raises ConfigError where no signal has one.
        """
        for other in (seed, *range(seed + OTHER_SCENES, seed + OTHER_SCENES + ATTEMPTS)):
            facts, rng = training_facts(name, other), question_rng("train", other, name)
            with wordings(self.rewording):
                drawn = sample_questions_about(facts, rng, questions, self.task_weights)
            if drawn or not questions:
                return facts, drawn, rng
        raise ConfigError(f"tasks: expected questions about {name}, got none in {ATTEMPTS} scenes")


def _behind(sample: Sample, signals: int) -> Sample:
    """The sample with its signals behind so many others."""
    return replace(sample, regions=tuple(replace(own, signal=own.signal + signals) for own in sample.regions))


def _jittered(sample: Sample, rng: np.random.Generator) -> Sample:
    """The sample with its boxes moved by up to half a pixel: rendered boxes end at whole pixels only, so most numbers
    of the grid would never be read."""
    boxes = [None if r.box is None else tuple(np.array(r.box) + rng.uniform(-0.5, 0.5, 4)) for r in sample.regions]
    return replace(sample, regions=tuple(replace(r, box=b) for r, b in zip(sample.regions, boxes, strict=True)))


def _lowered(sample: Sample, rng: np.random.Generator) -> Sample:
    """The sample, sometimes with its questions in lower case and without the question mark."""
    if rng.random() >= LOWERCASE:
        return sample
    return replace(sample, turns=tuple(replace(t, user=t.user.lower().rstrip("?.")) for t in sample.turns))
