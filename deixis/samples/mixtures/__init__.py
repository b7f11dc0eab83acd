"""Mixtures of sets of samples: which sample each draw of a training run is, told from its number alone."""
