"""What LISA compares (Lai et al., CVPR 2024)."""

import json
from typing import Any

from deixis.ablations.base import SLOWLY, instruct, only, parts, recipe
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant

REASONING, PHRASE_MASK = Measure("reasoning_mask", "gIoU"), Measure("phrase_mask", "gIoU")
PART_MASK = Measure("part_mask", "gIoU")
MASKS = only("image", phrase_mask=4.0, part_mask=1.0, reasoning=3.0)
"""Tasks that are answered by masks."""
NEW_HEAD = parts("masks")
NEW_MASKS = recipe(instruct(tasks=MASKS, parts=NEW_HEAD), new=("masks",))
"""A new pointing head, which is all that is trained."""

SIDE_PX, PATCH_PX = 128, 8  # of the world's images, and of SAM's cells in them
PROMPTS = {"image_size": SIDE_PX, "patch_size": PATCH_PX, "hidden_size": 64, "mask_input_channels": 8}
DECODER = {"hidden_size": 64, "mlp_dim": 128, "num_attention_heads": 4, "iou_head_hidden_dim": 64}
SAM = {
    "vision_config": {
        "hidden_size": 96,
        "output_channels": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": SIDE_PX,
        "patch_size": PATCH_PX,
        "window_size": 8,
        "global_attn_indexes": [1, 3],
        "num_pos_feats": 32,
        "mlp_dim": 192,
    },
    "prompt_encoder_config": PROMPTS,
    "mask_decoder_config": DECODER,
}
SAM2 = {
    "vision_config": {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 24,
            "num_attention_heads": 1,
            "image_size": [SIDE_PX, SIDE_PX],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [24, 48, 96, 192],
            "num_attention_heads_per_stage": [1, 2, 4, 8],
            "window_size_per_stage": [8, 4, 4, 2],
            "global_attention_blocks": [3],
            "window_positional_embedding_background_size": [4, 4],
        },
        "backbone_channel_list": [192, 96, 48, 24],
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        "fpn_hidden_size": 64,
    },
    "prompt_encoder_config": {**PROMPTS, "patch_size": 16},
    "mask_decoder_config": DECODER,
}


def _on(backbone: str, sizes: dict[str, Any]) -> tuple[str, ...]:
    """The changes by which a new SAM, or SAM 2, makes the masks of images, and is trained."""
    config = json.dumps({"model_type": backbone, **sizes})
    changes = f"model.pointing.backbone={backbone}", f"model.mask_config={config}"
    return *changes, "stages.instruct.parts.mask_encoder=full"


COMPARISONS = (
    Comparison(
        name="mask_features",
        question="Are the features that are masked frozen, adapted by LoRA, or trained?",
        finding="frozen is better than LoRA: gIoU 44.4 and 41.5, and 52.9 and 51.8 with reasoning samples",
        source="LISA, table 4, with SAM's encoder; here the shared one",
        recipe=NEW_MASKS,
        variants={
            "frozen": Variant(),
            "lora": Variant(("stages.instruct.parts.encoder=lora",)),
            "trained": Variant(("stages.instruct.parts.encoder=full",)),
        },
        claims=(Claim("frozen", "lora", (REASONING, PHRASE_MASK)),),
        beside=(PART_MASK,),
    ),
    Comparison(
        name="mask_backbone",
        question="Whose features are masked: the shared encoder's, or those of a SAM or SAM 2 of their own?",
        finding=(
            "those of a pretrained SAM, gIoU 52.9; 50.7 with Mask2Former, and 35.9 with a SAM that begins from nothing"
        ),
        source="LISA, table 4; here the shared encoder is what is pretrained, and SAM and SAM 2 begin from nothing",
        recipe=recipe(instruct(60, tasks=MASKS, parts=NEW_HEAD, learning_rate=1e-3), new=("masks",)),
        variants={"shared": Variant(), "sam": Variant(_on("sam", SAM)), "sam2": Variant(_on("sam2", SAM2))},
        claims=(
            Claim("shared", "sam", (REASONING, PHRASE_MASK)),
            Claim("shared", "sam2", (REASONING, PHRASE_MASK)),
        ),
        beside=(PART_MASK,),
    ),
    Comparison(
        name="named_masks",
        question="Do samples of named things and their masks help masks of things that are only implied?",
        finding="yes: without semantic segmentation gIoU 30.4 for 52.9",
        source="LISA, section 4.3, on its training data",
        recipe=NEW_MASKS,
        variants={
            "with": Variant(),
            "without": Variant(("stages.instruct.tasks.phrase_mask=0", "stages.instruct.tasks.part_mask=0")),
        },
        claims=(Claim("with", "without", (REASONING,)),),
        beside=(PHRASE_MASK,),
    ),
    Comparison(
        name="reasoning_samples",
        question="Do a few reasoning samples on top improve on training without any?",
        finding="yes: 239 samples raise gIoU from 44.4 to 52.9 (7B)",
        source="LISA, table 1; here 240 questions",
        recipe=recipe(
            instruct(tasks={**MASKS, "reasoning": 0.0}, parts=NEW_HEAD),
            instruct(8, name="reasoning", tasks=only("image", reasoning=1.0), parts=NEW_HEAD),
            new=("masks",),
        ),
        variants={"with": Variant(), "without": Variant(stages=("instruct",))},
        claims=(Claim("with", "without", (REASONING,)),),
        beside=(PHRASE_MASK,),
    ),
    Comparison(
        name="rewording",
        question="Do questions in many wordings help with questions in any, against one wording of each?",
        finding="yes: gIoU and cIoU are higher where instructions are rephrased by GPT-3.5",
        source="LISA, section 4.3",
        recipe=recipe(
            instruct(tasks=only("image", reasoning=1.0), parts=parts("masks", "language_model"), learning_rates=SLOWLY),
            new=("masks",),
        ),
        variants={"reworded": Variant(), "one wording": Variant(("stages.instruct.rewording=false",))},
        claims=(Claim("reworded", "one wording", (REASONING,)),),
        beside=(PHRASE_MASK,),
    ),
)
