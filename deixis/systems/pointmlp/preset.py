"""PointMLP's two published sizes."""

from functools import partial

from deixis.model.tokenizers.pointmlp import PRESETS as SIZES
from deixis.systems.preset_type import Preset

PRESETS = {name: Preset("pointmlp", partial(SIZES.__getitem__, name), "nothing else") for name in SIZES}
