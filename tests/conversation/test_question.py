"""Questions as samples: each medium is opened once, and each as its own."""

import io

import pytest
from PIL import Image

from deixis.conversation import open_signals, question_sample
from deixis.samples.sample import MediaReference


def content(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("medium_id", ["photos/1.png", "coco/1"])
@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "in_memory"])
def test_media_are_opened_once_and_those_of_one_path_in_two_sets_each(tmp_path, medium_id, in_memory):
    def asked(name: str, colour: str):
        path = tmp_path / name / "1.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(colour))
        held = content(colour) if in_memory else None
        return question_sample("What is it?", [MediaReference(medium_id, "image", path=str(path), content=held)])

    with open_signals([asked("a", "red"), asked("b", "blue"), asked("a", "red")]) as opened:
        first, second, again = (sample.signals[0].values for sample in opened)
        assert again is first
        is_path = medium_id == "photos/1.png"
        assert (second is not first) == is_path  # other ids are of one image, wherever it lies
        assert first.values[0, 0].tolist() == [255, 0, 0]
        assert second.values[0, 0].tolist() == ([0, 0, 255] if is_path else [255, 0, 0])
