"""The model card of a converted model: source, licence, abilities and limitations."""

from collections.abc import Mapping, Sequence

import torch

from deixis.checkpoints.terms import TERMS
from deixis.model import DeixisConfig
from deixis.model.tokenizers.pointmlp import PointMLPConfig


def card_text(
    system: str,
    source: str,
    digests: Mapping[str, str],
    config: DeixisConfig | PointMLPConfig,
    notes: Sequence[str],
    nbytes: int,
    dtype: torch.dtype,
) -> str:
    """Markdown for the folder of a model converted from `source`, whose files have these SHA-256 digests."""
    terms = TERMS[system]
    files = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in digests.items())
    lacking = "; ".join(f"{what} ({who})" for what, who in terms.lacks.items())
    paragraphs = "".join(f"\n{note}\n" for note in notes)
    return f"""# {terms.name}, converted

Made by `deixis convert {system} {source}`: the weights of the published checkpoint under other names, {_size(nbytes)},
{str(dtype).removeprefix("torch.")}. Nothing was trained or changed; `conversion.json` lists every tensor.

{terms.paper}. Code: {terms.source}. Official weights: {terms.weights}.

## Terms

{terms.licence}. A conversion does not change them.

## What it can

{abilities_text(config)}
{paragraphs}
It lacks {lacking}.

## Source

| file | SHA-256 |
| --- | --- |
{files}
"""


def abilities_text(config: DeixisConfig | PointMLPConfig) -> str:
    """One line: input signals, input regions, output forms."""
    if isinstance(config, PointMLPConfig):
        return f"Point clouds in, one of {config.class_num} classes out."
    able = config.abilities
    regions = ", ".join(able["regions"]) or "none"
    return (
        f"Signals in: {', '.join(able['signals'])}. Regions in: {regions}. Answers out: {', '.join(able['answers'])}."
    )


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
