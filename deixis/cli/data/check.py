"""`deixis data check`: whether sets of samples are sound, alone and beside each other."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.samples.check import Problem

SHOWN = 20


def run(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files of samples (.jsonl, .tar, .parquet) or folders of such."),
    ],
    media: Annotated[
        bool, typer.Option("--media/--no-media", help="Look whether files are there and as large as samples say.")
    ] = True,
    every: Annotated[bool, typer.Option("--all", help=f"Show every problem, not the first {SHOWN}.")] = False,
) -> None:
    """Check samples: format, media, repeated ids, and leaks between splits.

    Every problem is named on stderr with its file and line, tar member or
    Parquet row: the field, what was expected, what is there. A leak is a
    medium that is in a train split of one PATH, and in another split of the
    same or another. The exit code is 2 if anything is wrong. A set of any
    size is checked in little memory.
    """
    from deixis.cli.data.progress import Stages
    from deixis.samples.check import Check

    check, said, lines = Check(media), _Said(None if every else SHOWN), []
    with Stages() as progress:
        for path in paths:
            before = check.samples
            progress.stage(f"checking {path}", None)
            bad = said.all(check.problems(path, progress.advance))
            if check.samples == before:
                raise InputError(f"{path}: expected samples, got none")
            lines.append(
                f"{path}: {check.samples - before:,} samples, {f'{bad:,} of them bad' if bad else 'all sound'}"
            )
        progress.stage("looking for leaks", None)
        bad, leaks = said.count, said.all(check.leaks())
    typer.echo("\n".join(lines))
    if said.count:
        wrong = [f"{bad:,} of {check.samples:,} samples are bad"] * (bad > 0)
        wrong += [f"{leaks:,} of {check.media_count:,} media leak from train into other splits"] * (leaks > 0)
        cut = f"; the first {SHOWN} problems are above, --all shows all" if said.is_cut else ""
        raise InputError(f"{', and '.join(wrong)}{cut}")
    typer.echo(f"{check.samples:,} samples of {check.media_count:,} media: nothing is wrong")


class _Said:
    """Says problems on stderr as they come, up to a limit, and counts them all."""

    def __init__(self, limit: int | None):
        self.limit, self.count = limit, 0

    def all(self, problems: "Iterable[Problem]") -> int:
        """How many there are."""
        before = self.count
        for problem in problems:
            self.count += 1
            if self.limit is None or self.count <= self.limit:
                sys.stderr.write(f"{problem}\n")  # typer.echo would write past the bar, into its line
        return self.count - before

    @property
    def is_cut(self) -> bool:
        return self.limit is not None and self.count > self.limit
