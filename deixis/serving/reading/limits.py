"""How much one file of a stranger may take of a reading process."""

from dataclasses import dataclass
from typing import no_type_check

from deixis.files.budget import MAX_DECODED_MB, MB
from deixis.options import Checked, Count, Positive


@no_type_check
@dataclass(frozen=True)
class ReadingLimits(Checked):
    """Limits of one file.

    Attributes:
        file_bytes: its size.
        decoded_mb: the budget of `deixis.files.budget`: what its header may announce, and an archive may unpack to.
        memory_mb: by how much the address space of its process may grow, whatever its header says; more than
            `decoded_mb`, for libraries reserve what they do not fill.
        seconds: of waiting for its signal, and of processor time.
    """

    file_bytes: Count = 256 * MB
    decoded_mb: Count = MAX_DECODED_MB // 2
    memory_mb: Count = 2048
    seconds: Positive = 30.0
