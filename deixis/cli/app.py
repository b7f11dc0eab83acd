"""The `deixis` command: its verbs, `--debug` for all of them, and the exit codes.

A verb is a module of this folder with a function `run`: its signature is the verb's arguments, its docstring the
verb's help. To add one, write the file and add its name to `VERBS`; a group of verbs is a folder listed in `GROUPS`.
Verb modules import other rooms inside `run` (help must not wait for PyTorch). A verb that needs the order in which
options were typed, which the parser does not keep, declares a parameter `context: typer.Context` and reads
`context.obj`: the words typed after `deixis`, in order.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import deixis
from deixis.cli.errors import INTERRUPTED, quiet_stdout, report
from deixis.cli.terminal import log_lines_said, open_streams, say
from deixis.cli.termination import ended_cleanly
from deixis.errors import InputError

VERBS = (
    "ablate",
    "ask",
    "chat",
    "convert",
    "data",
    "demo",
    "doctor",
    "eval",
    "export",
    "finetune",
    "mcp",
    "models",
    "serve",
    "train",
    "world",
)
GROUPS: dict[str, tuple[str, ...]] = {"data": ("read", "build", "show", "stats", "check")}
"""The verbs that are a folder of verbs, in the order in which they are used."""
WRITING = ("ablate", "convert", "data", "demo", "export", "finetune", "train", "world")
"""Verbs that write the paths that they are given into files, which hold text."""
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
DEBUG = "--debug"


def build_app() -> typer.Typer:
    """The application with every verb of `VERBS`, in that order."""
    app = typer.Typer(
        name="deixis",
        help="Point at part of an image, a recording or a point cloud, ask, and get an answer that points back.",
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


def _show_version(requested: bool) -> bool:
    if requested:
        say(deixis.__version__)
        raise typer.Exit
    return requested


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; also after the verb.")] = False,
) -> None:
    del version, debug  # the callback and `main` have used them


def _check_words(words: Sequence[str]) -> None:
    """Raises InputError for a path that is no text where it would be written into a file."""
    if words[0] not in WRITING:
        return
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{word!a}: expected a path in UTF-8, as it is written into files; rename it, or link to it"
            ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command with `arguments` (default: those of the process; no verb: help) and exits the process.

    Exit codes: 0 success; 1 a bug of Deixis, with its traceback on stderr; 2 an error that the user can fix, in one
    sentence on stderr; 130 interrupted; 143 and 129 ended by SIGTERM and SIGHUP.

    Raises:
        SystemExit: always, with the exit code.
    """
    open_streams()
    words = tuple(sys.argv[1:] if arguments is None else arguments)
    end = words.index("--") if "--" in words else len(words)
    debug = DEBUG in words[:end]
    # taken out here, so that it may stand anywhere without being an option of every verb
    words = (*(word for word in words[:end] if word != DEBUG), *words[end:])
    if not words or words in {(group,) for group in GROUPS}:
        words = (*words, "--help")
    command = typer.main.get_command(build_app())
    try:
        with log_lines_said(), ended_cleanly():
            _check_words(words)
            code = command.main(args=list(words), prog_name="deixis", standalone_mode=False, obj=words)
        sys.stdout.flush()  # a closed pipe shows here, not after our last line
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        quiet_stdout()
        code = 1
    except Exception as error:
        code = report(error, debug)
    sys.exit(code if isinstance(code, int) else 0)
