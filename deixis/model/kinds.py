"""The kinds of signal, in the order that stands for them wherever a kind is a number, and their axes."""

KINDS = ("image", "audio", "point_cloud", "video", "depth", "normal", "imu", "fmri")
AXES = {"image": 2, "audio": 1, "point_cloud": 3, "video": 3, "depth": 2, "normal": 2, "imu": 1, "fmri": 3}
"""Axes of a place in each kind: x, y | t | x, y, z; a video's are x, y, t."""
PICTURES = ("image", "video", "depth", "normal")
"""Kinds made of pixels: they share the patch embedding of a vision model."""
