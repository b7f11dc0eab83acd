"""What LISA compares (Lai et al., CVPR 2024)."""

from deixis.ablations.base import SLOWLY, instruct, only, parts, recipe
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant

REASONING, PHRASE_MASK = Measure("reasoning_mask", "gIoU"), Measure("phrase_mask", "gIoU")
PART_MASK = Measure("part_mask", "gIoU")
MASKS = only("image", phrase_mask=4.0, part_mask=1.0, reasoning=3.0)
"""Tasks that are answered by masks."""
NEW_HEAD = parts("masks")
NEW_MASKS = recipe(instruct(tasks=MASKS, parts=NEW_HEAD), new=("masks",))
"""A new pointing head, which is all that is trained."""

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
