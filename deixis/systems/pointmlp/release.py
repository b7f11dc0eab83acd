"""PointMLP's published checkpoints, in its two sizes: classifiers of point clouds."""

from functools import partial

from deixis.model.tokenizers.pointmlp import PRESETS as SIZES
from deixis.systems.pointmlp.convert import read
from deixis.systems.release import Preset, Release

RELEASE = Release(
    system="pointmlp",
    name="PointMLP",
    paper="Ma et al., Rethinking Network Design and Local Geometry in Point Cloud, ICLR 2022",
    source="ma-xu/pointMLP-pytorch@1ab7f04",
    weights="web.northeastern.edu/smilelab/xuma/pointMLP/checkpoints (the server was down in 2024)",
    licence="Apache-2.0",
    presets={name: Preset(partial(SIZES.__getitem__, name), "nothing else") for name in SIZES},
    lacks=("questions and text",),
    read=read,
    options=("classes", "preset"),
    tensor_prefixes=("local_grouper_list.", "module.local_grouper_list.", "full.local_", "elite.local_"),
)
