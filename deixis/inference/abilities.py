"""Checks that a model supports a question, before anything is computed; errors name the models that do."""

from collections.abc import Mapping, Sequence

from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Region
from deixis.geometry.markup import named_regions
from deixis.samples.sample import MediaReference, Sample
from deixis.signals import MODALITIES

Abilities = Mapping[str, Sequence[str]]
"""What a model can do: modalities "signals" in, "regions" of which of them, forms of "answers" out."""

WANTS = {
    "text": "every model does",
    "box": "Ferret's models (ferret-7b, ferret-13b) and Deixis's own do",
    "mask": "LISA's models (lisa-7b, lisa-13b) and Deixis's own do",
}
"""Forms that an answer may be required to hold, and which models' answers can."""
WHO_TAKES_REGIONS = "Ferret's models (ferret-7b, ferret-13b) take regions of images, Deixis's own of any signal"


def check_abilities(sample: Sample, able: Abilities) -> None:
    """Raises UnsupportedError for a signal, region in a question or form of answer that the model does not support."""
    for reference in sample.signals:
        check_signal(reference.modality, reference.name, able)
    check_want(sample.turns[-1].want, able)
    # regions of given answers are not encoded: a model that takes none can still be trained and scored on them
    asked = {index for turn in sample.turns for index in named_regions(turn.user) if index < len(sample.regions)}
    check_regions({index: sample.regions[index] for index in sorted(asked)}, sample.signals, able)


def check_signal(modality: str, name: str, able: Abilities) -> None:
    """Raises UnsupportedError for a signal, called `name`, of a modality that the model does not take."""
    if modality in able["signals"]:
        return
    formats = set(MODALITIES[modality].magics) if modality in MODALITIES else set()
    # such as a grey PNG of 16 bits, which is taken for depth
    other = next((own for own in able["signals"] if own in MODALITIES and formats & set(MODALITIES[own].magics)), None)
    advice = f"if it is {MODALITIES[other].noun}, say so as in {other}:{name}; " if other else ""
    raise UnsupportedError(
        f"'{name}': this model takes {', '.join(able['signals'])}; got {modality}; {advice}OneLLM's (onellm-7b) takes "
        "all eight modalities"
    )


def check_want(want: str | None, able: Abilities) -> None:
    """Raises InputError for an unknown form of answer, UnsupportedError for one that the model does not give."""
    if want is not None and (not isinstance(want, str) or want not in WANTS):
        raise InputError(f"want: expected one of {', '.join(WANTS)}; got {want!r}")
    if want not in (None, "text", *able["answers"]):
        answers = " and ".join(able["answers"])
        raise UnsupportedError(f"want: this model answers in {answers}, with no {want}; {WANTS[str(want)]}")


def check_regions(regions: Mapping[int, Region], signals: Sequence[MediaReference], able: Abilities) -> None:
    """Raises UnsupportedError for a region, by its index, in a signal whose modality a model takes no regions of."""
    taken = able["regions"]
    for number, region in regions.items():
        if not taken:
            raise UnsupportedError(f"region {{{number}}}: this model takes no regions; {WHO_TAKES_REGIONS}")
        modality = signals[region.signal].modality if region.signal < len(signals) else None
        if modality is not None and modality not in taken:
            raise UnsupportedError(
                f"region {{{number}}}: this model takes regions of {', '.join(taken)}, not of {modality}; "
                f"{WHO_TAKES_REGIONS}"
            )
