"""`deixis data build` as a run: the parts of a recipe, each cut into units that write a shard of their own.

A part's samples are shared out over its sources by their number of items, then over units of one shard each; a unit
has a range of a source's items and a quota, and reads its items in random order until that is filled.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

from deixis.datasets.runs.folder import RunFolder, Totals, UnitReport
from deixis.datasets.runs.pool import Workers, map_ordered
from deixis.datasets.runs.read_run import prepare, safe_file_name
from deixis.datasets.runs.sources import Record, Source, check_source
from deixis.datasets.runs.survey import ObjectsOf, Survey, survey
from deixis.errors import DataError
from deixis.language.response_cache import CostCapReached
from deixis.options import read_options
from deixis.samples.progress import Progress, Silent
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, is_train
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.masks import with_masks
from deixis.synthesis.parts.registry import PARTS
from deixis.synthesis.recipe import BuildRecipe, PartEntry
from deixis.synthesis.text.llm_queries import GIVEN_UP

MAX_GIVEN_UP = 100  # answers in a row of which none can be used: asking the language model on would be a waste
BATCH_ITEMS = 250  # at most so many items of a unit are in memory at a time


class NoUsableAnswers(Exception):
    """A language model whose answers cannot be used, again and again."""


@dataclass(frozen=True)
class BuildPlan:
    """A recipe with the sources that are there, the parts that can be made, and why others cannot."""

    recipe: BuildRecipe
    sources: dict[str, Source]
    held_out: dict[str, Source]
    parts: tuple[PartEntry, ...]
    left_out: dict[str, str]
    annotators: Annotators

    def description(self) -> dict[str, Any]:
        """What makes it the same run later; how many workers, and the price of a model, may change."""
        plain = asdict(replace(self.recipe, sources={}, held_out={}, language=None))
        language = {} if self.recipe.language is None else dict(self.recipe.language)
        return {
            "run": "build",
            "sources": {name: source.description() for name, source in self.sources.items()},
            "held_out": {name: source.description() for name, source in self.held_out.items()},
            "language": {name: language.get(name) for name in ("url", "model", "temperature")},
            "left_out": self.left_out,
        } | {name: plain[name] for name in ("seed", "scale", "parts", "models", "ending", "media", "shard_samples")}


@dataclass(frozen=True)
class BuildUnit:
    """`quota` samples of a part from items start, ..., stop - 1 of a source; `number` counts the part's units."""

    part: PartEntry
    source: str
    number: int
    start: int
    stop: int
    quota: int

    @property
    def name(self) -> str:
        return f"{safe_file_name(self.part.name)}-{self.number:05d}"


def plan_build(recipe: BuildRecipe, folder: RunFolder, annotators: Annotators) -> BuildPlan:
    """What of a recipe can be made with the files and models that are there.

    Raises DataError for unknown formats, kinds and options, for a source that is missing and not optional, and where
    nothing can be made.
    """
    sources, missing = {}, {}
    for group, entries in (("sources", recipe.sources), ("held_out", recipe.held_out)):
        for name, entry in entries.items():
            if entry.optional and not entry.is_there:
                missing[name] = str(entry.config.path)
                continue
            check_source(f"{group}.{name}", entry.format, entry.config)
            sources[name] = Source(name, entry.format, entry.config, folder.hidden / f"{name}.sqlite")
    parts, left_out = [], {}
    for entry in recipe.parts:
        if entry.kind not in PARTS:
            raise DataError(f"parts: {entry.name}: expected a kind among {', '.join(PARTS)}; got {entry.kind!r}")
        read_options(PARTS[entry.kind].options, entry.options, f"parts: {entry.name}.options.")
        there = tuple(name for name in entry.sources if name in sources)
        if why := _missing(entry, there, missing, annotators):
            left_out[entry.name] = why
            continue
        parts.append(replace(entry, sources=there))
        left_out |= {f"{name} in {entry.name}": _not_there(missing[name]) for name in entry.sources if name in missing}
    left_out |= {f"held_out {name}": _not_there(missing[name]) for name in recipe.held_out if name in missing}
    if not parts:
        name, why = next(iter(left_out.items()))
        raise DataError(f"parts: expected at least one that can be made, got none: {name}: {why}")
    used = {source for part in parts for source in (*part.sources, *filter(None, [part.objects_from]))}
    return BuildPlan(
        recipe,
        {name: source for name, source in sources.items() if name in used},
        {name: source for name, source in sources.items() if name in recipe.held_out},
        tuple(parts),
        left_out,
        annotators,
    )


def _missing(entry: PartEntry, there: Sequence[str], missing: dict[str, str], annotators: Annotators) -> str | None:
    """Why a part cannot be made; None if it can."""
    if not there:
        return f"{', '.join(entry.sources)}: {_not_there(missing[entry.sources[0]])}"
    if entry.objects_from in missing:
        return f"{entry.objects_from}: {_not_there(missing[entry.objects_from])}"
    if "objects_of" in _option_names(entry) and entry.objects_from is None and annotators.boxes is None:
        return "it needs another set of the same images (objects_from) or a model (models: boxes)"
    needs = [*PARTS[entry.kind].needs, *(["masks"] if entry.masks_from_boxes else [])]
    lacking = [name for name in needs if getattr(annotators, name) is None]
    wanted = {"language": "a language model (language: {url, model})"}
    return f"it needs {' and '.join(wanted.get(n, f'a model (models: {n})') for n in lacking)}" if lacking else None


def _not_there(path: str) -> str:
    return f"not there ({path})"


def _option_names(entry: PartEntry) -> set[str]:
    return {option.name for option in fields(PARTS[entry.kind].options)}


def cut(plan: BuildPlan, counts: dict[str, int]) -> list[BuildUnit]:
    """The units of all parts, in order; `counts` is the number of items of each source."""
    units = []
    for part in plan.parts:
        wanted = round(part.samples * plan.recipe.scale)
        total = sum(counts[name] for name in part.sources)
        before = number = 0
        for name in part.sources:
            quota = _share(wanted, before + counts[name], total) - _share(wanted, before, total)
            before += counts[name]
            pieces = min(math.ceil(quota / plan.recipe.shard_samples), counts[name])
            for piece in range(pieces):
                start, stop = (counts[name] * (piece + end) // pieces for end in (0, 1))
                own = _share(quota, piece + 1, pieces) - _share(quota, piece, pieces)
                units.append(BuildUnit(part, name, number, start, stop, own))
                number += 1
    return units


def _share(whole: int, part: int, parts: int) -> int:
    return whole * part // parts


def build_set(plan: BuildPlan, folder: RunFolder, workers: Workers, progress: Progress = Silent()) -> dict[str, Any]:
    """The report of the run, which resumes what an earlier call has done.

    Where the cost of the language model reaches its cap, or none of many answers in a row can be used, the rest is not
    done and the report, which says so under "stopped", is not stored: the same call with a higher cap resumes.
    Raises DataError and OutputError as `read_set` does.
    """
    with folder.opened(plan.description()):
        return folder.report() if folder.is_finished else _build_units(plan, folder, workers, progress)


def _build_units(plan: BuildPlan, folder: RunFolder, workers: Workers, progress: Progress) -> dict[str, Any]:
    sources = [*plan.sources.values(), *plan.held_out.values()]
    counts = prepare(sources, folder, progress)
    progress.stage("looking through the sets", sum(counts.values()))
    for done in survey(sources, folder.hidden, workers):
        progress.advance(done)
    units = cut(plan, counts)
    progress.stage("building", sum(unit.quota for unit in units))
    missing = [unit for unit in units if not folder.is_done(unit.name)]
    progress.advance(sum(unit.quota for unit in units) - sum(unit.quota for unit in missing))
    stopped = None
    for unit, why in zip(missing, map_ordered(partial(build_unit, plan, folder), missing, workers), strict=True):
        stopped = why or stopped
        progress.advance(unit.quota)
    totals = Totals(
        folder,
        [unit.name for unit in units if folder.is_done(unit.name)],
        [skip for source in sources for skip in source.scan_skipped()],
    )
    wanted = {part.name: round(part.samples * plan.recipe.scale) for part in plan.recipe.parts}
    report = plan.description() | totals.report() | {"wanted": wanted}
    if stopped:
        return report | {"stopped": stopped}
    folder.finish(report, totals.skipped())
    return report


def build_unit(plan: BuildPlan, folder: RunFolder, unit: BuildUnit) -> str | None:
    """Writes the shard of a unit and says that it is done; the reason where its language model left it undone."""
    skipped: list[Skipped] = []
    samples = _without_skipped(_unit_samples(plan, folder, unit), skipped)
    try:
        names, written = folder.write(samples, f"{unit.name}.{plan.recipe.ending}", plan.recipe.media)
    except (CostCapReached, NoUsableAnswers) as stopped:
        return str(stopped)
    skipped += written.skipped
    folder.mark_done(
        UnitReport(unit.name, {unit.part.name: written.samples}, names, unit.stop - unit.start, tuple(skipped))
    )
    return None


def _without_skipped(found: Iterator[Sample | Skipped], skipped: list[Skipped]) -> Iterator[Sample]:
    for sample in found:
        if isinstance(sample, Skipped):
            skipped.append(sample)
        else:
            yield sample


def _unit_samples(plan: BuildPlan, folder: RunFolder, unit: BuildUnit) -> Iterator[Sample | Skipped]:
    """Batches of items in an order drawn at random, until the quota is filled or no item is left.

    A batch may give one sample an item, or twice its share of what is missing: so a small quota needs few items, a
    large one is spread over all, and what some items cannot give others do.
    """
    part = PARTS[unit.part.kind]
    seed = f"{plan.recipe.seed}/{unit.part.name}"
    options = _options(plan, folder, unit)
    order = unit.start + rng_for(seed, unit.source, unit.start).permutation(unit.stop - unit.start)
    missing, given_up = unit.quota, 0
    for first in range(0, len(order), BATCH_ITEMS):
        records: list[Record] = []
        found = _records(plan, folder, unit, order[first : first + BATCH_ITEMS].tolist())
        for record in with_masks(found, plan.annotators) if unit.part.masks_from_boxes else found:
            if isinstance(record, Skipped):
                yield record
            else:
                records.append(record)
        share = 2 * missing * BATCH_ITEMS // (len(order) - first)
        for sample in part.make(records, min(missing, max(BATCH_ITEMS, share)), seed, plan.annotators, options):
            if isinstance(sample, Skipped):
                given_up += sample.why.startswith(GIVEN_UP)
                if given_up == MAX_GIVEN_UP:
                    raise NoUsableAnswers(f"{unit.part.name}: {given_up} answers in a row cannot be used: {sample.why}")
                yield sample
            else:  # two parts may ask the same about an object: their samples are two
                missing, given_up = missing - 1, 0
                yield replace(sample, id=f"{unit.part.name}/{sample.id}")
        if missing <= 0:
            return


def _records(plan: BuildPlan, folder: RunFolder, unit: BuildUnit, numbers: list[int]) -> Iterator[Record | Skipped]:
    """What may be trained on of some items of the unit's source."""
    held = Survey(folder.hidden)
    for number in numbers:
        for record in plan.sources[unit.source].records_of(number):
            if isinstance(record, Skipped):
                yield record
            elif why := held.leak(record):
                yield Skipped(record.id, why)
            elif is_train(record.split):
                yield record


def _options(plan: BuildPlan, folder: RunFolder, unit: BuildUnit) -> Any:
    """The part's options, with what only a run knows where it has fields for them."""
    kind = PARTS[unit.part.kind].options
    options = read_options(kind, unit.part.options, f"parts: {unit.part.name}.options.")
    names = _option_names(unit.part)
    if "vocabulary" in names and not options.vocabulary:
        options = replace(options, vocabulary=Survey(folder.hidden).vocabulary([unit.source]))
    if "objects_of" in names and unit.part.objects_from:
        options = replace(options, objects_of=ObjectsOf(plan.sources[unit.part.objects_from], folder.hidden))
    return options
