"""LISA's notation: ``[SEG]`` stands for a mask; no coordinates, no regions in questions.

    What holds hot water?                         Sure, the mug is [SEG].

Source: Lai et al., CVPR 2024, section 3; dvlab-research/LISA@3cb2d430, utils/utils.py:40-46.
"""

from deixis.geometry import Notation

NOTATION = Notation(
    "lisa",
    phrase_open="",
    phrase_close="",
    region_token="",
    seg_token="[SEG]",
    none_text="",
    coordinates=False,
    region_separator=" ",
)
