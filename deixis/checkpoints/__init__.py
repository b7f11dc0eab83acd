"""Trained weights: the bundled model, any folder or hub name in the same layout, and sources of other layouts."""

from deixis.checkpoints.folder import (
    BUNDLED,
    NoModelError,
    Opened,
    bundled_folder,
    open_config_and_processor,
    open_pretrained,
)

__all__ = ["BUNDLED", "NoModelError", "Opened", "bundled_folder", "open_config_and_processor", "open_pretrained"]
