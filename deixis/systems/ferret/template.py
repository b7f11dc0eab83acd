"""Ferret's conversations, word for word (apple/ml-ferret@3c9e5c9, ferret/conversation.py, ferret_conv_vicuna_v1)."""

from deixis.systems.chat_style import vicuna_style

STYLE = vicuna_style(
    "A chat between a human and an AI that understands visuals. In images, [x, y] denotes points: top-left [0, 0], "
    "bottom-right [width-1, height-1]. Increasing x moves right; y moves down. Bounding box: [x1, y1, x2, y2]. "
    "Image size: 1000x1000. Follow instructions. ",
    "apple/ml-ferret@3c9e5c9, ferret/conversation.py, ferret_conv_vicuna_v1",
)
