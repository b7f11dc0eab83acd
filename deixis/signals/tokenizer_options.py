"""Options of tokenizers that several modalities share, and the sizes that the "stem" tokenizers can take."""

from dataclasses import dataclass
from typing import Literal, no_type_check

from deixis.errors import ConfigError
from deixis.options import Checked, Count, Natural

IMAGE = "image"
"""Tokenizer of a modality that is read by the one of images."""
STEM_STRIDE = 16
"""Pixels, filterbank frames or samples per token of a "stem" tokenizer."""
FINE_STRIDE = 4
"""Pixels, filterbank frames or samples per cell of the early feature map."""


@no_type_check
@dataclass(frozen=True)
class FrameOptions(Checked):
    """Options of modalities that are images: frames of a video, a depth map, normals.

    Attributes:
        tokenizer: "patch" (the vision model's own patches, images encoded one by one), "stem" (convolutions of its
            own; the encoder looks at all frames of a video at once) or "image" (as "stem", with the convolutions of
            images, upsampling included, instead of its own).
        size_px: side of the images, as the preparation makes them.
        patch_px: side of a token's patch.
        early_dim: channels of the early feature map; 0 for no masks in this modality.
        pool_frames: frames, or the map and its image, are averaged (OneLLM); otherwise they stay apart in time.
    """

    tokenizer: Literal["patch", "stem", "image"] = "patch"
    size_px: Count = 224
    patch_px: Count = 16
    early_dim: Natural = 0
    pool_frames: bool = False
    has_places = True  # patches have positions

    def __post_init__(self):
        super().__post_init__()
        if self.tokenizer != "patch":
            check_stem("patch_px", self.patch_px, self.size_px)
            if self.pool_frames:
                raise ConfigError(
                    f"pool_frames: expected false beside tokenizer: {self.tokenizer}, which keeps frames apart; "
                    "got true"
                )
        if getattr(self, "paired", False) and not self.pool_frames:
            raise ConfigError("paired: an image beside its map is averaged with it; set pool_frames too")

    @property
    def frame_count(self) -> int:
        """Images whose tokens stay apart."""
        return 1 if self.pool_frames else getattr(self, "frames", 1)

    @property
    def token_count(self) -> int:
        """Tokens of all views."""
        return self.frame_count * (self.size_px // self.patch_px) ** 2

    @property
    def cell_count(self) -> int:
        """Cells of all views, view by view; 0 without an early feature map."""
        return self.frame_count * (self.size_px // FINE_STRIDE) ** 2 if self.early_dim else 0


def check_stem(field: str, stride: int, size: int) -> None:
    """Raises ConfigError unless a "stem" tokenizer can take a signal of `size` in steps of `stride`."""
    if stride != STEM_STRIDE or size % STEM_STRIDE:
        raise ConfigError(
            f"{field}: expected {STEM_STRIDE}, which is four times the spacing of mask features, and a signal of a "
            f"multiple of it; got {stride} for {size}"
        )
