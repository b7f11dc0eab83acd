"""Rules that say, by name, what becomes of every tensor of a source; and the plan that follows from them.

A rule is a pattern of source names with what it makes: one tensor of ours, several (a fused projection split), or
none, with the reason; two that are rows of one tensor of ours name them, `name#0` and `name#1`. A plan accounts for
every tensor of every source and every tensor of the network, shapes included, before anything is written; what the
rules do not foresee is an error. Knows no system: those are the rooms of `deixis.systems`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError


@dataclass(frozen=True)
class Change:
    """What is done to a tensor on the way, in words and as a function (which must work on the meta device)."""

    words: str
    apply: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Rule:
    """pattern: a regular expression for whole source names. makes: (name of ours, change) pairs, where `\\1` stands for
    the pattern's first group. reason: why a tensor that makes nothing is left out."""

    pattern: str
    makes: tuple[tuple[str, Change | None], ...] = ()
    reason: str = ""


def take(pattern: str, name: str, change: Change | None = None) -> Rule:
    """One tensor of ours from one of the source."""
    return Rule(pattern, ((name, change),))


def leave(pattern: str, reason: str) -> Rule:
    """A tensor of the source that the network does not have."""
    return Rule(pattern, (), reason)


def thirds(pattern: str, *names: str) -> Rule:
    """Query, key and value from one fused projection, whose rows they are, a third each."""
    return Rule(pattern, tuple((name, Change(f"rows, third {n + 1} of 3", _third(n))) for n, name in enumerate(names)))


def _third(number: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor.chunk(3, 0)[number]


def rotary(heads: int) -> Change:
    """Query and key rows from Meta's rotary order (pairs side by side) to transformers' (first halves, then second)."""

    def halves(weight: Tensor) -> Tensor:
        rows, columns = weight.shape
        return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)

    return Change(f"rotary order, {heads} heads", halves)


DROP_FIRST = Change("leading axis of size 1 dropped", lambda tensor: tensor.squeeze(0))
FLATTEN = Change("flattened", lambda tensor: tensor.flatten())


@dataclass(frozen=True)
class Part:
    """A source and the rules for its tensors. role: what it is, in an error and in the account ("checkpoint")."""

    source: Tensors
    rules: Sequence[Rule]
    role: str = "checkpoint"


@dataclass(frozen=True)
class Step:
    """One tensor of the source on its way: number of its part, name, change; row of ours, where ours has several."""

    part: int
    source: str
    change: Change | None
    row: int | None


@dataclass
class Plan:
    """What every tensor of ours is made of, in the order of the source's files, and what is left out, by part."""

    parts: Sequence[Part]
    steps: dict[str, list[Step]] = field(default_factory=dict)
    left: list[dict[str, str]] = field(default_factory=list)

    def make(self, target: str, get: Callable[[Part, str], Tensor]) -> Tensor:
        """The tensor of ours called `target`; `get` gives the source's."""
        made = {}
        for step in self.steps[target]:
            tensor = get(self.parts[step.part], step.source)
            made[step.row or 0] = tensor if step.change is None else step.change.apply(tensor)
        if self.steps[target][0].row is None:
            return made[0]
        return torch.stack([made[row] for row in sorted(made)])

    def account(self) -> dict[str, dict]:
        """What became of every tensor, by role: {"used": {source name: [[our name, change]]}, "left_out": {...}}."""
        used: list[dict[str, list[list[str]]]] = [{} for _ in self.parts]
        for target, steps in self.steps.items():
            for step in steps:
                words = step.change.words if step.change else "as it is"
                used[step.part].setdefault(step.source, []).append([target, words])
        return {
            part.role: {"used": used[number], "left_out": self.left[number]} for number, part in enumerate(self.parts)
        }


def make_plan(
    parts: Sequence[Part],
    targets: Mapping[str, Tensor],
    wanted: Callable[[str], bool] = lambda target: True,
    may_lack: Callable[[str, Plan], bool] = lambda target, plan: False,
) -> Plan:
    """The plan that fills `targets` (name -> tensor on the meta device) from the parts.

    wanted: says of a name of ours whether the plan is to make it; what makes others is left out. may_lack: says of a
    target that is not made whether it may be. Raises CheckpointError for a tensor without a rule, one of another shape,
    and one that is missing.
    """
    plan = Plan(parts)
    for number, part in enumerate(parts):
        rules = [(re.compile(rule.pattern), rule) for rule in part.rules]
        found = {name: _match(name, rules) for name in part.source.meta()}
        matches = {name: match for name, match in found.items() if match is not None}
        if strange := [name for name in found if name not in matches]:
            raise CheckpointError(
                f"{part.role} '{part.source.label}': expected every tensor to be known, got {_some(strange)}, which "
                "the published code does not have; it may be changed or of another version"
            )
        plan.left.append({name: rule.reason for name, (_, rule) in matches.items() if not rule.makes})
        for name, (match, rule) in matches.items():
            for template, change in rule.makes:
                target, _, row = match.expand(template).partition("#")
                if not wanted(target):
                    plan.left[-1][name] = "of another part of the network"
                    continue
                step = Step(number, name, change, int(row) if row else None)
                plan.steps.setdefault(target, []).append(step)
    _check(plan, targets, may_lack)
    return plan


def _match(name: str, rules: Sequence[tuple[re.Pattern, Rule]]) -> tuple[re.Match, Rule] | None:
    return next(((match, rule) for pattern, rule in rules if (match := pattern.fullmatch(name))), None)


def _check(plan: Plan, targets: Mapping[str, Tensor], may_lack: Callable[[str, Plan], bool]) -> None:
    """Raises CheckpointError unless the steps fill the targets, each once, in its shape."""
    for target, steps in plan.steps.items():
        part, name = plan.parts[steps[0].part], steps[0].source
        where = f"{part.role} '{part.source.label}'"
        if len({step.row for step in steps}) < len(steps):
            raise CheckpointError(
                f"{where}: {name} and {steps[1].source} stand for the same tensor, expected one of them"
            )
        if target not in targets:
            raise CheckpointError(
                f"{where}: {name} has no place in a network of the sizes in its configuration, which may be "
                "that of another checkpoint"
            )
        source, wanted = tuple(part.source.meta()[name].shape), tuple(targets[target].shape)
        try:
            shape = tuple(plan.make(target, lambda part, name: part.source.meta()[name]).shape)
        except RuntimeError:
            shape = None
        change = f" ({steps[0].change.words})" if steps[0].change else ""
        if shape is None:
            raise CheckpointError(
                f"{where}: {name} has shape {source}, which does not allow for what is done to it{change}; the sizes "
                "in the configuration, or those of --preset, are of another checkpoint"
            )
        if shape != wanted:
            raise CheckpointError(
                f"{where}: {name} has shape {source}{change}, expected one that gives {wanted}; the sizes in the "
                "configuration, or those of --preset, are of another checkpoint"
            )
    if missing := [name for name in targets if name not in plan.steps and not may_lack(name, plan)]:
        roles = " and ".join(part.role for part in plan.parts)
        raise CheckpointError(
            f"{roles} '{plan.parts[0].source.label}': expected tensors for {_some(missing)}, got none; a shard may be "
            "missing"
        )


def _some(names: Sequence[str]) -> str:
    """The first name and the number of others."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
