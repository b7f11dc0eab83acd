"""A PointMLP that names what a cloud is: network, names of the classes, and how clouds are prepared, in one folder.

The folder holds `config.json` (the network's sizes, the classes, `unit_sphere`) and `model.safetensors` under the
published names. Does not know files of clouds or training.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file

from deixis.checkpoints.config_file import check_fields
from deixis.checkpoints.small_files import read_object
from deixis.errors import CheckpointError, ConfigError, InputError, one_line
from deixis.files.whole import whole_folder
from deixis.model.meta import limited_parts, on_meta
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig

MODEL_TYPE = "pointmlp"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass
class CloudClassifier:
    """`network` gives a score for each of `classes`; unit_sphere: clouds are first brought into the unit sphere."""

    network: PointMLP
    classes: tuple[str, ...]
    unit_sphere: bool = True

    def __post_init__(self):
        if len(self.classes) != self.network.config.class_num:
            raise CheckpointError(f"classes: expected {self.network.config.class_num} names, got {len(self.classes)}")

    @torch.no_grad()
    def predict(self, xyz: Float[np.ndarray, "point 3"]) -> dict[str, float]:
        """Probability of each class for the points of one object, the most probable first; they add up to 1.

        x, y, z in any unit; of a mesh take its surface (`cloud_files.read_points`). Of more points than the
        network was made for, a choice that is the same every time.

        Raises InputError for no points, or coordinates that are not finite.
        """
        if not len(xyz) or not np.isfinite(xyz).all():
            raise InputError(
                f"cloud: expected points with finite x, y, z, got {len(xyz)} points, some not finite or none"
            )
        points = torch.from_numpy(np.asarray(xyz, dtype=np.float64))
        if self.unit_sphere:
            points = points - points.mean(0)
            points = points / points.square().sum(1).max().sqrt().clamp(min=torch.finfo(points.dtype).tiny)
        count = self.network.config.points
        if len(points) > count:
            points = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:count]]
        weight = next(self.network.parameters())
        self.network.eval()
        scores = self.network(points.to(weight)[None]).softmax(-1)[0]
        if not torch.isfinite(scores).all():
            raise CheckpointError("the classifier: expected finite numbers of its weights, got NaN; they are damaged")
        order = scores.argsort(descending=True, stable=True).tolist()
        return {self.classes[index]: float(scores[index]) for index in order}

    def save(self, folder: str | Path) -> None:
        """Writes the folder under a temporary name, then renames it: it is whole or not there."""
        with whole_folder(Path(folder)) as part:
            write_config(part, self.network.config, self.classes, self.unit_sphere)
            save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, part / WEIGHTS)


def write_config(folder: Path, config: PointMLPConfig, classes: Sequence[str], unit_sphere: bool) -> None:
    """Writes the `config.json` of a classifier; without names of `classes` it holds the sizes alone."""
    named = {"classes": list(classes), "unit_sphere": unit_sphere} if classes else {}
    text = json.dumps({"model_type": MODEL_TYPE, **asdict(config), **named}, indent=1, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def load_classifier(folder: str | Path) -> CloudClassifier:
    """The classifier in a folder, on the CPU and in evaluation mode.

    Where the folder has no names, as a converted checkpoint, the classes are called by their numbers from 0.

    Raises CheckpointError, one sentence, for a folder of something else, a damaged file, and weights that do not fit.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"classifier '{folder}': expected a file {name} in the folder, got none")
    try:
        record = read_object(folder / CONFIG)
        check_fields(record)
    except (CheckpointError, ConfigError) as error:
        raise type(error)(f"classifier '{folder}': {error}") from error
    model_type = record.pop("model_type", None)
    if model_type != MODEL_TYPE:
        raise CheckpointError(
            f"classifier '{folder}': expected model_type '{MODEL_TYPE}' in {CONFIG}, got {model_type!r}"
        )
    classes, unit_sphere = record.pop("classes", None), bool(record.pop("unit_sphere", True))
    network = _network(PointMLPConfig.of(record, f"classifier '{folder}': {CONFIG}: "), folder)
    if classes is None:
        classes = [str(number) for number in range(network.config.class_num)]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise CheckpointError(
            f"classifier '{folder}': {CONFIG}: classes: expected a list of names, got {classes!r:.80}"
        )
    try:
        return CloudClassifier(network.eval(), tuple(classes), unit_sphere)
    except CheckpointError as error:
        raise CheckpointError(f"classifier '{folder}': {CONFIG}: {error}") from error


def _network(config: PointMLPConfig, folder: Path) -> PointMLP:
    """The network of a configuration with the weights in a folder, whose shapes are compared before it takes memory."""
    try:
        with limited_parts(), on_meta():
            wanted = {name: tensor.shape for name, tensor in PointMLP(config).state_dict().items()}
        weights = load_file(folder / WEIGHTS)
        if odd := next((name for name in wanted if name not in weights or weights[name].shape != wanted[name]), None):
            raise CheckpointError(f"{odd} is missing or has another shape")
        network = PointMLP(config)
        network.load_state_dict(weights)
    except Exception as error:  # safetensors has an error of its own, torch raises RuntimeError
        raise CheckpointError(
            f"classifier '{folder}': {WEIGHTS} does not fit {CONFIG} ({one_line(error, 200)})"
        ) from error
    return network
