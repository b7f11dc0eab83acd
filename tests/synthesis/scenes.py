"""Scene texts for tests of the parts that a language model writes."""

from deixis.datasets.annotated import Annotated, Expression, Object, Relation
from deixis.geometry import Region, mask_to_rle, rasterise
from deixis.samples.sample import MediaReference

SIZE_HW = (40, 60)


def obj(name: str, box: tuple[int, ...], **fields) -> Object:
    """An object with a box and the mask that fills it."""
    mask = mask_to_rle(rasterise(Region(box=box), SIZE_HW))
    return Object(name, Region(box=tuple(map(float, box)), mask=mask), **fields)


def kitchen(number: int = 0, **fields) -> Annotated:
    """An image with a person (0), two mugs (1, 2), a kettle (3), a table (4), and people as a group (5)."""
    region = Region(box=(0.0, 0.0, 60.0, 10.0), crowd=True)
    facts = {
        "objects": (
            obj("person", (0, 0, 20, 40)),
            obj("mug", (22, 20, 28, 30), attributes=("red",)),
            obj("mug", (30, 20, 36, 30)),
            obj("kettle", (40, 10, 55, 30), synonyms=("teapot",)),
            obj("dining table", (20, 28, 60, 40)),
            Object("bystander", region),
        ),
        "relations": (Relation(0, "holding", 1), Relation(3, "on", 4)),
        "expressions": (
            Expression("the host", (0,)),
            Expression("the steel kettle", (3,)),
            Expression("two mugs", (1, 2)),
        ),
        "captions": ("[A man]{0} makes tea with {{a}} friend and [bystanders]{5}.",),
    }
    medium = MediaReference(f"made/{number}", "image", f"{number}.jpg", SIZE_HW)
    return Annotated(
        **{"id": f"made/{number}", "source": "made", "split": "train", "signals": (medium,)} | facts | fields
    )
