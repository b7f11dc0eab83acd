"""The parts of a network that read regions, from its configuration: the map of features, and the sampler.

`sampler.type` chooses between Ferret's sampler and the average it is compared with; None is a network without regions.
"""

from torch import nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.part_configs import SamplerConfig
from deixis.model.regions.sampler import RegionAverage, RegionSampler


def region_width(config: DeixisConfig) -> int:
    """Channels that regions read of a field: of the tokens alone, or of both levels."""
    both = config.has_fine and config.sampler.features == "levels"
    return config.vision_config.hidden_size + config.pointing.dim * both


def build_region_parts(config: DeixisConfig) -> tuple[nn.Module, RegionSampler | RegionAverage | None]:
    """The map from a field's features to the sampler's, and the sampler; none where regions are not taken.

    Raises:
        ConfigError: The sampler reads the encoder's tokens as they are and has another width.
    """
    options, dim = config.sampler, config.vision_config.hidden_size
    if not config.takes_regions:
        return nn.Identity(), None
    sampler = _build_sampler(options, config.text_config.hidden_size)
    if options.features == "levels":
        return nn.Linear(region_width(config), options.in_dim), sampler
    if options.in_dim != dim:
        raise ConfigError(f"sampler.in_dim: expected {dim}, the encoder's width, for 'tokens'; got {options.in_dim}")
    return nn.Identity(), sampler


def _build_sampler(options: SamplerConfig, out_dim: int) -> RegionSampler | RegionAverage:
    if options.type == "average":
        pooling = "mean" if options.pooling == "auto" else options.pooling
        return RegionAverage(options.in_dim, out_dim, options.axes, pooling, options.coordinates)
    return RegionSampler(
        options.in_dim,
        out_dim,
        options.axes,
        options.anchors,
        options.neighbours,
        pooling="max" if options.pooling == "auto" else options.pooling,
        coordinates=options.coordinates,
        local=options.local,
        normalize=options.normalize,
    )
