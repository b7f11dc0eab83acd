"""Readers of segmentation sets: class maps, mask folders, labelled clouds, ReasonSeg."""
