"""The network and the stages that the comparisons are variants of: a small one, trained in minutes on the world.

Sizes are those of `recipes/tiny.yaml`, about a fifth of its weights (2.5 M), with images of 96 px and half the points.
"""

from collections.abc import Mapping
from typing import Any

from deixis.world.generate import task_weights

WIDTH = 128
SIGNALS: Mapping[str, Any] = {
    "image": {"size_px": 96, "patch_px": 16, "early_dim": 48},
    "audio": {"window_s": 8.0, "mel_bins": 64, "stride": 16, "early_dim": 48},
    "point_cloud": {"count": 512, "groups": 32, "neighbours": 16, "early_dim": 48},
}
DENSE, INSTRUCT = "dense", "instruct"
JOINT = {"image": 2, "audio": 1, "point_cloud": 1}
"""Rows per step of all modalities."""
SECONDS = {DENSE: 0.03, INSTRUCT: 0.1}
"""Of one signal or row of a step on one thread of a server's CPU, for estimates (docs/ablations.md)."""
START_S, QUESTION_S = 20.0, 0.1
"""Of the start of a training, and of one question."""
BUNDLED_FACTOR = 7
"""How much longer a step of the bundled model takes."""


def only(*modalities: str, **weights: float) -> dict[str, float]:
    """The `tasks` of a stage in which these alone are asked: a small network learns few of them in few steps."""
    return {task: 0.0 for modality in modalities for task in task_weights(modality)} | weights


def network(**changes: Any) -> dict[str, Any]:
    """The `model` of a recipe; `changes` replace its fields."""
    layers = {"hidden_size": WIDTH, "num_attention_heads": 4, "intermediate_size": 3 * WIDTH}
    text = {**layers, "model_type": "llama", "num_hidden_layers": 4, "num_key_value_heads": 4}
    return {
        "vision_config": {**layers, "model_type": "clip_vision_model", "num_hidden_layers": 3, "hidden_act": "gelu"},
        "text_config": {**text, "max_position_embeddings": 1024, "tie_word_embeddings": True},
        "signals": dict(SIGNALS),
        "projection": {"queries": 4, "experts": 3, "router": "soft"},
        "sampler": {"points": 32, "in_dim": 64, "anchors": [8, 2], "neighbours": [6, 4], "pooling": "max"},
        "pointing": {"dim": 32},
        "number_spread": 12.0,
        "loss_weights": {"numbers": 6.0},
        **changes,
    }


def dense(steps: int = 200, name: str = DENSE, **fields: Any) -> dict[str, Any]:
    """A stage in which the encoder learns what every cell of an image shows, without language."""
    return _stage(name, DENSE, steps, {"batch": {"image": 16}, **fields})


def instruct(steps: int = 300, name: str = INSTRUCT, **fields: Any) -> dict[str, Any]:
    """A stage of questions, by default about images."""
    own = {"batch": {"image": 4}, "questions": 8, "max_tokens": 300, "guide_weight": 0.5}
    return _stage(name, INSTRUCT, steps, {**own, **fields})


def recipe(*stages: Mapping[str, Any], signals: tuple[str, ...] = ("image",), **changes: Any) -> dict[str, Any]:
    """A recipe of these stages on a network of these modalities; `changes` replace fields of the network."""
    own = {name: SIGNALS[name] for name in signals} | changes.pop("signals_changed", {})
    return {"model": network(signals=own, **changes), "stages": [dict(stage) for stage in stages]}


def _stage(name: str, task: str, steps: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    how = {"learning_rate": 1e-3, "warmup_steps": 30, "schedule": "linear"}
    # one thread: a process of its own for batches would only take turns with the training
    kept = {"save_steps": 100, "log_steps": 20, "workers": 0, "bf16": False}
    return {"name": name, "task": task, "steps": steps, **how, **kept, **fields}
