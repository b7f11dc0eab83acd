"""What a network has of parameters and needs of memory, counted on the network built without values (meta device)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from deixis.model import DeixisConfig
from deixis.model.shrinking import DEVICES, WORDS, small_bytes, small_layers
from deixis.model.tokenizers.pointmlp import PointMLPConfig
from deixis.systems.conversion import meta_network

DTYPES = ("float32", "bfloat16", *WORDS)
MEMORY_GB = (4, 8, 12, 16, 24, 32, 48, 80, 128)
"""What accelerators and machines come with."""
ROOM = 1.2
"""Times the weights, for what is computed on the way; and a gigabyte."""
WHOLE = {"float32": 4, "bfloat16": 2}
REST = 2
"""Bytes of a weight that int8 and int4 leave as it is: bfloat16, as `load` takes them."""


@dataclass(frozen=True)
class Needs:
    """parameters: of a network. small: (word, device) -> (parameters that are made smaller, bytes that they become)."""

    parameters: int
    small: Mapping[tuple[str, str], tuple[int, int]]

    def nbytes(self, dtype: str, device: str = "cpu") -> int | None:
        """Bytes of the weights as "float32", "bfloat16", "int8" or "int4"; None where that does not run (MPS).

        int8 and int4 are PyTorch's on "cpu" and bitsandbytes' on "cuda", scales included; what they leave whole (see
        `shrinking.FULL_PRECISION`) is bfloat16.
        """
        if dtype in WHOLE:
            return self.parameters * WHOLE[dtype]
        if (dtype, device) not in self.small:
            return None
        count, nbytes = self.small[dtype, device]
        return (self.parameters - count) * REST + nbytes

    def fits_gb(self, dtype: str, device: str = "cpu") -> int | None:
        """The smallest usual memory, of an accelerator or a machine, in which a network of this size runs."""
        nbytes = self.nbytes(dtype, device)
        return None if nbytes is None else next((gb for gb in MEMORY_GB if gb >= nbytes * ROOM / 1e9 + 1), None)


def size_text(nbytes: int) -> str:
    """Bytes of memory as text: "13.5 GB", or "2 MB" below one GB."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def needs_of(config: DeixisConfig | PointMLPConfig) -> Needs:
    """Counts the parameters of a configuration's network, shared ones once. A PointMLP is never quantised."""
    network = meta_network(config)
    layers = {} if isinstance(config, PointMLPConfig) else small_layers(network)
    small = {}
    for pair in product(WORDS, DEVICES) if layers else ():
        made = [(layer.weight.numel(), small_bytes(layer, *pair)) for layer in layers.values()]
        sizes = [(count, nbytes) for count, nbytes in made if nbytes is not None]
        small[pair] = (sum(count for count, _ in sizes), sum(nbytes for _, nbytes in sizes))
    return Needs(sum(w.numel() for w in network.parameters()), small)
