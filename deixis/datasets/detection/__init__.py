"""Readers of detection and instance-segmentation sets."""
