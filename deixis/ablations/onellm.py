"""What OneLLM compares (Han et al., CVPR 2024), or decides without a comparison."""

from deixis.ablations.base import JOINT, SIGNALS, dense, instruct, only, recipe
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant

ALL = ("image", "audio", "point_cloud")
REGION_NAME, EXISTS = Measure("region_name", "name"), Measure("exists", "yes or no")
SPAN_NAME, SOUND_EXISTS = Measure("span_name", "name"), Measure("sound_exists", "yes or no")
CLOUD_NAME, PHRASE_MASK = Measure("cloud_name", "name"), Measure("phrase_mask", "gIoU")
EVENT_MASK = Measure("event_mask", "gIoU")
SMALL = {"image": {**SIGNALS["image"], "size_px": 32}}
"""A quarter of the side of the world's images: what is `comparison.SMALL_PX` there is 8 px here."""
NAMES = only(*ALL, name=3.0, exists=1.0, phrase_mask=1.0, event_mask=1.0)
"""Few tasks of every modality."""
BY_TOKEN = "model.projection.route=token"
FROZEN_ENCODER = (
    "{tokenizers: full, projection: full, sampler: full, language_model: full, embeddings: full, masks: full}"
)
FROZEN_LANGUAGE = "{encoder: full, tokenizers: full, projection: full, sampler: full, masks: full}"

COMPARISONS = (
    Comparison(
        name="router",
        question="How are the experts of the projection weighted?",
        finding="soft weights are best: NoCaps 115.8, VQAv2 71.6; sparse 112.8, 71.1; constant 109.8, 67.7",
        source="OneLLM, table 8",
        recipe=recipe(dense(), instruct(batch=JOINT, tasks=NAMES), signals=ALL),
        variants={
            "soft": Variant((BY_TOKEN,)),
            "sparse": Variant((BY_TOKEN, "model.projection.router=sparse")),
            "constant": Variant(("model.projection.router=constant",)),
        },
        claims=(
            Claim("soft", "sparse", (REGION_NAME, SPAN_NAME, CLOUD_NAME)),
            Claim("soft", "constant", (REGION_NAME, SPAN_NAME, CLOUD_NAME)),
        ),
        beside=(EXISTS, PHRASE_MASK),
    ),
    Comparison(
        name="experts",
        question="How many experts does the projection need?",
        finding=(
            "three are better than one on images (NoCaps 115.8 and 108.7, VQAv2 71.6 and 66.9); five and seven add "
            "nothing (114.6 and 114.9); on audio one is as good (ClothoQA 57.4 and 58.2)"
        ),
        source="OneLLM, table 8",
        recipe=recipe(dense(), instruct(batch=JOINT, tasks=NAMES), signals=ALL),
        variants={
            "three": Variant(),
            "one": Variant(("model.projection.experts=1",)),
            "five": Variant(("model.projection.experts=5",)),
        },
        claims=(Claim("three", "one", (REGION_NAME, EXISTS, PHRASE_MASK)),),
        beside=(SPAN_NAME, CLOUD_NAME),
    ),
    Comparison(
        name="joint",
        question="Are modalities trained together, or each with a network of its own?",
        finding=(
            "together is better where data are few (ClothoQA 57.4 and 37.8, MSVD-QA 56.8 and 31.0), and as good on "
            "images (NoCaps 115.8 and 115.6)"
        ),
        source="OneLLM, table 7",
        recipe=recipe(instruct(batch=JOINT, tasks=NAMES), signals=ALL),
        variants={
            "joint": Variant(),
            "images alone": Variant(("stages.instruct.batch={image: 2}",)),
            "audio alone": Variant(("stages.instruct.batch={audio: 1}",)),
            "clouds alone": Variant(("stages.instruct.batch={point_cloud: 1}",)),
        },
        claims=(
            Claim("joint", "audio alone", (SPAN_NAME, SOUND_EXISTS, EVENT_MASK)),
            Claim("joint", "clouds alone", (CLOUD_NAME,)),
        ),
        beside=(REGION_NAME,),
    ),
    Comparison(
        name="image_first",
        question="Are images aligned before the other modalities?",
        finding="yes: without it NoCaps 98.8 for 115.8, VQAv2 65.6 for 71.6, MSVD-QA 53.1 for 56.8; audio is as good",
        source="OneLLM, table 7",
        recipe=recipe(
            instruct(name="images", tasks=NAMES), instruct(name="all", batch=JOINT, tasks=NAMES), signals=ALL
        ),
        variants={"image first": Variant(), "all at once": Variant(stages=("all",))},
        claims=(Claim("image first", "all at once", (REGION_NAME, EXISTS, CLOUD_NAME)),),
        beside=(SPAN_NAME, SOUND_EXISTS),
    ),
    Comparison(
        name="encoder",
        question="Is the encoder, pretrained on images, frozen or trained with the rest?",
        finding=(
            "frozen is better on images (NoCaps 115.8 and 106.0, VQAv2 71.6 and 69.1), trained on audio (ClothoQA "
            "57.4 and 62.1)"
        ),
        source="OneLLM, table 8",
        recipe=recipe(dense(), instruct(batch=JOINT, tasks=NAMES), signals=ALL),
        variants={"frozen": Variant((f"stages.instruct.parts={FROZEN_ENCODER}",)), "trained": Variant()},
        claims=(
            Claim("frozen", "trained", (REGION_NAME, EXISTS)),
            Claim("trained", "frozen", (SPAN_NAME, SOUND_EXISTS)),
        ),
        beside=(CLOUD_NAME,),
    ),
    Comparison(
        name="language_model",
        question="Is the language model frozen while a modality is added?",
        finding="it is frozen in every stage of alignment, so that what it knows is kept; no comparison",
        source="OneLLM, section 3.2",
        recipe=recipe(
            instruct(name="images", tasks=NAMES),
            instruct(150, name="audio", batch={"audio": 4}, tasks=NAMES),
            signals=("image", "audio"),
        ),
        variants={"frozen": Variant((f"stages.audio.parts={FROZEN_LANGUAGE}",)), "trained": Variant()},
        claims=(Claim("frozen", "trained", (REGION_NAME, EXISTS, PHRASE_MASK)),),
        beside=(SPAN_NAME, SOUND_EXISTS),
    ),
    Comparison(
        name="replay",
        question="Does a share of earlier data keep what was learnt from being forgotten?",
        finding="each stage samples evenly from earlier and current data, against forgetting; no comparison",
        source="OneLLM, section 3.2; here the bundled model goes on with audio",
        recipe={
            "init": "bundled",
            "stages": [instruct(60, batch={"audio": 4}, max_tokens=400, learning_rate=8e-4, warmup_steps=10)],
        },
        variants={"replay": Variant(("stages.instruct.batch={audio: 2, image: 2}",)), "none": Variant()},
        claims=(Claim("replay", "none", (REGION_NAME, EXISTS, PHRASE_MASK)),),
        beside=(SPAN_NAME, SOUND_EXISTS),
    ),
    Comparison(
        name="tiles",
        question="Do tiles help with objects of at most 8 px at the size that the encoder sees?",
        finding="small detail is lost at the encoder's one size, which its authors name as a limit; no comparison",
        source="OneLLM, conclusion",
        recipe=recipe(instruct(tasks=NAMES), signals_changed=SMALL),
        variants={
            "tiles": Variant(("model.signals.image.tiles=2", "stages.instruct.max_tokens=400")),
            "none": Variant(("stages.instruct.max_tokens=400",)),
        },
        claims=(
            Claim("tiles", "none", (Measure("phrase_mask", "gIoU", "small"), Measure("region_name", "name", "small"))),
        ),
        beside=(Measure("phrase_mask", "gIoU", "large"), Measure("region_name", "name", "large")),
    ),
)
