"""The questions of Ferret's own evaluations by benchmark task, verbatim.

Source: apple/ml-ferret@3c9e5c93 ferret/eval/{model_refcoco,model_flickr,model_lvis}.py.
"""

from collections.abc import Sequence


def refcoco_question(text: str) -> str:
    """The question for one referring expression.

    >>> refcoco_question("the man, left, in blue ")
    'What is the location of the man left in blue in the image?'
    """
    return f"What is the location of {_without_commas(text)} in the image?"


def flickr_question(entities: Sequence[str]) -> str:
    """The question for the phrases of one caption.

    >>> flickr_question(["A woman", "the Blue car, old"])
    'What are the locations of a woman, the blue car old?'
    """
    return f"What are the locations of {', '.join(_without_commas(entity.lower()) for entity in entities)}?"


def _without_commas(text: str) -> str:
    return text.replace(",", "").strip()


QUESTIONS = {
    "refer_box": refcoco_question,
    "ground_phrases": lambda text: flickr_question(text.split(", ")),  # phrases without commas, joined by ", "
    "which_of_two": "Is the object {0} of the image a $name or a $other?",
}
