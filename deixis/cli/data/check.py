"""`deixis data check`: validates datasets of samples, each alone and against the others."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.terminal import say
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.samples.check import Problem

SHOWN = 20


def run(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files of samples (.jsonl, .tar, .parquet) or folders of them."),
    ],
    media: Annotated[
        bool, typer.Option("--media/--no-media", help="Check that files exist and have the sizes that samples state.")
    ] = True,
    every: Annotated[bool, typer.Option("--all", help=f"Show every problem, not the first {SHOWN}.")] = False,
) -> None:
    """Check samples: format, media, repeated ids, and leaks between splits.

    Each problem is printed to stderr with its file and line, tar member or
    Parquet row: the field, the expected and the actual value. A leak is a
    file that is in a train split of one PATH, and in another split of the
    same or another PATH. The exit code is 2 if there is any problem. Memory
    does not grow with the dataset.
    """
    from deixis.cli.progress import Stages
    from deixis.samples.check import Check

    check, printed, lines = Check(media), _Printed(None if every else SHOWN), []
    with Stages() as progress:
        for path in paths:
            before = check.samples
            progress.stage(f"checking {path}", None)
            bad = printed.all(check.problems(path, progress.advance))
            if check.samples == before:
                raise InputError(f"{path}: expected samples, got none")
            lines.append(
                f"{path}: {check.samples - before:,} samples, {f'{bad:,} of them invalid' if bad else 'all valid'}"
            )
        progress.stage("looking for leaks", None)
        bad, leaks = printed.count, printed.all(check.leaks())
    say("\n".join(lines))
    if printed.count:
        wrong = [f"{bad:,} of {check.samples:,} samples are invalid"] * (bad > 0)
        wrong += [f"{leaks:,} of {check.media_count:,} media leak from train into other splits"] * (leaks > 0)
        cut = f"; the first {SHOWN} problems are above, --all shows all" if printed.is_cut else ""
        raise InputError(f"{', and '.join(wrong)}{cut}")
    say(f"{check.samples:,} samples of {check.media_count:,} media: no problem found")


class _Printed:
    """Prints problems to stderr as they are found, up to a limit, and counts all."""

    def __init__(self, limit: int | None):
        self.limit, self.count = limit, 0

    def all(self, problems: "Iterable[Problem]") -> int:
        """How many problems there are."""
        before = self.count
        for problem in problems:
            self.count += 1
            if self.limit is None or self.count <= self.limit:
                sys.stderr.write(f"{problem}\n")  # typer.echo would write past the bar, into its line
        return self.count - before

    @property
    def is_cut(self) -> bool:
        return self.limit is not None and self.count > self.limit
