"""What a model can do, and who can do what it cannot: refusals in one sentence, before anything is computed."""

from deixis.errors import InputError, UnsupportedError
from deixis.inference.question import Question
from deixis.model import DeixisConfig

WANTS = {
    "text": "every model does",
    "box": "Ferret's models (ferret-7b, ferret-13b) and Deixis's own do",
    "mask": "LISA's models (lisa-7b, lisa-13b) and Deixis's own do",
}
WHO_TAKES_SIGNALS = "OneLLM's (onellm-7b) takes all eight kinds"
WHO_TAKES_REGIONS = "Ferret's models (ferret-7b, ferret-13b) take regions of pictures, Deixis's own of any signal"


def check_abilities(question: Question, config: DeixisConfig) -> None:
    """Raises ValueError for a signal, a region or a wanted form of answer that the model lacks; it says who has it."""
    able: dict[str, list[str]] = config.abilities
    for signal in question.signals:
        if signal.modality not in able["signals"]:
            raise UnsupportedError(
                f"'{signal.name}': this model takes {', '.join(able['signals'])}; got a signal of modality "
                f"{signal.modality}; {WHO_TAKES_SIGNALS}"
            )
    if question.want is not None and question.want not in WANTS:
        raise InputError(f"want: expected one of {', '.join(WANTS)}; got {question.want!r}")
    if question.want is not None and question.want not in able["answers"]:
        raise UnsupportedError(
            f"want: this model answers in {' and '.join(able['answers'])}, with no {question.want}; "
            f"{WANTS[question.want]}"
        )
    for number, region in enumerate(question.regions):
        if not able["regions"]:
            raise UnsupportedError(f"region {{{number}}}: this model cannot be pointed at; {WHO_TAKES_REGIONS}")
        kind = question.signals[region.signal].modality if region.signal < len(question.signals) else None
        if kind is not None and kind not in able["regions"]:
            raise UnsupportedError(
                f"region {{{number}}}: this model takes regions of {', '.join(able['regions'])}, not of {kind}; "
                f"{WHO_TAKES_REGIONS}"
            )
