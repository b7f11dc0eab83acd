"""Alignment of signals with language before instruction tuning: by captions, by contrast, or by both.

    caption:   signal tokens, then its caption and the end token; no question and no system prompt (OneLLM, section 3.2)
    contrast:  the mean token of a signal is nearer to the words of its own caption than to those of others in the batch

The contrast is CLIP's symmetric loss (Radford et al., ICML 2021, figure 3), between projected tokens and the language
model's embeddings of the caption. Both leave a model that is asked in its system's words once it is tuned on them.
"""

import copy
import json
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from deixis.conversation.system import IGNORED, System, answer_labels
from deixis.errors import DataError
from deixis.model.fusion import Encoded
from deixis.model.processor import DeixisProcessor
from deixis.samples.sample import Sample

Alignment = Literal["caption", "contrast", "both"]
TEMPERATURE = 0.07
"""By which similarities are divided; where CLIP's begins."""


def caption_processor(processor: DeixisProcessor) -> DeixisProcessor:
    """The processor with a chat template of signals and captions alone."""
    own = copy.copy(processor)
    own.tokenizer = copy.deepcopy(processor.tokenizer)
    begin, end = (json.dumps(token or "") for token in (own.tokenizer.bos_token, own.tokenizer.eos_token))
    own.tokenizer.chat_template = (
        f"{{{{ {begin} }}}}{{% for message in messages %}}{{% if message['role'] == 'user' %}}"
        "{% for piece in message['content'] if piece['type'] != 'text' %}<{{ piece['type'] }}>{% endfor %}"
        f"{{% else %}}{{{{ message['content'] }}}}{{{{ {end} }}}}{{% endif %}}{{% endfor %}}"
    )
    return own


def caption_system(system: System) -> System:
    """The system with every token of a caption learnt, and its end token."""
    return replace(system, label_rule=answer_labels)


def caption_sample(sample: Sample) -> Sample:
    """The sample's first answer as a caption of its signals. Raises DataError for a sample without signals."""
    if not sample.signals:
        raise DataError("signals: expected a signal to align with its caption, got none")
    return replace(sample, turns=(replace(sample.turns[0], user=""),))


def contrast_loss(encoded: Encoded, labels: Int[Tensor, "batch position"], words: nn.Module) -> Float[Tensor, ""]:
    """The symmetric cross entropy of which caption belongs to which row's signals; 0 for a single row.

    labels: the captions' ids, `IGNORED` elsewhere. words: the language model's embeddings.
    """
    said = labels != IGNORED
    embedded = words(labels.masked_fill(~said, 0)) * said[..., None]
    texts = embedded.sum(1) / said.sum(1, keepdim=True).clamp(min=1)
    signals = torch.zeros_like(texts)
    for name, tokens in encoded.tokens.items():
        signals = signals.index_add(0, encoded.batch.sample[encoded.batch.of(name)], tokens.mean(1).to(texts.dtype))
    similar = F.normalize(signals.float(), dim=1) @ F.normalize(texts.float(), dim=1).T / TEMPERATURE
    own = torch.arange(len(similar), device=similar.device)
    return (F.cross_entropy(similar, own) + F.cross_entropy(similar.T, own)) / 2
