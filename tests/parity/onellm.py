"""OneLLM: encoder, router, signal tokens, logits and greedy answers for each of the eight signals."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from deixis.model import DeixisForConditionalGeneration
from deixis.model.fusion import Encoded
from deixis.signals import MODALITIES
from deixis.systems.onellm.preset import MODALITY_NAMES
from tests.parity.golden import Check, Golden
from tests.parity.networks import converted, encoded

SOURCES = ("config.json", "checkpoint.safetensors")
GIVEN = {"inputs/*": "signals", "outputs/tokens": "text"}
LEFT: dict[str, str] = {}
TOLERANCE, HALF_TOLERANCE = 1e-4, 2e-3  # float32, and tensors stored as float16
TAGS = 2


@torch.no_grad()
def checks(golden: Golden, place: Path) -> Iterator[Check | str]:
    network = converted("onellm", golden.folder, place / "onellm")
    yield f"encoder.attention: {recorded_attention(network, golden)} (of the open_clip that the results were made with)"
    tokens = golden["outputs/tokens"]
    if golden.has("outputs/text.logits"):
        yield Check("outputs/text.logits", network(input_ids=tokens).logits, TOLERANCE)
    for theirs, ours in MODALITY_NAMES.items():
        if golden.has(f"inputs/{theirs}"):
            values = prepared(theirs, golden[f"inputs/{theirs}"].float())
            answer = f"outputs/{theirs}.greedy"
            count = golden[answer].shape[1] if golden.has(answer) else 0
            for name, computed in of_signal(network, ours, values, tokens, count):
                if golden.has(f"outputs/{theirs}.{name}"):
                    stored = golden[f"outputs/{theirs}.{name}"]
                    half = stored.dtype == torch.float16
                    exact = not stored.dtype.is_floating_point
                    tolerance = 0.0 if exact else HALF_TOLERANCE if half else TOLERANCE
                    yield Check(f"outputs/{theirs}.{name}", computed, tolerance)


def recorded_attention(network: DeixisForConditionalGeneration, golden: Golden) -> str:
    """The axis over which the encoder attends, after setting it: "tokens", or "batch" where the recording was made so.

    The published code passes its tokens with the batch second, as open_clip required in 2023; a later open_clip
    takes the batch first and so attends over it. A recording does not name its version: the output of its first
    encoder decides.
    """
    theirs = next((theirs for theirs in MODALITY_NAMES if golden.has(f"outputs/{theirs}.encoder")), None)
    if theirs is None:
        return network.field_encoder.encoder.attention
    values, stored = prepared(theirs, golden[f"inputs/{theirs}"].float()), golden[f"outputs/{theirs}.encoder"].float()
    errors = {}
    for attention in ("tokens", "batch"):
        network.field_encoder.encoder.attention = attention
        errors[attention] = (encoder_tokens(network, MODALITY_NAMES[theirs], values) - stored).abs().max().item()
    network.field_encoder.encoder.attention = min(errors, key=errors.__getitem__)
    return network.field_encoder.encoder.attention


def encoder_tokens(network: DeixisForConditionalGeneration, modality: str, values: Tensor) -> Tensor:
    """(row, token, width) of the encoder, class token first; a row for each frame, before they are averaged."""
    frames = values.flatten(0, 1) if MODALITIES[modality].patches and values.ndim == 5 else values
    return network.field_encoder(frames, modality).all_tokens


def prepared(theirs: str, values: Tensor) -> Tensor:
    """A batch as our network takes it: audio and fMRI without the single channel, audio with time first."""
    if theirs == "audio":
        return values.squeeze(1).transpose(1, 2)
    return values.squeeze(1) if theirs == "fmri" else values


def of_signal(
    network: DeixisForConditionalGeneration, modality: str, values: Tensor, tokens: Tensor, answers: int
) -> Iterator[tuple[str, Tensor]]:
    """(name, value) of the entries recorded for one modality, a batch of it; answers: the number of their tokens."""
    yield "encoder", encoder_tokens(network, modality, values)
    projection = network.projection
    queries = projection.query[modality].expand(len(values), -1, -1)
    yield "router_logits", projection.router[modality](queries)
    found = encoded(network, modality, values)
    signal = found.tokens[modality]
    yield "tokens", signal[:, 1:-1]  # without the tags
    held = torch.full((len(tokens), signal.shape[1]), network.config.signal_token_ids[modality])
    ids = torch.cat([tokens[:, :1], held, tokens[:, 1:]], 1)
    yield "logits", network(input_ids=ids, encoded=found, logits_to_keep=tokens.shape[1]).logits
    if answers:
        yield "greedy", official_answer(network, ids, answers, found)


def official_answer(network: DeixisForConditionalGeneration, ids: Tensor, count: int, found: Encoded) -> Tensor:
    """`count` greedy tokens as the published inference makes them, which overwrites the end of the prompt.

    Its cache counts the signal's tokens but not their two tags (csuhan/OneLLM@8587a47, model/LLM/onellm.py:464 and
    :474): the first token of the answer is right, and is then written over the last two of the prompt. Training, and
    `generate` of ours, have no such gap.
    """
    output = network(input_ids=ids, encoded=found, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    cache.crop(-TAGS)
    answer = [output.logits[:, -1].argmax(-1)]
    for _ in range(count - 1):
        output = network(input_ids=answer[-1][:, None], past_key_values=cache, use_cache=True)
        answer.append(output.logits[:, -1].argmax(-1))
    return torch.stack(answer, 1)
