"""`DeixisProcessor`: files, regions and questions to the network's tensors, and answers back to the units of the file.

It owns the tokenizer, how each modality is prepared, how many tokens a signal takes, the notation, and where
regions are sampled. It does not know the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, no_type_check

from transformers import ProcessorMixin

from deixis.errors import InputError
from deixis.geometry import Notation, Region, as_regions, check_region, named_regions, parse_answer, write_prompt
from deixis.geometry.parse import ParsedAnswer
from deixis.model.chat_template import Turns, conversation_ids, conversation_text, special_words, template_text
from deixis.model.config import DeixisConfig
from deixis.model.encoder.projection import projected_count
from deixis.model.encoder.universal_encoder import TRUNKS
from deixis.model.generated import DeixisInputs, GeneratedAnswer, generated_text, read_generated
from deixis.model.masks.sam_image import prepare_for_sam
from deixis.model.messages import (
    MODALITY_OF_KEYWORD,
    check_tensors,
    per_question,
    read_keywords,
    read_messages,
    refuse_arguments,
)
from deixis.model.prepared import Prepared, prepare_tiles, prompt_tensors, signal_tensors
from deixis.model.regions.sampled_points import REGION_READERS, RegionReader, SampledPoints
from deixis.options import plain_values, read_options
from deixis.signals import MODALITIES, Signal, SignalOptions, to_tensor
from deixis.signals.modality import load


class DeixisProcessor(ProcessorMixin):
    """Prepares samples for `DeixisForConditionalGeneration`; saved beside the weights.

    specs: preparation of each modality (fields of its spec in `deixis.signals`). token_counts: placeholders that a
    signal of each modality takes. points, axes, region_reader: how many points are sampled in a region, their axes, and
    the rule by which they are sampled, a key of `REGION_READERS`. sam_size_px, sam_square: side of SAM's input (0 where
    SAM does not make the masks), and whether the image fills it. placeholders: the token of each modality in the chat
    template. tiles: the number of tiles per side that an image is cut into; 1: none.
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
        notation: dict[str, Any] | Notation | None = None,
        sam_size_px: int = 0,
        sam_square: bool = False,
        axes: int = 3,
        region_reader: str = "field",
        placeholders: dict[str, str] | None = None,
        tiles: int = 1,
        **kwargs,
    ):
        self.specs, self.token_counts = dict(specs or {}), dict(token_counts or {})
        self.points, self.axes, self.region_reader, self.tiles = points, axes, region_reader, tiles
        self.notation = read_options(Notation, notation or {}, "notation.")
        self.sam_size_px, self.sam_square = sam_size_px, sam_square
        self.placeholders = dict(placeholders or {name: f"<{name}>" for name in self.specs})
        self._special: tuple[int, tuple[str, ...]] | None = None  # size of the vocabulary, its special tokens
        super().__init__(tokenizer, **kwargs)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> "DeixisProcessor":
        """As in transformers, which would ask whether to run Python of the folder; that is never done unasked."""
        return super().from_pretrained(
            *args, **{**kwargs, "trust_remote_code": kwargs.get("trust_remote_code") is True}
        )

    def to_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Its arguments as plain JSON values."""
        return super().to_dict(*args, **kwargs) | {"notation": asdict(self.notation)}

    def spec(self, modality: str) -> Any:
        """The preparation of signals of this modality."""
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in self.specs[modality].items()}
        return MODALITIES[modality].spec(**options)

    def prepare(self, signal: Signal) -> Prepared:
        """The network's input for a signal. Raises InputError for a modality that the model does not take."""
        if signal.modality not in self.specs:
            raise InputError(f"'{signal.name}': this model takes {', '.join(self.specs)}; got {signal.modality}")
        spec, modality = self.spec(signal.modality), MODALITIES[signal.modality]
        if modality.views == "tiles" and self.tiles > 1:
            values, frame = prepare_tiles(signal, spec, self.tiles)
        else:
            values, frame = to_tensor(signal, spec)
        is_for_sam = modality.sam and self.sam_size_px > 0
        sam = prepare_for_sam(signal.values, self.sam_size_px, self.sam_square) if is_for_sam else None
        indices = modality.indices(signal, spec) if modality.indices is not None else None
        return Prepared(signal.modality, values, frame, sam, indices)

    @property
    def placeholder_ids(self) -> dict[str, int]:
        """The token id that stands for a signal of each modality."""
        return {name: self.tokenizer.convert_tokens_to_ids(word) for name, word in self.placeholders.items()}

    def question(self, markup: str, regions: Sequence[Region], prepared: Sequence[Prepared]) -> tuple[str, list[int]]:
        """The text of a question in the model's notation, and the region of each of its region tokens.

        Raises InputError for a reference without a region, a named region that does not fit its signal, and text that
        contains special tokens.
        """
        if special := next((word for word in self._special_words() if word in markup), None):
            raise InputError(f"the question must not contain {special}, which has a meaning for the model")
        frames = [p.frame for p in prepared]
        for region in (regions[index] for index in named_regions(markup) if index < len(regions)):
            if not 0 <= region.signal < len(frames):
                raise InputError(f"region on signal {region.signal}: there are {len(frames)} signal(s), counted from 0")
            check_region(region, frames[region.signal].size)
        return write_prompt(markup, regions, frames, self.notation)

    def _special_words(self) -> tuple[str, ...]:
        """As `special_words`; the vocabulary is searched anew only when it has grown."""
        size = len(self.tokenizer)
        if self._special is None or self._special[0] != size:
            self._special = size, special_words(self.tokenizer)
        return self._special[1]

    def sample_region(self, region: Region, prepared: Sequence[Prepared]) -> SampledPoints:
        """Where the region sampler reads a region; the same points for the same region."""
        own = prepared[region.signal]
        if self.region_reader not in REGION_READERS:
            raise InputError(f"region_reader: expected {', '.join(REGION_READERS)}, got '{self.region_reader}'")
        reader: RegionReader = load(REGION_READERS[self.region_reader])
        side = round(self.token_counts[own.modality] ** 0.5)
        return reader(region, own.frame, self.points, self.axes, side)

    def conversation_text(self, turns: Turns, modalities: Sequence[str]) -> tuple[str, list[tuple[int, int, int]]]:
        """(text, characters of each answer) of a conversation by the tokenizer's chat template."""
        return conversation_text(self.tokenizer, turns, modalities)

    def encode_text(self, text: str, modalities: Sequence[str]) -> tuple[list[int], list[int]]:
        """(token ids, character offsets) of a text that holds one placeholder per signal of these modalities."""
        return conversation_ids(self.tokenizer, text, self.placeholders, modalities, self.token_counts)

    @no_type_check  # transformers reads the signature in its own code
    def __call__(
        self,
        text: str | Sequence[str] = "",
        signals: Any = (),
        regions: Sequence[Any] = (),
        *,
        images: Any = None,
        videos: Any = None,
        audio: Any = None,
        sampling_rate: float | None = None,
        return_tensors: str | None = "pt",
        padding: bool | str = True,
        **unknown: Any,
    ) -> DeixisInputs:
        """Tensors for questions in markup ("What is {0}?") about signals and regions; left-padded.

        One question with its signals (a path, array, image, ..., or a list of them) and list of regions, or sequences
        of all three with one entry per question. Media come by transformers' keywords or, in any modality, as
        `signals`; `signal` of a region counts images, videos, audio, then `signals`. sampling_rate: of audio arrays.
        Raises InputError for an argument, file or region that cannot be used.
        """
        refuse_arguments(unknown, (*MODALITY_OF_KEYWORD, "signals", "regions", "sampling_rate"))
        check_tensors(return_tensors)
        if padding not in (True, "longest"):
            raise InputError(f"padding: expected True, got {padding!r}; rows are padded to the longest")
        is_one = isinstance(text, str)
        questions = [text] if is_one else list(text)
        places = [regions] if is_one else per_question("regions", regions, len(questions))
        media = {"images": images, "videos": videos, "audio": audio}
        opened = read_keywords(len(questions), is_one, signals, media, sampling_rate)
        return self._inputs([[(question, None)] for question in questions], opened, list(map(as_regions, places)))

    @no_type_check  # as above
    def apply_chat_template(  # ty: ignore[incompatible-method-override]  # what is left out is refused
        self,
        conversation: Sequence[Any],
        chat_template: str | None = None,
        *,
        regions: Sequence[Any] = (),
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        return_dict: bool = False,
        return_tensors: str | None = "pt",
        **unknown: Any,
    ) -> Any:
        """A conversation (or a list of them) by the model's chat template: its text, or the tensors for the network.

        conversation: messages whose content is a text or parts, such as {"type": "image", "image": source} and {"type":
        "text", "text": "What is {0}?"} (`messages.read_messages`). regions: those that the texts refer to, per
        conversation. tokenize: tensors, all of them with `return_dict`, otherwise the token ids alone. Raises
        InputError: a message, part or argument that is not understood.
        """
        refuse_arguments(unknown, ("regions", "add_generation_prompt", "tokenize", "return_dict"))
        check_tensors(return_tensors)
        is_one = bool(conversation) and isinstance(conversation[0], Mapping)
        conversations = [read_messages(own) for own in ([conversation] if is_one else conversation)]
        regions = [regions] if is_one else per_question("regions", regions, len(conversations))
        regions = list(map(as_regions, regions))
        turns, signals = [own.turns for own in conversations], [own.signals for own in conversations]
        options = {"add_generation_prompt": add_generation_prompt, "chat_template": chat_template}
        if not tokenize:
            prepared = [[self.prepare(signal) for signal in own] for own in signals]
            texts = [self._text(*given, **options)[0] for given in zip(turns, prepared, regions, strict=True)]
            return texts[0] if is_one else texts
        inputs = self._inputs(turns, signals, regions, **options)
        return inputs if return_dict else inputs["input_ids"]

    def _inputs(
        self,
        turns: Sequence[Turns],
        signals: Sequence[Sequence[Signal]],
        regions: Sequence[Sequence[Region]],
        **options: Any,
    ) -> DeixisInputs:
        """The tensors of conversations about opened signals and regions, each list with one entry per row."""
        prepared = [[self.prepare(signal) for signal in own] for own in signals]
        rows, points = [], []
        for own_turns, own, places in zip(turns, prepared, regions, strict=True):
            text, order = self._text(own_turns, own, places, **options)
            points.append([(self.sample_region(places[index], own), places[index].signal) for index in order])
            rows.append(self.encode_text(text, [p.modality for p in own])[0])
        data = prompt_tensors(rows, points, list(map(len, prepared)), self.tokenizer.pad_token_id)
        return DeixisInputs(data | signal_tensors(prepared), prepared)

    def _text(
        self, turns: Turns, prepared: Sequence[Prepared], regions: Sequence[Region], **options: Any
    ) -> tuple[str, list[int]]:
        """(text of a conversation by the chat template, the region of each of its region tokens)."""
        written, order = [], []
        for markup, answer in turns:
            question, named = self.question(markup, regions, prepared)
            written.append((question, answer))
            order += named
        modalities = [p.modality for p in prepared]
        return template_text(self.tokenizer, written, modalities, **options), order

    def answer_text(self, ids: Sequence[int], stop_strings: Sequence[str] = ()) -> str:
        """The model's own text of generated token ids: up to its end token, or a stop string before it."""
        ids = list(ids)
        ends = [ids.index(end) for end in (self.tokenizer.eos_token_id, self.tokenizer.pad_token_id) if end in ids]
        return generated_text(self.tokenizer, ids[: min(ends, default=len(ids))], stop_strings)

    def post_process_generation(self, network: Any, inputs: DeixisInputs, sequences: Any) -> list[GeneratedAnswer]:
        """The answers in what `network.generate(**inputs)` returned: text, and regions in the units of the files.

        sequences: the tensor, or the dictionary that `return_dict_in_generate` gives. Masks are computed here.
        """
        return read_generated(network, self, inputs, getattr(sequences, "sequences", sequences))

    def parse(self, text: str, prepared: Sequence[Prepared]) -> ParsedAnswer:
        """The clean text of a generated answer, and its phrases with their regions in unit coordinates."""
        for token in (self.tokenizer.eos_token, self.tokenizer.pad_token, self.tokenizer.bos_token):
            text = text.replace(token, "") if token else text
        return parse_answer(text, [p.frame for p in prepared], self.notation)


def build_processor(config: DeixisConfig, tokenizer, **options: Any) -> DeixisProcessor:
    """The processor that fits a network of this configuration; `options` are arguments of `DeixisProcessor`."""
    specs = {name: _spec_fields(name, options) for name, options in config.signals.items()}
    sizes: dict[str, Any] = {}
    if config.pointing.uses_sam:
        from deixis.model.masks.sam import sam_size_px

        sizes = {"sam_size_px": sam_size_px(config.mask_config), "sam_square": config.pointing.backbone == "sam2"}
    counts = {name: signal_token_count(config, name) for name in config.signals}
    tiles = max((getattr(options, "tiles", 1) for options in config.signals.values()), default=1)
    own: dict[str, Any] = {
        "points": config.sampler.points,
        "axes": config.sampler.axes,
        "notation": config.notation,
        "tiles": tiles,
    }
    return DeixisProcessor(tokenizer, specs, counts, **{**own, **sizes, **options})


def _spec_fields(name: str, options: SignalOptions) -> dict[str, Any]:
    values = plain_values(options)
    return {field.name: values[field.name] for field in fields(MODALITIES[name].spec)}


def signal_token_count(config: DeixisConfig, name: str) -> int:
    """The number of language-model tokens of a signal: the projection's count for the encoder's tokens."""
    return projected_count(config.projection, config.signals[name].token_count + lead_token_count(config, name))


def lead_token_count(config: DeixisConfig, name: str) -> int:
    """Tokens without a position that the projection reads of a signal: class tokens, and those of a thumbnail."""
    options = config.signals[name]
    lead, tiles = 0, getattr(options, "tiles", 1)
    if config.encoder.type == "trunk" and config.encoder.class_token:
        lead = TRUNKS[config.vision_config.model_type].lead * getattr(options, "frame_count", 1)
    return lead + (options.token_count // tiles**2 if tiles > 1 else 0)
