"""SAM as the mask backbone of pictures, LISA's way: a hidden state at `<seg>` is the prompt of its mask decoder.

    picture --> SAM's vision encoder --> image embeddings --+
    hidden at <seg> --> MLP --> one sparse prompt token ----+--> SAM's mask decoder --> logits, a quarter of the input

(Lai et al., CVPR 2024, section 3.1.) The model is transformers' `SamModel`, built from a configuration; there is no
dense prompt, so SAM's own embedding of "no mask" stands in. Like `PointingHead`, it maps states and the features of
the signals they point into to logits over cells.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import SamConfig, SamModel


class SamPointing(nn.Module):
    """Hidden states at `<seg>` to SAM's low-resolution mask logits.

    `train` says which of SAM's weights learn: "decoder" its mask decoder alone, as LISA does; "all"; "none". The MLP
    always learns.
    """

    def __init__(self, sam: SamModel, hidden_dim: int, train: str = "decoder"):
        super().__init__()
        self.sam = sam
        prompt_dim = sam.config.prompt_encoder_config.hidden_size
        self.prompt = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, prompt_dim))
        self.learns = {"none": (), "decoder": ("mask_decoder.",), "all": ("",)}[train]  # how their names begin
        self.train(self.training)

    def train(self, mode: bool = True) -> "SamPointing":
        """As ever; and what is not to learn is frozen again, for loading weights sets every one free."""
        for name, weight in self.sam.named_parameters():
            if not name.startswith(self.learns):
                weight.requires_grad_(False)
        return super().train(mode)

    def encode(self, values: Float[Tensor, "row 3 side side"]) -> Float[Tensor, "row channel height width"]:
        """Image embeddings of prepared pictures (see `prepare_for_sam`)."""
        return self.sam.vision_encoder(values.to(self.sam.dtype)).last_hidden_state

    def forward(
        self, hidden: Float[Tensor, "mask hidden"], features: Float[Tensor, "mask channel height width"]
    ) -> Float[Tensor, "mask cell"]:
        """Logits over (4 height) x (4 width) cells, row by row, of SAM's square; `features` from `encode`."""
        return self.decode(self.prompt(hidden)[:, None], features)

    def decode(
        self, prompts: Float[Tensor, "mask token prompt"], features: Float[Tensor, "mask channel height width"]
    ) -> Float[Tensor, "mask cell"]:
        """Logits for sparse prompts of one or more tokens: SAM's first output, its answer to a clear prompt."""
        _, dense = self.sam.prompt_encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
        places = self.sam.get_image_wide_positional_embeddings().expand(len(features), -1, -1, -1)
        logits, _ = self.sam.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=places,
            sparse_prompt_embeddings=prompts[:, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return logits.flatten(1)

    @torch.no_grad()
    def load_sam(self, name: str | Path) -> None:
        """Takes SAM's weights from a folder or a hub id in transformers' layout.

        Raises ValueError if they are of another size than the configuration says.
        """
        trained = SamModel.from_pretrained(name).state_dict()
        own = self.sam.state_dict()
        wrong = [key for key in own if key not in trained or trained[key].shape != own[key].shape]
        if wrong or len(trained) != len(own):
            raise ValueError(
                f"SAM's weights '{name}' do not fit mask_config (first at {(wrong or sorted(trained))[0]}); "
                "take mask_config from the same place"
            )
        self.sam.load_state_dict(trained)


def build_sam_pointing(config: SamConfig, hidden_dim: int, train: str) -> SamPointing:
    """A `SamPointing` with SAM freshly initialised from its configuration."""
    return SamPointing(SamModel(config), hidden_dim, train)


def sam_side(config: SamConfig) -> int:
    """Cells a side of SAM's low-resolution masks: four to each of its image embeddings."""
    return 4 * (config.vision_config.image_size // config.vision_config.patch_size)
