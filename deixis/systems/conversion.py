"""Converts an official checkpoint into a folder of ours: every tensor accounted for, nothing left behind on failure.

    source -> a system's reader -> configuration, rules -> plan (names and shapes, checked) -> weights, written one by
    one into a folder of another name -> configuration, tokenizer, card, account -> renamed

A reader learns all it needs from names and shapes; values are read once, while they are written. The account of every
tensor and the digests of the source's files lie in `conversion.json`, the licences in `README.md`.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os.path import exists
from pathlib import Path
from threading import Event

import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from deixis.checkpoints.rules import Plan, make_plan
from deixis.checkpoints.source import DeltaAndBase, Tensors, open_source
from deixis.checkpoints.tokenizer import FILES_BESIDE, find_tokenizer
from deixis.checkpoints.weights import SHARD_BYTES, Shape, common_dtype, in_dtype, write_weights
from deixis.errors import CheckpointError, DeixisError, InputError, is_out_of_memory, one_line
from deixis.files.full_disk import check_room
from deixis.files.whole import whole_folder
from deixis.model import DeixisConfig, DeixisForConditionalGeneration, build_processor
from deixis.model.devices import dtype_named
from deixis.model.meta import on_meta
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.systems.official import check_release
from deixis.systems.pointmlp.classifier import write_config
from deixis.systems.release import ConversionOptions, Found, Release
from deixis.systems.releases import CONVERTIBLE

Progress = Callable[[str, int, int], None]
"""Called with (step, bytes done, total bytes) as a conversion proceeds."""

WITHOUT_TOKENIZER = (
    "the source has no tokenizer, so that the result takes token ids only and cannot be asked; convert it again with "
    "--tokenizer FILE"
)


def convert(
    system: str,
    source: str | Path,
    out: str | Path,
    options: ConversionOptions | None = None,
    dtype: str | None = None,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda what, done, total: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Converts `source`, a folder, a file or a hub id with a checkpoint of `system`, into the folder `out`.

    dtype: of the floating tensors; that of most of the source where not given. Returns `out`. Raises InputError for
    arguments and CheckpointError for a source that does not fit; then, and when interrupted, no output remains. `tell`
    is called, before anything is written, with what the result will lack.
    """
    release = CONVERTIBLE.get(system)
    if release is None or release.read is None:
        raise InputError(f"system: expected one of {', '.join(CONVERTIBLE)}; got '{system}'")
    floating = None if dtype is None else dtype_named(dtype, "--dtype")
    options = options or ConversionOptions()
    _check_options(release, options)
    out = Path(out)
    _check_out(out, Path(source), overwrite)
    tensors = open_source(source)
    check_release(tensors, release)
    with _naming_source(tensors.label):
        found = release.read(tensors, options)
        plan = make_plan(found.parts, target_tensors(found.config))
        shapes = _shapes(plan, floating)
    if found.tokenizer is None and not isinstance(found.config, PointMLPConfig):
        tell(WITHOUT_TOKENIZER)
    files, total = files_read(found, options), sum(shape.nbytes for shape in shapes.values())
    size = sum(file.stat().st_size for file in files.values())
    with whole_folder(out, overwrite) as folder, digested(files, _counted(progress, "digests", size)) as digests:
        # only here has what a killed conversion left been removed
        check_room(out, total, "; --dtype bfloat16 halves the weights of float32")
        written = _counted(progress, "weights", total)
        write_weights(folder, shapes, lambda name: _value(plan, name, shapes[name].dtype), shard_bytes, written)
        for part in plan.parts:
            part.source.close()
        with _naming_source(tensors.label):
            _write_rest(folder, release, str(source), found, plan, shapes, digests())
    return out


@contextmanager
def _naming_source(label: str) -> Generator[None]:
    """What a source's config.json or tokenizer leads to in libraries becomes a CheckpointError that names it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DeixisError | OSError) or is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"source '{label}': expected a config.json and tokenizer of the published form, got values that lead to: "
            f"{one_line(error, 400)}"
        ) from error


def build_network(config: DeixisConfig | PointMLPConfig) -> nn.Module:
    """The network of a configuration, freshly initialised on the default device."""
    return PointMLP(config) if isinstance(config, PointMLPConfig) else DeixisForConditionalGeneration(config)


def meta_network(config: DeixisConfig | PointMLPConfig) -> nn.Module:
    """The network of a configuration without values: on the meta device."""
    with on_meta():
        return build_network(config)


def target_tensors(config: DeixisConfig | PointMLPConfig) -> dict[str, Tensor]:
    """Every tensor that the network of a configuration saves, without values."""
    return dict(meta_network(config).state_dict())


def _shapes(plan: Plan, dtype: torch.dtype | None) -> dict[str, Shape]:
    """Shape and type of every tensor that is written, in the order of the source."""
    made = {name: plan.make(name, lambda part, key: part.source.meta()[key]) for name in plan.steps}
    shapes = {name: Shape(tuple(tensor.shape), tensor.dtype) for name, tensor in made.items()}
    common = dtype or common_dtype(list(shapes.values()))
    return {
        name: Shape(shape.shape, common if shape.dtype.is_floating_point else shape.dtype)
        for name, shape in shapes.items()
    }


def _value(plan: Plan, name: str, dtype: torch.dtype) -> Tensor:
    """The values of one tensor of ours. Raises InputError where they do not fit into the type."""
    tensor = plan.make(name, lambda part, key: part.source.read(key))
    return in_dtype(tensor, dtype, plan.steps[name][0].source)


def _counted(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    done = 0

    def more(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        progress(what, done, total)

    return more


def _write_rest(
    folder: Path,
    release: Release,
    source: str,
    found: Found,
    plan: Plan,
    shapes: dict[str, Shape],
    digests: dict[str, str],
) -> None:
    """Everything but the weights."""
    config, dtype = found.config, common_dtype(list(shapes.values()))
    if isinstance(config, PointMLPConfig):
        write_config(folder, config, found.classes, found.unit_sphere)
    else:
        config.dtype = dtype
        config.architectures = ["DeixisForConditionalGeneration"]
        config.save_pretrained(folder)
        ends = {name: getattr(config.text_config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        stop = {} if found.stop is None else {"stop_strings": [found.stop]}
        GenerationConfig(**ends, **stop).save_pretrained(folder)
        if found.tokenizer is not None:
            build_processor(config, found.tokenizer, **found.processor).save_pretrained(folder)
    account = {"system": release.system, "source": source, "files": digests, "parts": plan.account()}
    (folder / "conversion.json").write_text(json.dumps(account, indent=1) + "\n", encoding="utf-8")
    card = card_text(release, source, digests, found, sum(s.nbytes for s in shapes.values()), dtype)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _check_options(release: Release, options: ConversionOptions) -> None:
    """Raises InputError for an argument that a conversion of this system does not use."""
    given = [name for name, value in vars(options).items() if value is not None]
    if unused := next((name for name in given if name not in release.options), None):
        raise InputError(
            f"--{unused}: a conversion of {release.name} does not use it; it takes "
            f"{', '.join(f'--{name}' for name in release.options)}"
        )


def _check_out(out: Path, source: Path, overwrite: bool) -> None:
    """Raises InputError unless a new folder may be made at `out`."""
    if not out.parent.is_dir():
        raise InputError(f"'{out}': there is no folder '{out.parent}' to write the model into")
    if exists(source):  # of pathlib's, a name too long raises
        inside = source.resolve().is_relative_to(out.resolve())
        if out.exists() and inside:
            raise InputError(f"'{out}': expected a folder apart from the source, got one that holds it")
    if out.exists() and not overwrite:
        raise InputError(f"'{out}': expected a folder that is not there yet, got one that is; --overwrite replaces it")
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / "conversion.json").is_file())):
        raise InputError(
            f"'{out}': --overwrite replaces a folder that this command made, and this one holds no conversion.json"
        )


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


ROLES = {"CLIP": "clip", "SAM": "sam"}
"""Of parts of a conversion whose files are not the checkpoint's own."""


def files_read(found: Found, options: ConversionOptions) -> dict[str, Path]:
    """Every file that the conversion of what was found reads, by its key."""
    files: dict[str, Path] = {}
    for part in found.parts:
        role, source = ROLES.get(part.role, "source"), part.source
        if isinstance(source, DeltaAndBase):
            files |= _of_source("base", source.base) | _of_source(role, source.delta)
        else:
            files |= _of_source(role, source)
    folder = next(part.source.folder for part in found.parts if part.role not in ROLES)
    place = folder if options.tokenizer is None else Path(options.tokenizer)
    if (file := find_tokenizer(place)) is not None:
        names = (file.name, *FILES_BESIDE)
        files |= _existing("source" if options.tokenizer is None else "tokenizer", file.parent, names)
    if (file := found.classes_file) is not None:
        files |= _existing("source" if options.classes is None else "classes", file.parent, (file.name,))
    return files


@contextmanager
def digested(files: Mapping[str, Path], progress: Callable[[int], None]) -> Generator[Callable[[], dict[str, str]]]:
    """Hashes the files while the block runs; gives a function that waits for the SHA-256 of each.

    A thread of its own reads them in the order in which the block does, so that the disk is read once: whichever of the
    two comes second finds the bytes in the system's cache. `progress` is called with the number of bytes of each read.
    """
    ended = Event()

    def digests() -> dict[str, str]:
        return {key: _digest(file, progress, ended) for key, file in files.items()}

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(digests)
        try:
            yield job.result
        finally:
            ended.set()


def _digest(file: Path, progress: Callable[[int], None], ended: Event) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while not ended.is_set() and (block := stream.read(1 << 20)):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def _of_source(role: str, source: Tensors) -> dict[str, Path]:
    weights = {f"{role}/{file.relative_to(source.folder)}": file for file in source.files}
    return weights | _existing(role, source.folder, ("config.json",))


def _existing(role: str, folder: Path, names: Sequence[str]) -> dict[str, Path]:
    return {f"{role}/{name}": folder / name for name in names if (folder / name).is_file()}
