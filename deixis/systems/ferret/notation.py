"""Ferret's notation: coordinates on a 1000-cell grid in prose, and a feature token after those in a question.

    What is [12, 40, 300, 620] <region_fea>?      A red mug [12, 40, 300, 620] on a table [0, 400, 999, 999].

Source: You et al., ICLR 2024, section 3; apple/ml-ferret@3c9e5c93, ferret/serve/gradio_web_server.py:337-346 (asking)
and ferret/train/train.py:705-720 (training).
"""

from deixis.geometry import Notation

NOTATION = Notation(
    "ferret",
    phrase_open="",
    phrase_close="",
    region_token="<region_fea>",
    seg_token="",
    none_text="",
    region_coordinates=True,
    region_separator=" ",
    cell_of="pixel",
)
