"""A small signal of each modality."""

import numpy as np

from deixis.signals import open_signal

RNG = np.random.default_rng(0)
PICTURE = open_signal(np.full((40, 60, 3), 128, np.uint8))
SOUND = open_signal((RNG.normal(0, 0.1, 16_000).astype(np.float32), 16_000))
CLOUD = open_signal(np.concatenate([RNG.random((300, 3)), np.full((300, 3), 0.5)], 1).astype(np.float32))
FILM = open_signal((np.full((20, 40, 60, 3), 128, np.uint8), 5))
DEPTH = open_signal((np.full((40, 60, 3), 128, np.uint8), np.tile(np.linspace(0, 4, 60), (40, 1))))
NORMAL = open_signal(np.tile(np.array([0.0, 0.6, 0.8]), (40, 60, 1)), modality="normal")
TRACE = open_signal((RNG.normal(size=(100, 6)), 50))
NUMBERS = open_signal(RNG.normal(size=500), modality="fmri")
