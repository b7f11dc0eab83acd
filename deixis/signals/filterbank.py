"""Kaldi's log-mel filterbank written out, for as many bins as one likes.

AST and OneLLM take 128 bins of 16 kHz audio in windows of 512: the lowest filters are narrower than the spacing of the
spectrum, so that some hold none of its values. torchaudio lets them be empty; kaldi-native-fbank, which `audio` uses
otherwise, refuses them.
"""

import math

import numpy as np
from jaxtyping import Float, Float32

PREEMPHASIS = 0.97
LOWEST_HZ = 20.0
MEL_SCALE, MEL_CORNER_HZ = 1127.0, 700.0
FLOOR = float(np.finfo(np.float32).eps)
"""Under the logarithm: what an empty filter and digital silence have."""
BLOCK_ROWS = 4096
"""How many windows are transformed at once: 40 seconds, some 50 MB."""


def log_mel_hann(
    samples: Float32[np.ndarray, " samples"], rate_hz: int, length: int, shift: int, mel_bins: int
) -> Float32[np.ndarray, "row mel"]:
    """Log-mel energies of windows of `length` samples, `shift` apart, that lie wholly inside the audio.

    Each window less its mean, pre-emphasised, under a symmetric Hann window, zero-padded to a power of two; triangles
    even in mel from 20 Hz to half the rate; natural logarithm. As torchaudio.compliance.kaldi.fbank with
    window_type="hanning", use_energy=False and dither=0. 1 + (samples - length) // shift rows, none of shorter audio.
    """
    if len(samples) < length:
        return np.zeros((0, mel_bins), dtype=np.float32)
    padded = 2 ** math.ceil(math.log2(length))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))
    filters = mel_filters(rate_hz, padded, mel_bins)
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::shift]
    blocks = []
    for first in range(0, len(windows), BLOCK_ROWS):
        rows = windows[first : first + BLOCK_ROWS].astype(np.float64)
        rows = rows - rows.mean(axis=1, keepdims=True)
        rows = rows - PREEMPHASIS * np.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
        power = np.abs(np.fft.rfft(rows * hann, padded)[:, :-1]) ** 2
        blocks.append(np.log(np.maximum(power @ filters.T, FLOOR)).astype(np.float32))
    return np.concatenate(blocks)


def mel_filters(rate_hz: int, padded: int, mel_bins: int) -> Float[np.ndarray, "mel frequency"]:
    """Triangles over the frequencies 0 to just below half the rate, even in mel; some may be all zero."""
    mel = _mel(np.arange(padded // 2) * rate_hz / padded)
    edges = np.linspace(_mel(LOWEST_HZ), _mel(rate_hz / 2), mel_bins + 2)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)), 0.0)


def _mel(frequency_hz):
    return MEL_SCALE * np.log1p(frequency_hz / MEL_CORNER_HZ)
