"""Endless streams of training batches, generated with a seed from the world while training runs.

Step `s` of a stream is a function of the recipe's seed and `s` alone, so a resumed run sees the batches of an unbroken
one, for any number of workers. A stream yields whole batches; the loader's batch size is 1 (`first`).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from deixis.signals import chosen_indices, open_signal, to_tensor
from deixis.world.audio import RATE_HZ, sample_audio_clip
from deixis.world.dense_targets import audio_targets, image_targets, point_cloud_targets
from deixis.world.render import build_mesh, render, sample_cloud
from deixis.world.scene import sample_scene

CELL_PX = CELL_FRAMES = 4  # pixels or filterbank frames of a fine cell of a field


class BatchStream(IterableDataset):
    """Batches `make(step)` for step = start, start + 1, ..., stop - 1, shared out among the loader's workers."""

    def __init__(self, make: Callable[[int], dict[str, Any]], start: int, stop: int):
        self.make, self.start, self.stop = make, start, stop

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        if worker:
            torch.set_num_threads(1)
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(self.start + first, self.stop, step):
            yield self.make(number)


def first(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The collator of a stream of whole batches."""
    return items[0]


def supersampling(seed: int) -> int:
    """Rays per side of a pixel: every third image of training is antialiased, as reduced photographs are."""
    return 2 if seed % 3 == 0 else 1


class DenseBatches:
    """`make` for dense pretraining: {"image" | "audio" | "point_cloud": {"values", "classes", "box"}}.

    `specs` by modality are the tensors that the network requires, `counts` the signals of each modality per batch.
    Images and their targets are mirrored half of the time.
    """

    def __init__(self, specs: dict[str, Any], counts: dict[str, int], seed: int):
        self.specs, self.counts, self.seed = specs, counts, seed
        self.makers = {"image": self._image, "audio": self._audio, "point_cloud": self._point_cloud}

    def __call__(self, step: int) -> dict[str, dict[str, torch.Tensor]]:
        batch = {}
        for kind, count in self.counts.items():
            rows = [self.makers[kind](self.seed + step * count + i) for i in range(count)]
            names = ("values", "classes", "box")
            batch[kind] = {
                n: torch.from_numpy(np.stack(column)) for n, column in zip(names, zip(*rows, strict=True), strict=True)
            }
        return batch

    def _image(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        spec, scene = self.specs["image"], sample_scene("train", seed)
        view = render(scene, spec.size_px, supersampling(seed))
        truth = image_targets(scene, view.object_id, view.part_id, spec.size_px // CELL_PX)
        values, _ = to_tensor(open_signal(view.rgb, "image"), spec)
        classes, box = truth.classes, truth.box
        if seed % 2:
            side = int(len(classes) ** 0.5)
            values = values[:, :, ::-1].copy()
            classes = classes.reshape(side, side, -1)[:, ::-1].reshape(classes.shape)
            box = box.reshape(side, side, 4)[:, ::-1].reshape(-1, 4)
            box = np.stack([1 - box[:, 2], box[:, 1], 1 - box[:, 0], box[:, 3]], -1)
        return values, np.ascontiguousarray(classes), np.ascontiguousarray(box)

    def _audio(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        spec, sound = self.specs["audio"], sample_audio_clip("train", seed)
        values, _ = to_tensor(open_signal((sound.samples, RATE_HZ), "audio"), spec)
        truth = audio_targets(sound, spec.window_s, len(values) // CELL_FRAMES)
        return values, truth.classes, truth.box

    def _point_cloud(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        spec, scene = self.specs["point_cloud"], sample_scene("train", seed)
        cloud = sample_cloud(scene, mesh=build_mesh(scene))
        signal = open_signal(cloud.points, "point_cloud")
        values, _ = to_tensor(signal, spec)
        chosen = chosen_indices(signal, spec)
        truth = point_cloud_targets(scene, cloud.object_id[chosen], cloud.part_id[chosen], values[:, :3])
        return values, truth.classes, truth.box
