"""Everything specific to a published system, one package per system, with the same file names in each.

`notation`, `template`, `labels`, `losses`, `sampling`, `preset`, `convert`, `release`, `scoring`, `wording`: a package
has those that its system needs.
"""

from deixis.conversation.system import System
from deixis.geometry import Notation
from deixis.model import DeixisConfig
from deixis.systems import deixis, ferret, lisa, onellm
from deixis.systems.deixis.notation import WITH_COORDINATES

SYSTEMS: dict[str, System] = {room.SYSTEM.name: room.SYSTEM for room in (deixis, onellm, ferret, lisa)}
NOTATIONS: dict[str, Notation] = {system.notation.name: system.notation for system in SYSTEMS.values()}
NOTATIONS[WITH_COORDINATES.name] = WITH_COORDINATES


def system_of(config: DeixisConfig) -> System:
    """The system whose conversations a network of this configuration was trained on."""
    return SYSTEMS[config.system]
