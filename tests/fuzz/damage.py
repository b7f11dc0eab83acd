"""One damaged case of a seed: which file is damaged, and how, follow from the seed of the random numbers alone."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from random import Random

from tests.fuzz import container_damage, value_damage
from tests.fuzz.byte_damage import BYTE_DAMAGE
from tests.fuzz.header_damage import FIELDS, TEXT_HEADERS, lying_header
from tests.fuzz.seeds import Seed

Damage = Callable[[bytes, Random], bytes]
BY_FORMAT = {
    ".json": value_damage.damaged_json,
    ".jsonl": value_damage.damaged_jsonl,
    ".yaml": value_damage.damaged_yaml,
    ".xml": value_damage.damaged_xml,
    ".csv": value_damage.damaged_table,
    ".tsv": value_damage.damaged_table,
    ".safetensors": container_damage.damaged_safetensors,
    ".glb": container_damage.damaged_glb,
    ".p": container_damage.damaged_pickle,
}
CALLS = ".call"
"""Ending of a file of arguments, of which only the values are damaged."""
IN_CONTAINERS = {
    ".zip": container_damage.damaged_zip,
    ".npz": container_damage.damaged_zip,
    ".tar": container_damage.damaged_tar,
}
FOREIGN_SHARE, BY_FORMAT_SHARE, HEADER_SHARE = 0.04, 0.5, 0.6
"""How often a file has another format's content; else is damaged within its structure, where it has any; else in its
header, where that is known; else anywhere."""


def damaged_case(seed: Seed, rng: Random, foreign: Mapping[str, bytes]) -> tuple[Seed, str]:
    """(the seed with one or two of its files damaged, how in words). foreign: files of other formats, by name."""
    files, said = dict(seed.files), []
    names = sorted(seed.damaged or seed.files)
    for name in rng.sample(names, k=min(len(names), rng.choice([1, 1, 1, 2]))):
        if rng.random() < FOREIGN_SHARE and not name.endswith(CALLS):
            other = rng.choice(sorted(foreign))
            files[name], how = foreign[other], f"content of {other}"
        else:
            files[name], how = _damaged(name, files[name], rng)
        said.append(f"{name}: {how}")
    return replace(seed, files=files), "; ".join(said)


def _damaged(name: str, data: bytes, rng: Random) -> tuple[bytes, str]:
    if not data:
        return rng.randbytes(20), "random bytes"
    structured, suffix = _of_format(name), PurePosixPath(name).suffix
    if suffix == CALLS:
        return value_damage.damaged_call(data, rng), "other values"
    if structured is not None and rng.random() < BY_FORMAT_SHARE:
        with contextlib.suppress(ValueError, LookupError):  # where the content is not of its ending's format
            return structured(data, rng), getattr(structured, "__name__", "damaged inside")
    if (suffix in FIELDS or suffix in TEXT_HEADERS) and rng.random() < HEADER_SHARE:
        return lying_header(data, rng, suffix), "lying_header"
    damage = rng.choice(BYTE_DAMAGE)
    return damage(data, rng), damage.__name__


def _of_format(name: str) -> Damage | None:
    """The damage that knows the format of a file, by its ending."""

    def inner(member: str, data: bytes, rng: Random) -> bytes:
        return _damaged(member, data, rng)[0]

    suffix = PurePosixPath(name).suffix
    if suffix == ".gz":
        return partial(container_damage.damaged_gzip, inner=inner, name=name)
    if suffix in IN_CONTAINERS:
        return partial(IN_CONTAINERS[suffix], inner=inner)
    return BY_FORMAT.get(suffix)
