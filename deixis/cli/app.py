"""The `deixis` command: its verbs, and the one way in and out of it.

A verb is a module of this folder with a function `run`: its signature is the verb's arguments, its docstring the
verb's help. To add one, write the file and add its name to `VERBS`; a verb of verbs is a folder, and they stand in
`GROUPS`. Verb modules import other rooms inside `run` (help must not wait for PyTorch). A verb that needs the order in
which options were typed, which the parser forgets, declares a parameter `context: typer.Context` and reads
`context.obj`: the words typed after `deixis`, in order.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import deixis
from deixis.cli.errors import INTERRUPTED, USER_ERROR, quiet_stdout, user_sentence

VERBS = ("ask", "chat", "convert", "data", "doctor", "eval", "models", "train", "world")
GROUPS: dict[str, tuple[str, ...]] = {"data": ("read", "build", "show", "stats", "check")}
"""The verbs that are a folder of verbs, in the order in which one needs them."""
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def build_app() -> typer.Typer:
    """The application with every verb of `VERBS`, in that order."""
    app = typer.Typer(
        name="deixis",
        help="Point at part of a picture, a sound or a point cloud, ask, and get an answer that points back.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=HELP_OPTIONS,
    )
    app.callback()(_global_options)
    for verb in VERBS:
        if verb in GROUPS:
            app.add_typer(_group(verb), name=verb)
        else:
            app.command(verb)(importlib.import_module(f"deixis.cli.{verb}").run)
    return app


def _group(name: str) -> typer.Typer:
    """The verbs of a folder."""
    group = typer.Typer(help=importlib.import_module(f"deixis.cli.{name}").HELP, context_settings=HELP_OPTIONS)
    for verb in GROUPS[name]:
        group.command(verb)(importlib.import_module(f"deixis.cli.{name}.{verb}").run)
    return group


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(deixis.__version__)
        raise typer.Exit
    return wanted


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    # `debug` is read in `main`, which is where errors arrive; `version` has done its work in its callback.
    del version, debug


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command with `arguments` (default: those of the process; no verb: help) and exits the process.

    Exit codes: 0 done; 2 a mistake of the user's, said in one sentence on stderr; 130 interrupted.
    Anything else that goes wrong is a fault of ours and keeps its traceback.

    Raises:
        SystemExit: always, with the exit code.
    """
    words = tuple(sys.argv[1:] if arguments is None else arguments)
    if not words or words in {(group,) for group in GROUPS}:
        words = (*words, "--help")
    command = typer.main.get_command(build_app())
    try:
        code = command.main(args=list(words), prog_name="deixis", standalone_mode=False, obj=words)
        sys.stdout.flush()  # a reader that has gone away shows here, not after our last line
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        quiet_stdout()
        code = 1
    except Exception as error:
        sentence = user_sentence(error)
        if sentence is None or "--debug" in words[:1]:
            raise
        typer.echo(f"deixis: {sentence}", err=True)
        code = USER_ERROR
    sys.exit(code if isinstance(code, int) else 0)
