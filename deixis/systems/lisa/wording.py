"""The questions of LISA's validation by benchmark task, verbatim, and its teacher-forced answers: the mask token alone.

Source: dvlab-research/LISA@3cb2d430 utils/dataset.py, ValDataset.__getitem__.
"""


def validation_question(text: str, is_sentence: bool) -> str:
    """The question about an image, with the leading space that the script has.

    >>> validation_question("lamp", is_sentence=False)
    ' What is lamp in this image? Please output segmentation mask.'
    """
    question = text.strip() if is_sentence else f"What is {text.strip()} in this image?"
    return f" {question} Please output segmentation mask."


QUESTIONS = {
    "reason_sentence": lambda text: validation_question(text, is_sentence=True),
    "reason_phrase": lambda text: validation_question(text, is_sentence=False),
    "refer_mask": lambda text: validation_question(text.lower(), is_sentence=False),
}
ANSWERS = dict.fromkeys(QUESTIONS, "{0:mask}.")
