"""Snapshots of the Hugging Face hub: downloaded, or taken from the local cache where there is no network.

The caller selects the files. Reads no file.
"""

import logging
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deixis.errors import CheckpointError

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Hugging Face's environment variables for offline mode; either suffices."""
ON = ("1", "on", "yes", "true")


def is_hub_id(name: str) -> bool:
    """Whether a name has the form owner/name."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and all(name.split("/"))


def fetch_snapshot(name: str, wanted: Callable[[Sequence[str]], list[str]], what: str) -> Path:
    """The folder with the wanted files of the repository `name`.

    `wanted` gives patterns of file names, from the names of all its files. `what` names the argument in an error.
    Raises CheckpointError for a repository that does not exist, and where the hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    with _quiet():
        try:
            if constants.HF_HUB_OFFLINE:
                return Path(snapshot_download(name, local_files_only=True))
            listed = HfApi().model_info(name).siblings or []  # not retried, so it fails at once
            return Path(snapshot_download(name, allow_patterns=wanted([file.rfilename for file in listed])))
        except RepositoryNotFoundError as error:
            raise CheckpointError(
                f"{what}: '{name}' is no folder here and no repository of the hub, or one that needs a login; "
                "check the name"
            ) from error
        except LocalEntryNotFoundError as error:
            if not constants.HF_HUB_OFFLINE:
                raise _unreachable(name, what, error) from error
            raise CheckpointError(
                f"{what}: '{name}' is no folder here, was not fetched before, and {_switch()} keeps the hub from being "
                "asked; check the name, or unset it"
            ) from error
        except Exception as error:  # of the network, of the disk
            try:
                return Path(snapshot_download(name, local_files_only=True))
            except Exception:
                raise _unreachable(name, what, error) from error


def _unreachable(name: str, what: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{what}: '{name}' is no folder here, and the hub could not give it ({type(error).__name__}); "
        "check the name and the network"
    )


def _switch() -> str:
    """The environment variable that is on, with its value."""
    on = (f"{name}={os.environ[name]}" for name in OFFLINE if os.environ.get(name, "0").lower() in ON)
    return next(on, f"{OFFLINE[0]}=1")


@contextmanager
def _quiet() -> Generator[None]:
    """Silences the hub's log lines about retries and logins: errors name what matters in them."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
