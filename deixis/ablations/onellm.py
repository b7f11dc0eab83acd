"""What OneLLM compares (Han et al., CVPR 2024), or decides without a comparison."""

from deixis.ablations.base import JOINT, SLOWLY, dense, instruct, only, parts, recipe
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant

ALL = ("image", "audio", "point_cloud")
REGION_NAME, EXISTS = Measure("region_name", "name"), Measure("exists", "yes or no")
COLOUR = Measure("colour", "name")
SPAN_NAME, SOUND_EXISTS = Measure("span_name", "name"), Measure("sound_exists", "yes or no")
PHRASE_MASK, EVENT_MASK = Measure("phrase_mask", "gIoU"), Measure("event_mask", "gIoU")
CLOUD_MASK = Measure("cloud_phrase_mask", "gIoU")
FINDS = only(*ALL, phrase_mask=1.0, event_mask=1.0)
"""Tasks that only what the projection passes on can answer: a region of a question is read by the sampler."""
NEW_PROJECTION = recipe(
    instruct(batch=JOINT, tasks=FINDS, parts=parts("projection"), guide_weight=0.5), new=("projection",)
)
"""A new projection, which is all that is trained."""
CAPTION = Measure("caption", "F1")
CAPTIONS = only("image", caption=1.0)
FOUND_AND_TOLD = only("image", phrase_mask=3.0, caption=1.0)
ALL_SIGNALS = (PHRASE_MASK, EVENT_MASK, CLOUD_MASK)
BY_TOKEN = "model.projection.route=token"
ABOUT_SOUND = only("audio", name=2.0, exists=2.0, event_mask=1.0)
NAMED = only("image", name=3.0, colour=1.0, exists=2.0, caption=1.0)
"""Tasks that are answered by the name of a class, of a region or of a whole image."""
ADDED, CLOUDS = "added", {"point_cloud": 1}
SEEN = only("image", name=3.0, phrase_mask=2.0)
EYES = parts("encoder", "tokenizers", "projection", "sampler", "masks")
"""What is between an image and the language model."""
SMALL = {"image": {"size_px": 32}}
"""A quarter of the side of the world's images: what is `comparison.SMALL_PX` there is 8 px here."""

COMPARISONS = (
    Comparison(
        name="router",
        question="How are the experts of the projection weighted?",
        finding="soft weights are best: NoCaps 115.8, VQAv2 71.6; sparse 112.8, 71.1; constant 109.8, 67.7",
        source="OneLLM, table 8",
        recipe=NEW_PROJECTION,
        variants={
            "soft": Variant((BY_TOKEN,)),
            "sparse": Variant((BY_TOKEN, "model.projection.router=sparse")),
            "constant": Variant(("model.projection.router=constant",)),
        },
        claims=(
            Claim("soft", "sparse", ALL_SIGNALS),
            Claim("soft", "constant", ALL_SIGNALS),
        ),
    ),
    Comparison(
        name="experts",
        question="How many experts does the projection need?",
        finding=(
            "three are better than one on images (NoCaps 115.8 and 108.7, VQAv2 71.6 and 66.9); five and seven add "
            "nothing (114.6 and 114.9); on audio one is as good (ClothoQA 57.4 and 58.2)"
        ),
        source="OneLLM, table 8",
        recipe=NEW_PROJECTION,
        variants={
            "three": Variant(),
            "one": Variant(("model.projection.experts=1",)),
            "five": Variant(("model.projection.experts=5",)),
        },
        claims=(Claim("three", "one", (PHRASE_MASK,)),),
        beside=(EVENT_MASK, CLOUD_MASK),
    ),
    Comparison(
        name="joint",
        question="Are modalities trained together, or each with a network of its own?",
        finding=(
            "together is better where data are few (ClothoQA 57.4 and 37.8, MSVD-QA 56.8 and 31.0), and as good on "
            "images (NoCaps 115.8 and 115.6)"
        ),
        source="OneLLM, table 7",
        recipe=NEW_PROJECTION,
        variants={
            "joint": Variant(),
            "images alone": Variant(("stages.instruct.batch={image: 1}",)),
            "audio alone": Variant(("stages.instruct.batch={audio: 1}",)),
            "clouds alone": Variant(("stages.instruct.batch={point_cloud: 1}",)),
        },
        claims=(
            Claim("joint", "audio alone", (EVENT_MASK,)),
            Claim("joint", "clouds alone", (CLOUD_MASK,)),
        ),
        beside=(PHRASE_MASK,),
    ),
    Comparison(
        name="image_first",
        question="Are images aligned before the other modalities?",
        finding="yes: without it NoCaps 98.8 for 115.8, VQAv2 65.6 for 71.6, MSVD-QA 53.1 for 56.8; audio is as good",
        source="OneLLM, table 7",
        recipe=recipe(
            instruct(name="images", tasks=FINDS, parts=parts("projection"), guide_weight=0.5),
            *NEW_PROJECTION["stages"],
            new=("projection",),
        ),
        variants={"image first": Variant(), "all at once": Variant(stages=("instruct",))},
        claims=(Claim("image first", "all at once", (PHRASE_MASK, CLOUD_MASK)),),
        beside=(EVENT_MASK,),
    ),
    Comparison(
        name="encoder",
        question="Is the pretrained encoder frozen or trained with the rest?",
        finding=(
            "frozen is better on images (NoCaps 115.8 and 106.0, VQAv2 71.6 and 69.1), trained on audio (ClothoQA "
            "57.4 and 62.1)"
        ),
        source="OneLLM, table 8",
        recipe=NEW_PROJECTION,
        variants={
            "frozen": Variant(),
            "trained": Variant(("stages.instruct.parts.encoder=full", "stages.instruct.learning_rates.encoder=1e-3")),
        },
        claims=(
            Claim("frozen", "trained", (PHRASE_MASK,)),
            Claim("trained", "frozen", (EVENT_MASK,)),
        ),
        beside=(CLOUD_MASK,),
    ),
    Comparison(
        name="language_model",
        question="Is the language model frozen while another modality is trained?",
        finding="it is frozen in every stage of alignment, so that what it knows is kept; no comparison",
        source="OneLLM, section 3.2",
        recipe=recipe(instruct(batch={"audio": 3}, tasks=ABOUT_SOUND, parts=parts("projection"))),
        variants={
            "frozen": Variant(),
            "trained": Variant(("stages.instruct.parts.language_model=full",)),
        },
        claims=(Claim("frozen", "trained", (REGION_NAME, EXISTS, PHRASE_MASK)),),
        beside=(SPAN_NAME, SOUND_EXISTS),
    ),
    Comparison(
        name="classification",
        question="Can a frozen language model tell classes of images from what new parts pass on?",
        finding="it is frozen in every stage of alignment; no comparison",
        source="OneLLM, section 3.2; here by names of regions, and of what whole images show",
        recipe=recipe(
            instruct(tasks=NAMED, parts=parts("projection", "sampler"), guide_weight=0.5), new=("projection", "sampler")
        ),
        variants={
            "frozen": Variant(),
            "lora": Variant(("stages.instruct.parts.language_model=lora",)),
            "trained": Variant(
                ("stages.instruct.parts.language_model=full", f"stages.instruct.learning_rates={SLOWLY}"),
            ),
        },
        claims=(Claim("frozen", "trained", (REGION_NAME, COLOUR, EXISTS, CAPTION)),),
    ),
    Comparison(
        name="alignment",
        question="Is a projection aligned by captions, by contrast of captions, or by both, before it is tuned?",
        finding="by captions; no comparison",
        source="OneLLM, section 3.2",
        recipe=recipe(
            instruct(
                name="align",
                batch={"image": 8},
                questions=1,
                tasks=CAPTIONS,
                alignment="caption",
                parts=parts("projection"),
            ),
            instruct(15, tasks=FOUND_AND_TOLD, parts=parts("projection"), guide_weight=0.5),
            new=("projection",),
        ),
        variants={
            "captions": Variant(),
            "contrast": Variant(("stages.align.alignment=contrast",)),
            "both": Variant(("stages.align.alignment=both",)),
            "none": Variant(stages=("instruct",)),
        },
        claims=(
            Claim("captions", "contrast", (PHRASE_MASK, CAPTION)),
            Claim("captions", "none", (PHRASE_MASK, CAPTION)),
        ),
    ),
    Comparison(
        name="encoder_text",
        question="Is an encoder that was pretrained with text better than one that was pretrained without?",
        finding="yes: CLIP's is better than DINOv2's",
        source="OneLLM, table 8; here by answers of a frozen language model, and by the classes of cells",
        recipe=recipe(
            instruct(250, name="text", tasks=FOUND_AND_TOLD, parts=EYES, guide_weight=0.5, learning_rate=1e-3),
            dense(250),
            instruct(name="align", tasks=FOUND_AND_TOLD, parts=parts("projection", "masks"), guide_weight=0.5),
            new=("encoder", "tokenizers", "projection"),
        ),
        variants={
            "with text": Variant(stages=("text", "align")),
            "without text": Variant(stages=("dense", "align")),
        },
        claims=(Claim("with text", "without text", (PHRASE_MASK, CAPTION)),),
    ),
    Comparison(
        name="replay",
        question="Does a share of earlier data keep what was learnt from being forgotten?",
        finding="each stage samples evenly from earlier and current data, against forgetting; no comparison",
        source="OneLLM, section 3.2; here the bundled model goes on with audio",
        recipe=recipe(instruct(batch={"audio": 2}, tasks=ABOUT_SOUND, parts=parts("projection", "language_model"))),
        variants={"replay": Variant(("stages.instruct.batch={audio: 1, image: 1}",)), "none": Variant()},
        claims=(Claim("replay", "none", (REGION_NAME, EXISTS, PHRASE_MASK)),),
        beside=(SPAN_NAME, SOUND_EXISTS),
    ),
    Comparison(
        name="new_modality",
        question="Does a new modality get an expert of its own, or is the projection trained again?",
        finding="the whole projection is trained in every stage, with earlier data too; no comparison",
        source="OneLLM, section 3.2; here point clouds after images and sounds",
        recipe=recipe(
            instruct(
                name="earlier",
                batch={"image": 1, "audio": 1},
                tasks=FINDS,
                parts=parts("projection"),
                guide_weight=0.5,
            ),
            instruct(name=ADDED, batch=JOINT, tasks=FINDS, parts=parts("projection"), guide_weight=0.5),
            new=("projection",),
        ),
        variants={
            "retrained": Variant(),
            "expert": Variant((f"stages.{ADDED}.parts.projection=expert", f"stages.{ADDED}.batch={CLOUDS}")),
            "clouds alone": Variant((f"stages.{ADDED}.batch={CLOUDS}",)),
        },
        claims=(Claim("retrained", "expert", ALL_SIGNALS), Claim("retrained", "clouds alone", ALL_SIGNALS)),
    ),
    Comparison(
        name="tiles",
        question="Do tiles help with objects of at most 8 px at the size that the encoder sees?",
        finding="small detail is lost at the encoder's one size, which its authors name as a limit; no comparison",
        source="OneLLM, conclusion",
        recipe=recipe(
            instruct(50, batch={"image": 4}, questions=6, learning_rate=1e-3, tasks=SEEN, parts=EYES), signals=SMALL
        ),
        variants={"tiles": Variant(("model.signals.image.tiles=2",)), "none": Variant()},
        claims=(
            Claim("tiles", "none", (Measure("phrase_mask", "gIoU", "small"), Measure("region_name", "name", "small"))),
        ),
        beside=(Measure("phrase_mask", "gIoU", "large"), Measure("region_name", "name", "large")),
    ),
)
