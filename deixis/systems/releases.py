"""The releases of all systems, and their presets by name."""

from deixis.systems.deixis.release import RELEASE as DEIXIS
from deixis.systems.ferret.release import RELEASE as FERRET
from deixis.systems.lisa.release import RELEASE as LISA
from deixis.systems.onellm.release import RELEASE as ONELLM
from deixis.systems.pointmlp.release import RELEASE as POINTMLP
from deixis.systems.release import Preset, Release

RELEASES: dict[str, Release] = {release.system: release for release in (DEIXIS, ONELLM, FERRET, LISA, POINTMLP)}
CONVERTIBLE = {system: release for system, release in RELEASES.items() if release.read is not None}
"""Those with an official checkpoint."""
PRESETS: dict[str, Preset] = {name: preset for own in RELEASES.values() for name, preset in own.presets.items()}
