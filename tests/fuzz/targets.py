"""What a person does with the files: each target gets the folder of a case, and does all that comes before an answer.

Runs in the worker. Whatever a target raises is judged there; a target only does what a command of `deixis` does.
"""

import importlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.wrong_targets import wrong

MODEL = "toy/model"
"""What the toy model of all modalities is called in commands; it is loaded once."""
PANEL_PX = 160  # wide: drawing at full size would take most of the time
SLOW = (
    *("av", "h5py", "ijson", "kaldi_native_fbank", "matplotlib.pyplot", "nibabel", "openai", "pyarrow.parquet", "rich"),
    *("scipy.spatial", "soundfile", "torch", "transformers", "trimesh", "yaml"),
)
"""What readers import when they first need it; here before, so that no case pays for it."""


def prepare(folder: Path) -> None:
    """Imports what the targets need, and puts the toy model of this folder where commands find it as `MODEL`."""
    from deixis.checkpoints import open_config_and_processor
    from deixis.cli import answers
    from deixis.inference import load

    for name in SLOW:
        importlib.import_module(name)
    importlib.import_module("transformers.models.auto.modeling_auto")
    opened = replace(open_config_and_processor(folder), name=MODEL)
    loaded = load(open_config_and_processor(folder), "cpu")
    loaded.name = MODEL
    open_small, open_model = answers.open_small, answers.open_model
    answers.open_small = lambda name, *adapter: opened if name == MODEL else open_small(name, *adapter)
    answers.open_model = lambda model, *how: loaded if str(model) == MODEL else open_model(model, *how)


def open_and_draw(folder: Path, name: str, prefix: str = "", second: str = "") -> None:
    """Opens a file, or a pair of them, prepares it for a model as `deixis ask` does, and draws it."""
    from deixis.signals import open_signal

    pair = f"+{folder / second}" if second else ""
    _prepare_and_draw(open_signal(f"{prefix}{folder / name}{pair}"))


def open_content(folder: Path, name: str) -> None:
    """As `open_and_draw`, of the bytes of a file."""
    from deixis.signals import open_signal

    _prepare_and_draw(open_signal((folder / name).read_bytes()))


def _prepare_and_draw(signal: Any) -> None:
    from deixis.cli import answers
    from deixis.conversation import question_sample
    from deixis.visualize.panels.panel import PanelSize, panel
    from deixis.visualize.raster import to_image
    from deixis.visualize.svg import to_svg

    answers.refuse_early(answers.open_small(MODEL), question_sample("What is this?", (signal,)))
    answers.signal_line(signal)
    drawing = panel(signal, [], PanelSize(PANEL_PX, PANEL_PX))
    to_image(drawing)
    to_svg(drawing)


def read_clouds(folder: Path, path: str) -> None:
    """The clouds that `deixis train` of a classifier reads."""
    from deixis.datasets.classification.class_clouds import read_class_clouds

    read_class_clouds(folder / path, 24)


def load_and_ask(folder: Path) -> None:
    """`deixis ask --model FOLDER`, about an image, in a few tokens."""
    import numpy as np

    from deixis.cli.answers import answer_lines, open_model

    model = open_model(str(folder), "cpu")
    answer = model.ask("What is this?", np.full((20, 30, 3), 90, np.uint8), max_new_tokens=3)
    list(answer_lines(answer))


def ask_in_python(folder: Path) -> None:
    """`Model.ask` with the arguments in `arguments.call`, of whatever type they are."""
    from deixis.cli.answers import open_model

    call = json.loads((folder / "arguments.call").read_bytes())
    if not isinstance(call, dict):
        return
    files = [folder / name if isinstance(name, str) else name for name in _listed(call.pop("files", []))]
    question, regions = call.pop("question", "What is this?"), call.pop("regions", ())
    known = {name: call[name] for name in ("want", "seed", "temperature", "top_p", "max_new_tokens") if name in call}
    open_model(MODEL, "cpu").ask(question, *files, regions=regions, **{"max_new_tokens": 2, **known})


def start_of_training(folder: Path) -> None:
    """What `deixis train recipe.yaml --out run` reads before it trains: the recipe, and the run that it resumes."""
    from deixis.training.recipe_file import Recipe, read_recipe
    from deixis.training.run_folder import last_checkpoint
    from deixis.training.same_run import check_same_run

    plan = read_recipe(folder / "recipe.yaml")
    if isinstance(plan, Recipe):
        check_same_run(plan, folder / "run")
        last_checkpoint(folder / "run" / "dense")


def command(folder: Path, words: Sequence[str] = (), then: Sequence[str] = ()) -> None:
    """`deixis WORDS` in the folder, with the words in `words.call` if none are given, and `deixis THEN` after it.

    Files are as old as the epoch, for a run refuses to go on with files that were changed.
    """
    for path in folder.rglob("*"):
        os.utime(path, ns=(0, 0), follow_symlinks=False)
    with chdir(folder):
        _deixis(list(words) or [str(word) for word in _listed(json.loads(Path("words.call").read_bytes()))])
        if then:
            _deixis(list(then))


def _deixis(words: list[str]) -> None:
    _app().main(args=words, prog_name="deixis", standalone_mode=False, obj=tuple(words))


@cache
def _app() -> Any:
    import typer

    from deixis.cli.app import build_app

    return typer.main.get_command(build_app())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


TARGETS: dict[str, Callable[..., None]] = {
    made.__name__: made
    for made in (
        open_and_draw,
        open_content,
        read_clouds,
        load_and_ask,
        ask_in_python,
        start_of_training,
        command,
        wrong,
    )
}
