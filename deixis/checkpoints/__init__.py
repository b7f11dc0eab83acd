"""Trained weights: the bundled model, any folder or hub name in the same layout, and official checkpoints converted.

Opening is in `folder`; `convert`, `presets` and `notations` are imported by their own names.
"""

from deixis.checkpoints.folder import (
    BUNDLED,
    Opened,
    bundled_folder,
    open_config_and_processor,
    open_network,
    open_pretrained,
)

__all__ = ["BUNDLED", "Opened", "bundled_folder", "open_config_and_processor", "open_network", "open_pretrained"]
