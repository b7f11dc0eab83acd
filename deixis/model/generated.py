"""From what transformers' `generate` returns to texts and regions in the units of the files.

`generate` keeps no hidden states, so sequences that contain `<seg>` are fed once more in one pass, and the states that
prompt the masks are taken from it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import BatchFeature

from deixis.geometry import ParsedRegion, Region, region_in_file
from deixis.geometry.words import object_name
from deixis.model.fusion import Encoded
from deixis.model.masks.cells import logits_to_regions
from deixis.model.prepared import Prepared

if TYPE_CHECKING:
    from deixis.model.network import DeixisForConditionalGeneration
    from deixis.model.processor import DeixisProcessor

BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
"""A token of one byte, as tokenizers that fall back to bytes have for what no other token spells."""
UNKNOWN_CHARACTER = "\ufffd".encode()
MAX_CHARACTER_BYTES = 4


class DeixisInputs(BatchFeature):
    """Tensors for the network; `prepared` holds the signals of each row, which lead back to the units of the files."""

    def __init__(self, data: dict[str, Any], prepared: Sequence[Sequence[Prepared]]):
        super().__init__(data)
        self.prepared = [list(own) for own in prepared]

    def to(self, *args: Any, **kwargs: Any) -> "DeixisInputs":
        """The same batch with every tensor on another device or, where floating, of another dtype."""
        super().to(*args, **kwargs)
        if "signals" in self.data:  # a mapping, which the base class leaves as it is
            self.data["signals"] = BatchFeature(self.data["signals"]).to(*args, **kwargs).data
        return self


@dataclass(frozen=True)
class GeneratedAnswer:
    """One generated answer: the text to read, the regions it points at (each with its phrase), the model's own text."""

    text: str
    regions: tuple[Region, ...]
    raw: str


def read_generated(
    network: "DeixisForConditionalGeneration",
    processor: "DeixisProcessor",
    inputs: DeixisInputs,
    sequences: Int[Tensor, "sequence position"],
) -> list[GeneratedAnswer]:
    """The answer of each generated sequence; several sequences per prompt (beams, samples) follow one another."""
    length, copies = inputs["input_ids"].shape[1], len(sequences) // len(inputs["input_ids"])
    encoded, states = _seg_states(network, inputs, sequences, copies)
    answers: list[GeneratedAnswer] = []
    first = 0  # of the row's signals among those of the encoded batch

    @torch.no_grad()
    def point(state: Tensor, number: int) -> Tensor:
        assert encoded is not None, "states were taken from encoded signals"
        return network.point(encoded, state[None], torch.tensor([first + number], device=state.device))[0]

    for row, ids in enumerate(sequences[:, length:].tolist()):
        prepared = inputs.prepared[row // copies]
        raw = processor.answer_text(ids, network.generation_config.stop_strings or ())
        parsed = processor.parse(raw, prepared)
        regions: list[Region] = []
        for phrase in parsed.phrases:
            for own in phrase.regions:
                regions += with_phrase(regions_in_file(own, prepared, states[row], point), phrase.text)
        answers.append(GeneratedAnswer(parsed.text, tuple(regions), raw))
        first += len(prepared)
    return answers


@torch.no_grad()
def _seg_states(
    network: "DeixisForConditionalGeneration", inputs: DeixisInputs, sequences: Tensor, copies: int
) -> tuple[Encoded | None, list[Float[Tensor, "seg hidden"]]]:
    """The encoded signals, repeated for `copies` sequences per prompt, and the states of each generated `<seg>`."""
    is_seg = sequences == network.config.seg_token_id
    is_new = torch.arange(sequences.shape[1], device=sequences.device) >= inputs["input_ids"].shape[1]
    if not network.config.makes_masks or not (is_seg & is_new).any():
        return None, [torch.zeros(0, 0)] * len(sequences)
    given = {name: value for name, value in inputs.items() if name != "input_ids"}
    _, given = network._expand_inputs_for_generation(copies, input_ids=inputs["input_ids"], **given)
    mask = given.pop("attention_mask")
    mask = torch.cat([mask, mask.new_ones(len(mask), sequences.shape[1] - mask.shape[1])], 1)
    encoded = network.encode_inputs(given)
    output = network(
        input_ids=sequences,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),  # rows are padded on the left
        encoded=encoded,
        logits_to_keep=1,
        use_cache=False,
        **given,
    )
    row, position = is_seg.nonzero(as_tuple=True)  # in the order of `seg_states`; those of the prompt are skipped
    states = [output.seg_states[(row == index) & is_new[position]] for index in range(len(sequences))]
    return encoded, states


def generated_text(tokenizer: Any, ids: Sequence[int], stop_strings: Sequence[str] = ()) -> str:
    """The text of generated token ids, special tokens too, up to the first of the stop strings in it.

    Of bytes that are no UTF-8 each is one U+FFFD and the characters beside them stay, as in sentencepiece, which the
    published systems decode with; a fast tokenizer alone gives up the whole run of bytes.
    """
    text = tokenizer.decode(_with_sound_bytes(tokenizer, ids), skip_special_tokens=False)
    return text[: min((at for stop in stop_strings if (at := text.find(stop)) >= 0), default=len(text))]


def _with_sound_bytes(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """The ids with the bytes of U+FFFD in the place of every byte that is no part of a character."""
    ids = [int(token_id) for token_id in ids]
    found = map(BYTE_TOKEN.fullmatch, (token or "" for token in tokenizer.convert_ids_to_tokens(ids)))
    hexadecimal = [match[1] if match else "" for match in found]
    if not any(hexadecimal):
        return ids
    unknown = tokenizer.convert_tokens_to_ids([f"<0x{byte:02X}>" for byte in UNKNOWN_CHARACTER])
    sound: list[int] = []
    place = 0
    while place < len(ids):
        run = bytes.fromhex("".join(takewhile(bool, hexadecimal[place : place + MAX_CHARACTER_BYTES])))
        size = next((size for size in range(1, len(run) + 1) if _is_character(run[:size])), 0)
        sound += unknown if run and not size else ids[place : place + max(size, 1)]
        place += max(size, 1)
    return sound


def _is_character(raw: bytes) -> bool:
    try:
        return len(raw.decode()) == 1
    except UnicodeDecodeError:
        return False


def lacks_state(parsed: ParsedRegion, states: Sequence[Tensor] | Tensor) -> bool:
    """Whether this is a `<seg>` whose hidden state is not among `states`, one per `<seg>` in order."""
    return parsed.form == "seg" and (parsed.seg_index is None or parsed.seg_index >= len(states))


def regions_in_file(
    parsed: ParsedRegion,
    prepared: Sequence[Prepared],
    states: Sequence[Tensor] | Tensor,
    point: Callable[[Tensor, int], Tensor],
) -> list[Region]:
    """The regions of one parsed region in file units; several for frames of a video or spans of audio.

    point: from the hidden state of a `<seg>` and the number of a signal in the question to mask logits (cell,). None
    for coordinates that lie on padding only, and for a `<seg>` without its state.
    """
    if parsed.form != "seg":
        region = region_in_file(parsed, [own.frame for own in prepared])
        return [] if region is None else [region]
    if parsed.seg_index is None or lacks_state(parsed, states):
        return []
    logits = point(states[parsed.seg_index], parsed.signal)
    return logits_to_regions(logits.float().cpu(), prepared[parsed.signal], parsed.signal)


def with_phrase(regions: Sequence[Region], phrase: str) -> list[Region]:
    """The regions with the phrase that they stand behind, and the name of its object as their label."""
    return [replace(region, phrase=phrase, label=object_name(phrase)) for region in regions]
