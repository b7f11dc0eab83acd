"""Trains every variant of a comparison with several seeds, and asks all of them the same unseen questions.

OUT/comparison.json                the recipes and settings, which a resumed run must share
OUT/VARIANT/seed-N/run             as `deixis train` leaves it, without the checkpoints of what is done
OUT/VARIANT/seed-N/answers.jsonl   whole or not there: this training is done
OUT/results.json, OUT/report.md    whole, after every seed

A stage that two variants share is trained once: the second takes the model of the first.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from deixis.ablations.answers import AnsweredQuestion, Settings, answers_of, read_answers, write_answers
from deixis.ablations.comparison import Comparison
from deixis.ablations.cost import shared_stages
from deixis.ablations.report import Results, write_report
from deixis.errors import ConfigError
from deixis.evaluation.runner import write_json_lines
from deixis.files.locks import alone_in
from deixis.files.state import fields_of, read_state
from deixis.files.whole import whole_folder
from deixis.options import differences, plain_values
from deixis.training.recipe import train
from deixis.training.recipe_file import Recipe
from deixis.training.run_folder import MODEL

SETTINGS, ANSWERS, RUN, ASKED = "comparison.json", "answers.jsonl", "run", "asked"


def run_comparison(
    comparison: Comparison, out: Path, settings: Settings, device: str | None, tell: Callable[[str], None]
) -> Results:
    """The results of a comparison, all its variants trained and asked, or found in `out`; writes the report.

    tell: is called with what begins. Raises ConfigError where `out` holds another comparison, or other settings but the
    number of seeds.
    """
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        _open_run(comparison, settings, out)
        answers: dict[str, list[list[AnsweredQuestion]]] = {name: [] for name in comparison.variants}
        for seed in range(1, settings.seeds + 1):
            for name in comparison.variants:
                folder = variant_folder(out, name, seed)
                if not (folder / ANSWERS).is_file():
                    tell(f"{name}, seed {seed} of {settings.seeds}")
                    _train_and_ask(comparison, name, seed, settings, out, device)
                answers[name].append(read_answers(folder / ANSWERS))
            results = Results(comparison, settings, answers)
            write_report(results, out)
    return results


def variant_folder(out: Path, name: str, seed: int) -> Path:
    """Where one training of a variant lies."""
    return out / name.replace(" ", "-") / f"seed-{seed}"


def _open_run(comparison: Comparison, settings: Settings, out: Path) -> None:
    """Writes the settings of a new run. Raises ConfigError where those of an earlier one differ."""
    recipes = {name: plain_values(comparison.variant_recipe(name, 1, settings.steps)) for name in comparison.variants}
    # through JSON, so that both sides have its lists
    now = json.loads(json.dumps({"comparison": comparison.name, "questions": settings.questions, "recipes": recipes}))
    if not (out / SETTINGS).is_file():
        return write_json_lines(out / SETTINGS, [now], indent=1)
    earlier = read_state(out / SETTINGS, fields_of, f"remove the folder '{out}' to begin again")
    if found := list(differences(earlier, now)):
        raise ConfigError(f"{out}: holds another run ({'; '.join(found)}); choose another folder, or remove this one")


def _train_and_ask(
    comparison: Comparison, name: str, seed: int, settings: Settings, out: Path, device: str | None
) -> None:
    folder = variant_folder(out, name, seed)
    recipe = comparison.variant_recipe(name, seed, settings.steps)
    for other in (other for other in comparison.variants if other != name):
        beside = variant_folder(out, other, seed) / RUN
        _take_shared(recipe, comparison.variant_recipe(other, seed, settings.steps), beside, folder / RUN)
    model = train(recipe, folder / RUN)
    answers = answers_of(model, comparison, settings.questions, folder / ASKED, device)
    write_answers(folder / ANSWERS, answers)
    # what is asked has no more use of these, which are most of what a run takes on disk
    for left in (folder / ASKED, *(folder / RUN).glob("*/checkpoint-*")):
        shutil.rmtree(left)


def _take_shared(recipe: Recipe, other: Recipe, beside: Path, run: Path) -> None:
    """Copies the models of the first stages that both recipes have alike and the other one has done."""
    for stage in recipe.stages[: shared_stages(recipe, other)]:
        done = beside / stage.name / MODEL
        if not done.is_dir():
            return
        if not (run / stage.name).exists():
            with whole_folder(run / stage.name / MODEL) as part:
                shutil.copytree(done, part, dirs_exist_ok=True)
