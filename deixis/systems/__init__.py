"""What is peculiar to each published system, one room per system, under the same file names.

`preset`, `convert`, `template`, `notation`, `labels`, `losses`, `scoring`: a room has those that its system needs.
"""

from deixis.geometry import Notation
from deixis.model import DeixisProcessor
from deixis.systems.deixis import notation as deixis
from deixis.systems.ferret import notation as ferret
from deixis.systems.ferret.sampling import read_ferret
from deixis.systems.lisa import notation as lisa
from deixis.systems.onellm import notation as onellm

NOTATIONS: dict[str, Notation] = {
    notation.name: notation
    for notation in (
        deixis.NOTATION,
        deixis.WITH_COORDINATES,
        ferret.NOTATION,
        lisa.NOTATION,
        onellm.NOTATION,
    )
}

DeixisProcessor.region_readers |= {"ferret": read_ferret}
