"""Packs a trained model as the bundled one: half precision, shards below 15 MB, no pretraining heads.

    python scripts/bundle.py runs/tiny/anneal/model

Writes deixis/checkpoints/bundled; its model card is preserved.
"""

import shutil
import sys
from pathlib import Path

import torch

from deixis.checkpoints import bundled_folder, open_pretrained
from deixis.training.run_folder import SHARD_SIZE


def bundle(trained: Path) -> Path:
    """Writes the model in `trained` into the package, and returns the folder."""
    network, processor = open_pretrained(trained, torch.float32)
    target = bundled_folder()
    part = target.with_name("tiny.part")
    shutil.rmtree(part, ignore_errors=True)
    network.to(torch.float16).save_pretrained(part, max_shard_size=SHARD_SIZE)
    processor.save_pretrained(part)
    card = target / "MODEL_CARD.md"
    if card.exists():
        shutil.copy(card, part / card.name)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("bundle: expected one argument, the folder of a trained model")
    folder = bundle(Path(sys.argv[1]))
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")
