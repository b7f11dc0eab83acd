"""Trained weights: the bundled model, and any folder or hub name in the same layout."""

from deixis.pretrained.folder import BUNDLED, bundled_folder, open_pretrained

__all__ = ["BUNDLED", "bundled_folder", "open_pretrained"]
