"""The union's notation: phrases between tokens, regions as grid coordinates or ``<seg>``."""

from deixis.geometry import Notation

NOTATION = Notation("deixis")
WITH_COORDINATES = Notation("deixis-coordinates", region_coordinates=True)
"""The ablation in which a question carries a region's coordinates too, as Ferret's hybrid representation does."""
