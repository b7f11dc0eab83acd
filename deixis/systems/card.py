"""The model card of a converted model: source, licence, abilities and limitations."""

from collections.abc import Mapping

import torch

from deixis.systems.release import Found, Release


def card_text(
    release: Release, source: str, digests: Mapping[str, str], found: Found, nbytes: int, dtype: torch.dtype
) -> str:
    """Markdown for the folder of a model converted from `source`, whose files have these SHA-256 digests."""
    files = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in digests.items())
    paragraphs = "".join(f"\n{note}\n" for note in found.notes)
    size = f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
    able = {name: ", ".join(values) or "none" for name, values in found.config.abilities.items()}
    return f"""# {release.name}, converted

Made by `deixis convert {release.system} {source}`: the weights of the published checkpoint under other names, {size},
{str(dtype).removeprefix("torch.")}. Nothing was trained or changed; `conversion.json` lists every tensor.

{release.paper}. Code: {release.source}. Official weights: {release.weights}.

## Terms

{release.licence}. A conversion does not change them.

## What it can

Signals in: {able["signals"]}. Regions in: {able["regions"]}. Answers out: {able["answers"]}.
{paragraphs}
It lacks {" and ".join(release.lacks)}; `deixis models` lists the systems that have them.

## Source

| file | SHA-256 |
| --- | --- |
{files}
"""
