"""The environment of Deixis: versions, extras, devices, offline settings, the bundled model.

Reads the installed metadata (so pyproject.toml stays the only list of requirements) and imports nothing but PyTorch,
for the devices. Knows nothing of how this is printed.
"""

import importlib.metadata
import importlib.resources
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement

DISTRIBUTION = "deixis"
REPORTED_VERSIONS = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "pillow", "trimesh")
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
BUNDLED_MODEL = ("checkpoints", "bundled")


@dataclass(frozen=True)
class Package:
    """One requirement: its distribution name, the requirement for pip, and the installed version or None."""

    name: str
    requirement: str
    version: str | None
    satisfied: bool

    @property
    def import_name(self) -> str:
        return self.name.lower().replace("-", "_")


@dataclass(frozen=True)
class Extra:
    """An extra of this package and the packages that it alone requires."""

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> tuple[Package, ...]:
        return tuple(package for package in self.packages if not package.satisfied)

    @property
    def pip_line(self) -> str:
        """The pip command that installs the missing packages; empty if none is missing."""
        return "pip install " + " ".join(f"'{p.requirement}'" for p in self.missing) if self.missing else ""


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, None where there is none; does not import it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def extras_of_this_package() -> tuple[Extra, ...]:
    """The extras that name packages of their own, in pyproject.toml's order; none if Deixis is not installed."""
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return ()
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist") or ()]
    extras = (Extra(name, tuple(_packages_of(name, requirements))) for name in metadata.get_all("Provides-Extra") or ())
    return tuple(extra for extra in extras if extra.packages)


def _packages_of(extra: str, requirements: list[Requirement]) -> Iterator[Package]:
    for wanted in requirements:
        marker = wanted.marker
        if wanted.name == DISTRIBUTION or marker is None:
            continue
        if marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            version = installed_version(wanted.name)
            satisfied = version is not None and wanted.specifier.contains(version, prereleases=True)
            yield Package(wanted.name, f"{wanted.name}{wanted.specifier}", version, satisfied)


def versions() -> dict[str, str | None]:
    """Versions of Python, Deixis and the libraries that explain most problems."""
    import deixis

    return {
        "python": platform.python_version(),
        DISTRIBUTION: deixis.__version__,
        **{name: installed_version(name) for name in REPORTED_VERSIONS},
    }


def devices() -> list[dict[str, str | int | None]]:
    """The devices a model can run on: the CPU first, then CUDA devices, then Apple's GPU.

    Each is {"device", "name", "memory_bytes"}: total memory, free or not; None where unknown.
    """
    import torch

    threads = torch.get_num_threads()
    own = f"{platform.machine()}, {threads} thread{'s' * (threads != 1)}"
    found = [{"device": "cpu", "name": own, "memory_bytes": machine_memory_bytes()}]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(index)
        found.append({"device": f"cuda:{index}", "name": card.name, "memory_bytes": card.total_memory})
    if torch.backends.mps.is_available():  # it shares the machine's memory
        found.append({"device": "mps", "name": "Apple GPU", "memory_bytes": machine_memory_bytes()})
    return found


def machine_memory_bytes() -> int | None:
    """The memory of this machine; None where the system does not report it this way (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def offline_settings() -> dict[str, str | None]:
    """The environment variables that keep the hub's client from the network or from counting, as they are set now."""
    return {name: os.environ.get(name) for name in OFFLINE_VARIABLES}


def bundled_model_is_here() -> bool:
    """Whether this installation has a bundled model at all; looks at no weights."""
    return importlib.resources.files(DISTRIBUTION).joinpath(*BUNDLED_MODEL, "config.json").is_file()


def bundled_model() -> dict[str, bool | int]:
    """Whether the bundled model is in this installation: {"present", "bytes"}, bytes of its weights."""
    folder = importlib.resources.files(DISTRIBUTION).joinpath(*BUNDLED_MODEL)
    if not folder.is_dir():
        return {"present": False, "bytes": 0}
    weights = [len(f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".safetensors")]
    return {"present": bool(weights) and folder.joinpath("config.json").is_file(), "bytes": sum(weights)}
