"""Deixis's own models: the bundled one, and a preset of backbones of today, without published weights."""

from deixis.checkpoints import BUNDLED, bundled_folder
from deixis.model import DeixisConfig
from deixis.systems.deixis.notation import NOTATION
from deixis.systems.deixis.preset import union_config
from deixis.systems.deixis.template import template_for
from deixis.systems.release import Beginning, Preset, Release

RELEASE = Release(
    system="deixis",
    name="Deixis, the union",
    paper="the three systems in one network",
    source="this repository",
    weights="bundled: in this package; union: none published, train it from a recipe",
    licence="Apache-2.0 (code); the backbones have their own: Qwen3 and SAM 2: Apache-2.0, SigLIP 2: Apache-2.0",
    presets={
        BUNDLED: Preset(lambda: DeixisConfig.from_pretrained(bundled_folder()), "nothing: trained from scratch"),
        "union": Preset(union_config, "Qwen3 4B, SigLIP 2 so400m/16 384, SAM 2.1 Hiera large"),
    },
    beginning=Beginning(template_for, NOTATION.markers),
)
