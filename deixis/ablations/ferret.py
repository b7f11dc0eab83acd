"""What Ferret compares (You et al., ICLR 2024), or decides without a comparison."""

from deixis.ablations.base import SLOWLY, instruct, only, parts, recipe
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant

BY_FORM = tuple(Measure("region_name", "name", form) for form in ("by point", "by box", "by free form"))
REGION_NAME, PART_NAME = Measure("region_name", "name"), Measure("part_name", "name")
COLOUR = Measure("colour", "name")
ABSENCE, EXISTS = Measure("absence", "found or none"), Measure("exists", "yes or no")
PHRASE_MASK = Measure("phrase_mask", "gIoU")
ABOUT_REGIONS = only("image", name=4.0, part_name=2.0, colour=2.0)
"""Tasks in which a region is the input."""
NEW_SAMPLER = recipe(instruct(tasks=ABOUT_REGIONS, parts=parts("sampler")), new=("sampler",))
"""A new sampler, which is all that is trained."""
COORDINATES_ALONE = (
    "model.sampler.type=null",
    "model.notation={region_token: '', region_coordinates: true}",
    "stages.instruct.parts={language_model: full}",
)
ABOUT_ABSENCE = only("image", phrase_mask=3.0, absence=1.0)

COMPARISONS = (
    Comparison(
        name="sampler",
        question="Are regions read by the spatial-aware sampler, or as the average under their mask?",
        finding="the sampler is better: by point 67.9 and 67.1, by box 79.4 and 77.2, by free form 69.8 and 68.9",
        source="Ferret, table 6",
        recipe=NEW_SAMPLER,
        variants={
            "sampler": Variant(),
            "average": Variant(("model.sampler.type=average", "model.sampler.pooling=mean")),
        },
        claims=(Claim("sampler", "average", (*BY_FORM, PART_NAME)),),
        beside=(REGION_NAME, COLOUR),
    ),
    Comparison(
        name="pooling",
        question="Are neighbours in the sampler pooled by their maximum or their mean?",
        finding="by the maximum; no comparison",
        source="Ferret, section 3.2",
        recipe=NEW_SAMPLER,
        variants={"max": Variant(), "mean": Variant(("model.sampler.pooling=mean",))},
        claims=(Claim("max", "mean", (REGION_NAME, PART_NAME, COLOUR)),),
    ),
    Comparison(
        name="region_input",
        question="Does a question give a region's features, its coordinates, or both?",
        finding="both, the hybrid representation; no comparison",
        source="Ferret, section 3.1",
        recipe=recipe(
            instruct(tasks=ABOUT_REGIONS, parts=parts("sampler", "language_model"), learning_rates=SLOWLY),
            new=("sampler",),
        ),
        variants={
            "both": Variant(("model.notation={region_coordinates: true}",)),
            "features": Variant(),
            "coordinates": Variant(COORDINATES_ALONE),
            "features without places": Variant(("model.sampler.coordinates=false",)),
        },
        claims=(
            Claim("both", "features", (REGION_NAME, PART_NAME)),
            Claim("both", "coordinates", (REGION_NAME, PART_NAME)),
            Claim("features", "features without places", (REGION_NAME, PART_NAME)),
        ),
    ),
    Comparison(
        name="negatives",
        question="Do requests to find what is absent teach a model to say so?",
        finding="95 k negatives are mined so that the model is robust; no comparison",
        source="Ferret, section 4.3",
        recipe=recipe(instruct(tasks=ABOUT_ABSENCE, parts=parts("language_model"), learning_rates=SLOWLY)),
        variants={
            "negatives": Variant(),
            "none": Variant(("stages.instruct.tasks.absence=0",)),
        },
        claims=(Claim("negatives", "none", (ABSENCE, EXISTS)),),
        beside=(PHRASE_MASK,),
    ),
)
