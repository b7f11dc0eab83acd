"""`deixis demo`: questions about every modality of a model, as drawings and one page."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.arguments import Device, ModelName, check_model
from deixis.cli.terminal import console, say
from deixis.errors import UnsupportedError

if TYPE_CHECKING:
    from deixis.samples.sample import MediaReference, Sample

PAGE = "index.html"
IMAGE_PX = 512


def run(
    out: Annotated[Path, typer.Argument(help="Folder for the page and the drawings.")] = Path("out"),
    model: ModelName = "bundled",
    device: Device = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Ask a model about scenes of the generated world in every modality that it takes.

    Writes a drawing of each answer and one page with all of them, beside the right answers.
    """
    check_model(model, device)
    from deixis.cli.answers import answer_lines, open_model
    from deixis.conversation import question_sample
    from deixis.evaluation.benchmarks.own_samples import examples_of
    from deixis.visualize.answers_page import ShownAnswer, ShownGroup, write_answers_page

    out.mkdir(parents=True, exist_ok=True)  # refused before the model is loaded
    asked = open_model(model, device)
    groups, screen = [], console()
    for subject in _subjects(asked.abilities["signals"]):
        title = subject.replace("_", " ").replace("+", " and ")
        screen.print(title, style="bold")
        shown = []
        try:
            samples = list(_samples(subject, out))
        except UnsupportedError as error:  # files of this kind need a package that is not installed
            screen.print(f"  {error}", markup=False, highlight=False)
            continue
        for heading, sample in samples:
            screen.print(f"  {heading}: {sample.turns[0].user}", style="dim", markup=False, highlight=False)
            try:
                asks = next(examples_of(sample))
                answer = asked.answer([question_sample(asks.text, asks.media, asks.regions)])[0]
            except UnsupportedError as error:  # a model without regions, or without masks
                screen.print(f"    {error}", markup=False, highlight=False)
                continue
            for line in answer_lines(answer):
                screen.print(f"    {line}", markup=False, highlight=False)
            drawing = out / f"{sample.task}.png"
            answer.draw(drawing)
            shown.append(ShownAnswer(heading, drawing, f"{answer.question} {answer.text}", _expected(sample)))
        groups.append(ShownGroup(title, shown))
    about = (
        f"{asked.name}. The scenes are generated, and none was trained on; the right answer stands under each drawing."
    )
    write_answers_page(out / PAGE, "Deixis: ask about anything you can point at", about, groups)
    say(f"{sum(len(group.answers) for group in groups)} answers in {out / PAGE}")
    if open_page:
        typer.launch(str((out / PAGE).resolve()))


def _subjects(modalities: Collection[str]) -> list[str]:
    """What a model that takes these modalities is asked about."""
    from deixis.world.generate import modalities_of
    from deixis.world.shown import SHOWN

    return [subject for subject in SHOWN if set(modalities_of(subject)) <= set(modalities)]


def _samples(subject: str, out: Path) -> Iterator[tuple[str, "Sample"]]:
    """The questions about a subject with their headings, as samples with the right answers; media lie in `out`."""
    from deixis.world.generate import every_question, question_rng, world_facts
    from deixis.world.shown import SHOWN, SPLIT

    seeds = dict.fromkeys(seed for _, seed in SHOWN[subject].values())
    scenes = {seed: world_facts(SPLIT, seed, subject, size_px=IMAGE_PX) for seed in seeds}
    media = {seed: tuple(_written(medium, out) for medium in facts.media) for seed, facts in scenes.items()}
    for heading, (task, seed) in SHOWN[subject].items():
        sample = every_question(scenes[seed], question_rng(SPLIT, seed, subject), task)[0]
        yield heading, replace(sample, signals=media[seed])


def _written(medium: "MediaReference", out: Path) -> "MediaReference":
    """A generated medium as a file beside the page."""
    from deixis.samples.media import media_reference, write_medium
    from deixis.signals import MODALITIES, open_signal
    from deixis.signals.npy_files import ARRAY_SUFFIX

    record = MODALITIES[medium.modality]
    path = out / f"{medium.id.replace('/', '-')}{record.file_suffix}"
    write_medium(medium, path)
    says = {str(record.parameter): medium.rate_hz} if record.file_suffix == ARRAY_SUFFIX and medium.rate_hz else {}
    return media_reference(open_signal(path, medium.modality, **says))


def _expected(sample: "Sample") -> str:
    """The right answer as text alone."""
    from deixis.geometry import parse_markup, without_references

    return without_references(parse_markup(sample.turns[0].assistant))
