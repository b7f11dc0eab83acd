"""SAM or SAM 2 as the mask backbone of images, as in LISA: a hidden state at `<seg>` prompts its mask decoder.

    image --> SAM's vision encoder --> image embeddings ----+
    hidden at <seg> --> MLP --> one sparse prompt token ----+--> SAM's mask decoder --> logits, a quarter of the input

(Lai et al., CVPR 2024, section 3.1.) The model is transformers' `SamModel` or `Sam2Model`, built from a configuration;
there is no dense prompt, so SAM's own embedding of "no mask" takes its place. Like `PointingHead`, it maps states and
the features of the signals they point into to logits over cells.
"""

import copy

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, Sam2Model, SamModel


class SamPointing(nn.Module):
    """Hidden states at `<seg>` to SAM's low-resolution mask logits."""

    def __init__(self, sam: PreTrainedModel, hidden_dim: int):
        super().__init__()
        self.sam, self.has_levels = sam, isinstance(sam, Sam2Model)
        prompt_dim = sam.config.prompt_encoder_config.hidden_size
        self.prompt = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, prompt_dim))

    def encode(self, values: Float[Tensor, "row 3 side side"]) -> tuple[Float[Tensor, "row _ _ _"], ...]:
        """Image embeddings of prepared images (see `prepare_for_sam`): one map; of SAM 2 two finer ones before it."""
        if not self.has_levels:
            return (self.sam.vision_encoder(values.to(self.sam.dtype)).last_hidden_state,)
        levels = list(self.sam.vision_encoder(values.to(self.sam.dtype)).fpn_hidden_states)
        decoder = self.sam.mask_decoder
        levels[0], levels[1] = decoder.conv_s0(levels[0]), decoder.conv_s1(levels[1])
        levels[-1] = levels[-1] + self.sam.no_memory_embedding.reshape(1, -1, 1, 1)
        return tuple(levels)

    def forward(
        self, hidden: Float[Tensor, "mask hidden"], features: tuple[Float[Tensor, "mask _ _ _"], ...]
    ) -> Float[Tensor, "mask cell"]:
        """Logits over (4 height) x (4 width) cells, row by row, of SAM's square; `features` from `encode`."""
        return self.decode(self.prompt(hidden)[:, None], features)[0]

    def decode(
        self, prompts: Float[Tensor, "mask token prompt"], features: tuple[Float[Tensor, "mask _ _ _"], ...]
    ) -> tuple[Float[Tensor, "mask cell"], Float[Tensor, " mask"]]:
        """(logits, predicted IoU) for sparse prompts of one or more tokens: SAM's first output, its answer to a clear
        prompt."""
        none = {"input_points": None, "input_labels": None, "input_boxes": None, "input_masks": None}
        _, dense = self.sam.prompt_encoder(**none)
        *finer, embeddings = features
        places = self.sam.get_image_wide_positional_embeddings().expand(len(embeddings), -1, -1, -1)
        logits, scores, *_ = self.sam.mask_decoder(
            image_embeddings=embeddings,
            image_positional_embeddings=places,
            sparse_prompt_embeddings=prompts[:, None].to(embeddings.dtype),
            dense_prompt_embeddings=dense.expand(len(embeddings), -1, *embeddings.shape[2:]),
            multimask_output=False,
            **({"high_resolution_features": finer} if self.has_levels else {}),
        )
        return logits.flatten(1), scores.flatten()


def build_sam_pointing(config: PreTrainedConfig, hidden_dim: int) -> SamPointing:
    """A `SamPointing` with SAM or SAM 2, by the type of its configuration, freshly initialised."""
    sam = Sam2Model(config) if config.model_type == "sam2" else SamModel(config)
    for name in sam._tied_weights_keys or {}:
        # a network whose own embeddings are not tied saves and loads both; one whose are ties these again
        owner, _, leaf = name.rpartition(".")
        place = sam.get_submodule(owner)
        setattr(place, leaf, copy.deepcopy(getattr(place, leaf)))
    return SamPointing(sam, hidden_dim)


def sam_side(config: PreTrainedConfig) -> int:
    """Cells a side of SAM's low-resolution masks: four to each of its image embeddings."""
    if config.model_type == "sam2":
        return 4 * (config.prompt_encoder_config.image_size // config.prompt_encoder_config.patch_size)
    return 4 * (config.vision_config.image_size // config.vision_config.patch_size)


def sam_size_px(config: PreTrainedConfig) -> int:
    """Side of SAM's input."""
    return (config.prompt_encoder_config if config.model_type == "sam2" else config.vision_config).image_size
