"""`deixis chat`: a conversation about files, line by line, with /commands for regions; also from a piped stdin."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.arguments import AdapterFolder, Device, Dtype, ModelName, Quantization, check_model
from deixis.cli.errors import user_sentence
from deixis.cli.pointing import FORMS, typed_region
from deixis.cli.terminal import say
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.geometry import Region
    from deixis.inference import Chat

PROMPT = "> "
MAX_LINE = 1 << 20
"""Characters of a line from a pipe that are kept: longer than any question may be, so that a cut one is refused."""
ENDS = ("quit", "exit")  # also without the slash, which no one thinks of who wants to leave
HELP = "A line is a question; {0}, {1} in it refer to the regions given before. @1 after a value: on file 1."
COMMANDS = {
    "regions": "list the regions {0}, {1}, ... of the next question",
    "clear": "remove these regions",
    "files": "list the files of this conversation",
    "draw": "FILE.png: draw the last answer; also .jpg, .webp, .svg",
    "help": "show this",
    "quit": "end (so do quit, exit and Ctrl-D)",
}


def run(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE...", help="The files of the conversation.")] = None,
    model: ModelName = "bundled",
    device: Device = None,
    dtype: Dtype = None,
    quantization: Quantization = None,
    adapter: AdapterFolder = None,
) -> None:
    """Chat about files: each line is a question, or a command such as /box 10,20,80,90 or /help.

    On a terminal the answer is printed while it is generated; Ctrl-C stops it.
    """
    if not files:
        raise InputError("expected deixis chat FILE...: at least one file, got none")
    check_model(model, device, dtype, quantization, adapter)
    from deixis.cli.answers import note_ignored, open_model, open_small, refuse_chat_early
    from deixis.cli.progress import waiting
    from deixis.signals import open_all

    signals = open_all(files)
    interactive = sys.stdin.isatty()
    note_ignored(signals)
    with waiting("loading the model"):
        opened = open_small(model, adapter)
        refuse_chat_early(opened, signals)
        chat = open_model(opened, device, dtype, quantization).chat(*signals)
    conversation = Conversation(chat, streams=interactive)
    if interactive:
        with suppress(ImportError):
            import readline  # noqa: F401  (gives input() its history)
        names = ", ".join(signal.name for signal in signals)
        say(f"Ask about {names}. /help explains regions, /quit ends.")
    while not conversation.over:
        try:
            line = input(PROMPT) if interactive else _next_line()
        except (EOFError, KeyboardInterrupt):
            if interactive:
                say()
            return
        try:
            for reply in conversation.reply(line.strip()):
                say(reply)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            if not interactive:
                raise
            say()
        except Exception as error:
            sentence = user_sentence(error)
            if sentence is None:
                raise
            say(f"deixis: {sentence}", err=True)


def _next_line() -> str:
    """The next line of stdin, cut where no question or region is so long. Raises EOFError at the end."""
    line = piece = sys.stdin.readline(MAX_LINE)
    if not line:
        raise EOFError
    while not piece.endswith("\n") and (piece := sys.stdin.readline(MAX_LINE)):
        pass  # the rest is read, but not kept
    return line


@dataclass
class Conversation:
    """A chat with the regions collected for its next question."""

    chat: "Chat"
    regions: list[tuple[str, "Region"]] = field(default_factory=list)  # as typed, parsed
    over: bool = False
    streams: bool = False  # the text is printed while it is generated, so a reply holds the regions only

    def reply(self, line: str) -> Sequence[str]:
        """The lines to print for a typed line. An exception leaves the regions and the chat as they were."""
        if not line:
            return ()
        if not line.startswith("/") and line.lower() not in ENDS:
            return self._ask(line)
        name, _, value = line.removeprefix("/").partition(" ")
        match name.lower():
            case _ if name in FORMS:
                return self._point(name, value.strip())
            case "regions":
                return self._list_regions()
            case "clear":
                self.regions.clear()
            case "files":
                from deixis.cli.answers import signal_line

                return [f"@{number}  {signal_line(signal)}" for number, signal in enumerate(self.chat.signals)]
            case "draw":
                return self._draw(value.strip())
            case "help":
                rows = [f"  {f'/{command}':<10}{text}" for command, text in (FORMS | COMMANDS).items()]
                return [HELP, *rows]
            case word if word in ENDS:
                self.over = True
            case _:
                raise InputError(f"/{name}: unknown command, see /help")
        return ()

    def _ask(self, question: str) -> Sequence[str]:
        from deixis.cli.answers import answer_lines, region_lines, show_as_it_comes

        regions = [region for _, region in self.regions]
        if self.streams:
            lines = region_lines(show_as_it_comes(self.chat.stream(question, regions)))
        else:
            lines = answer_lines(self.chat.ask(question, regions))
        self.regions.clear()
        return list(lines)

    def _point(self, form: str, value: str) -> Sequence[str]:
        region = typed_region(form, value, self.chat.signals, name=f"/{form}")
        self.chat.check(region)
        self.regions.append((f"{form} {value}", region))
        return (f"{{{len(self.regions) - 1}}} is {form} {value}",)

    def _list_regions(self) -> Sequence[str]:
        if not self.regions:
            return ("no regions, see /help",)
        names = [signal.name for signal in self.chat.signals]
        where = [f" on {names[region.signal]}" if len(names) > 1 else "" for _, region in self.regions]
        return [
            f"{{{i}}} is {typed}{place}" for i, ((typed, _), place) in enumerate(zip(self.regions, where, strict=True))
        ]

    def _draw(self, value: str) -> Sequence[str]:
        if not value:
            raise InputError("/draw: expected the name of an image, got none")
        if not self.chat.answers:
            raise InputError("/draw: there is no answer to draw yet; ask a question first")
        from deixis.cli.ask import check_drawing

        check_drawing(Path(value), [signal.path for signal in self.chat.signals if signal.path])
        self.chat.answers[-1].draw(value)
        return (f"drawn in {value}",)
