"""The scenes and questions of `deixis demo`, about every modality and some pairs of them."""

SPLIT = "test"
SHOWN: dict[str, dict[str, tuple[str, int]]] = {
    "image": {
        "a region → text": ("name", 868),
        "text → a box": ("phrase_box", 866),
        "reasoning → a mask": ("reasoning", 866),
        "everything in it": ("grounded_caption", 867),
        "an absent object": ("absence", 867),
    },
    "audio": {"a segment → text": ("name", 15), "text → a time span": ("event_span", 15)},
    "point_cloud": {"a region → text": ("name", 577), "text → points": ("phrase_mask", 577)},
    "depth": {
        "a region → text": ("name", 872),
        "a region → metres": ("distance", 872),
        "text → a mask": ("phrase_mask", 874),
    },
    "normal": {"text → a mask": ("phrase_mask", 868), "a point → its direction": ("facing", 868)},
    "video": {"what moves, where and when": ("motion", 870), "text → a box in time": ("when", 874)},
    "imu": {"a segment → text": ("name", 872), "text → a time span": ("event_span", 876)},
    "fmri": {
        "the simulated response → text": ("seen", 870),
        "text → parcels of the simulated response": ("responds", 870),
    },
    "image+audio": {"a sound → the object that makes it": ("source", 872)},
    "image+depth": {"a region of the image → of the depth map": ("find_other", 868)},
    "video+audio": {"a sound → what happens meanwhile": ("during", 874)},
}
"""What is asked of each subject of the world: heading -> (task, seed of the scene, which no model was trained on)."""
