"""Views of signals in time: audio as a waveform, a spectrogram and a file to play; recordings as curves."""

from typing import Any

import numpy as np

from deixis.samples.media import read_content
from deixis.samples.sample import MediaReference
from deixis.serving.studio.views import Part, array_part
from deixis.signals import MODALITIES, Signal
from deixis.signals.audio import RATE_HZ, log_mel
from deixis.signals.imu_tables import AXES

PEAKS, COLUMNS, MEL_BINS, ROWS = 4096, 2048, 96, 8192
"""At most: pairs of a waveform, columns of a spectrogram, its rows, and readings of a curve."""
QUIET, LOUD = 5, 99.7
"""Percentiles of the spectrogram that black and white stand for."""
WINDOW = 400  # samples of one column of a long clip's spectrogram: Kaldi's 25 ms
MAX_WHOLE_S = 120.0
"""Of a longer clip the spectrogram is made at the middle of each column alone."""


def series(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """Audio where its values can be played, else curves."""
    return waveform(signal) if MODALITIES[signal.modality].can_play else curves(signal)


def waveform(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """The lowest and highest sample of each piece of a clip, its spectrogram from low to high tones, and the clip."""
    samples = signal.values
    pairs = min(PEAKS, len(samples))
    columns = min(COLUMNS, max(len(samples) // (RATE_HZ // 100), 1))
    clip = MediaReference(signal.name, signal.modality, values=samples)
    parts = [
        array_part("peaks", lambda: _peaks(samples, pairs), (pairs, 2)),
        array_part("spectrogram", lambda: _spectrogram(samples, columns), (MEL_BINS, columns), "|u1"),
        Part("audio.wav", "audio/wav", lambda: read_content(clip)),
    ]
    return {"drawn_as": "waveform", "rate_hz": RATE_HZ}, parts


def curves(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """The rows of a recording and their times; of a long one, means of so many rows that few enough are left."""
    rows, times_s = signal.values, np.asarray(signal.info["times_s"])
    step = -(-len(rows) // ROWS)
    starts = np.arange(0, len(rows), step)
    counts = np.diff([*starts, len(rows)])
    means = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    names = list(AXES) if rows.shape[1] == len(AXES) else [str(column) for column in range(rows.shape[1])]
    parts = [
        array_part("rows", lambda: means, means.shape),
        array_part("times", lambda: times_s[starts], starts.shape),
    ]
    return {"drawn_as": "curves", "curves": names}, parts


def _peaks(samples: np.ndarray, pairs: int) -> np.ndarray:
    """(pairs, 2): lowest and highest sample of equal pieces."""
    starts = (np.arange(pairs) * len(samples)) // pairs
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1)


def _spectrogram(samples: np.ndarray, columns: int) -> np.ndarray:
    """(mel, column) uint8, low tones first: log energies between quiet and loud."""
    if len(samples) <= MAX_WHOLE_S * RATE_HZ:
        mel = log_mel(samples, MEL_BINS)
        mel = mel[(np.arange(columns) * len(mel)) // columns] if len(mel) else np.zeros((columns, MEL_BINS))
    else:
        starts = np.maximum((np.arange(columns) + 0.5) * len(samples) / columns - WINDOW / 2, 0).astype(int)
        mel = np.stack([log_mel(samples[at : at + WINDOW], MEL_BINS).mean(axis=0) for at in starts])
    low, high = np.percentile(mel, (QUIET, LOUD))
    return (np.clip((mel.T - low) / max(high - low, 1e-6), 0, 1) * 255).round()
