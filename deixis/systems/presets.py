"""Presets by name: whole configurations. Those of the published systems get their weights by conversion."""

from deixis.systems.deixis import preset as deixis
from deixis.systems.ferret import preset as ferret
from deixis.systems.lisa import preset as lisa
from deixis.systems.onellm import preset as onellm
from deixis.systems.pointmlp import preset as pointmlp
from deixis.systems.preset_type import Preset

PRESETS: dict[str, Preset] = {
    **onellm.PRESETS,
    **ferret.PRESETS,
    **lisa.PRESETS,
    **pointmlp.PRESETS,
    **deixis.PRESETS,
}
