"""PointMLP and PointMLP-elite: logits of the classifiers, and farthest points."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file

from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.ops import farthest_points
from deixis.systems.conversion import convert
from deixis.systems.release import ConversionOptions
from tests.parity.golden import Check, Golden

SOURCES = ("config.json", "checkpoint.safetensors")
GIVEN = {"data/*.points": "clouds"}
LEFT: dict[str, str] = {}
PRESETS = {"full": "pointmlp", "elite": "pointmlp-elite"}
TOLERANCE = 1e-4


def checks(golden: Golden, place: Path) -> Iterator[Check]:
    for name, preset in PRESETS.items():
        if golden.has(f"data/{name}.logits"):
            network = converted(golden.folder, place / name, preset)
            with torch.no_grad():
                logits = network(golden[f"data/{name}.points"].transpose(1, 2))
            yield Check(f"data/{name}.logits", logits, TOLERANCE)
    count = golden["data/fps.index"].shape[1]
    yield Check("data/fps.index", farthest_points(golden["data/fps.points"], count))


def converted(folder: Path, out: Path, preset: str) -> PointMLP:
    """The network that `deixis convert pointmlp` makes of one half of the file."""
    convert("pointmlp", folder, out, ConversionOptions(preset=preset))
    options = json.loads((out / "config.json").read_text(encoding="utf-8"))
    options.pop("model_type")
    network = PointMLP(PointMLPConfig.of(options))
    network.load_state_dict(load_file(out / "model.safetensors"))
    return network.eval()
