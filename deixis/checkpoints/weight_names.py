"""Which files of a model folder hold its weights: safetensors inside the folder, and nothing that leads out of it.

An index is a stranger's list of file names, and what transformers finds in a folder it reads: a link or `..` leads to
other files, an adapter to another model.
"""

from pathlib import Path

from deixis.checkpoints.find import read_weight_map
from deixis.errors import CheckpointError

INDEX, SINGLE, SUFFIX = "model.safetensors.index.json", "model.safetensors", ".safetensors"
WEIGHTS = f"*{SUFFIX}"
ADAPTER = "adapter_config.json"


def check_weight_files(folder: Path, may_link: bool = False) -> None:
    """Raises CheckpointError where weights, or shards of them, are missing in the folder or, unless they `may_link`,
    lie elsewhere."""
    check_weight_names(folder)
    if not list(folder.glob(WEIGHTS)):
        raise CheckpointError("expected weights in *.safetensors, got none in the folder")
    for file in () if may_link else weight_files(folder):
        check_inside(folder, file)


def check_weight_names(folder: Path) -> None:
    """Raises CheckpointError for an adapter, and indices that name other files than those beside them."""
    if (folder / ADAPTER).exists():
        raise CheckpointError(
            f"expected whole weights, got an adapter ({ADAPTER}); open it beside its base, --model BASE --adapter "
            "FOLDER, or merge it, deixis export BASE OUT --adapter FOLDER --merge"
        )
    for index in folder.glob("*.index.json"):
        for name in sorted(set((read_weight_map(index) or {}).values())):
            if Path(name).name != name:
                raise CheckpointError(
                    f"{index.name}: expected names of files in the folder itself, got {name[:120]!r}; no other is read"
                )


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that transformers reads: of one file and an index beside it, the one file.

    Raises CheckpointError for an index that is none or names other files.
    """
    index, single = folder / INDEX, folder / SINGLE
    if single.is_file() or not index.is_file():
        return [single]
    shards = read_weight_map(index)
    if shards is None:
        raise CheckpointError(f"{INDEX} is no index of weights; the file is damaged")
    names = sorted(set(shards.values()))
    for name in names:
        if not name.endswith(SUFFIX):
            raise CheckpointError(f"{INDEX}: expected names of *{SUFFIX} files, got {name[:120]!r}; no other is read")
        if not (folder / name).is_file():
            raise CheckpointError(f"the weights file {name} named in its index is missing")
    return [folder / name for name in names]


def check_inside(folder: Path, file: Path) -> None:
    """Raises CheckpointError for a file that is missing, or a link that leads out of the folder.

    In the hub's cache the files of a snapshot are links to those of its repository.
    """
    if not file.is_file():
        raise CheckpointError(f"expected a file {file.name} in the folder, got none")
    homes = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":
        homes.append(folder.resolve().parent.parent / "blobs")
    if not any(file.resolve().is_relative_to(home) for home in homes):
        raise CheckpointError(
            f"{file.name}: expected a file of the folder itself, got a link to {file.resolve()}, which lies outside; "
            "put the file in its place"
        )
