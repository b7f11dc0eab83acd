"""The words LISA was trained on: how a text becomes a question about a picture, and how it is answered.

Source: dvlab-research/LISA@3cb2d430, utils/utils.py:12-46 and utils/reason_seg_dataset.py:146-190.
"""

SHORT_QUESTIONS = (
    "Can you segment the {class_name} in this image?",
    "Please segment the {class_name} in this image.",
    "What is {class_name} in this image? Please respond with segmentation mask.",
    "What is {class_name} in this image? Please output segmentation mask.",
)
"""About a name or a phrase, which is written in lower case."""
LONG_QUESTIONS = (
    "{sent} Please respond with segmentation mask.",
    "{sent} Please output segmentation mask.",
)
"""About a sentence."""
EXPLAINED_QUESTIONS = (
    "Please output segmentation mask and explain why.",
    "Please output segmentation mask and explain the reason.",
    "Please output segmentation mask and give some explanation.",
)
"""Put behind a sentence whose answer goes on with an explanation."""
ANSWERS = (
    "It is [SEG].",
    "Sure, [SEG].",
    "Sure, it is [SEG].",
    "Sure, the segmentation result is [SEG].",
    "[SEG].",
)
