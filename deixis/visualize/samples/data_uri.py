"""Images and audio as data URIs, so that a page needs no other file."""

import io
from base64 import b64encode

import numpy as np
from jaxtyping import Float
from PIL import Image

from deixis.signals import MODALITIES
from deixis.signals.audio import RATE_HZ

JPEG_QUALITY = 82
LONGEST_SOUND_S = 60


def image_data_uri(image: Image.Image, modality: str) -> str:
    """The drawing of a signal of a kind as an address, JPEG or PNG."""
    content = io.BytesIO()
    if MODALITIES[modality].is_line_drawing:
        image.save(content, "PNG", optimize=True)
        return _address("image/png", content)
    image.save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)  # thin coloured lines stay sharp
    return _address("image/jpeg", content)


def audio_data_uri(samples: Float[np.ndarray, " n"]) -> str | None:
    """Audio at 16 kHz as a data URI, MP3; None if it is longer than `LONGEST_SOUND_S`."""
    import soundfile

    if len(samples) > LONGEST_SOUND_S * RATE_HZ:
        return None
    content = io.BytesIO()
    soundfile.write(content, np.clip(samples, -1, 1), RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    return _address("audio/mpeg", content)


def _address(mime: str, content: io.BytesIO) -> str:
    return f"data:{mime};base64,{b64encode(content.getvalue()).decode('ascii')}"
