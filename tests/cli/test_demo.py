"""`deixis demo`: a page with the answers about every modality that the model takes, and their drawings."""

import re

from PIL import Image

from deixis.signals import MODALITIES
from deixis.world.generate import modalities_of
from deixis.world.shown import SHOWN
from tests.toy import toy_model_folder


def test_a_page_with_every_modality_and_most_answers_right(command, tmp_path):
    code, said, _ = command("demo", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    drawings = [path for path in (tmp_path / "out").glob("*.png") if not path.name.startswith("world-")]
    headings = [heading for own in SHOWN.values() for heading in own]
    assert code == 0
    assert f"{len(headings)} answers in" in said
    assert all(f"<h3>{heading}</h3>" in page for heading in headings)
    assert page.count("data:image/png;base64,") == len(headings) == len(drawings)
    assert not re.search(r"https?://|<script", page)
    for path in drawings:
        with Image.open(path) as image:
            assert min(image.size) > 100
    assert {name for subject in SHOWN for name in modalities_of(subject)} == set(MODALITIES)
    media = {"".join(path.suffixes) for path in (tmp_path / "out").glob("world-*")}
    assert media == {".png", ".mp4", ".wav", ".ply", ".npy", ".nii.gz"}
    assert media == {record.file_suffix for record in MODALITIES.values()}
    pairs = re.findall(r'alt="([^"]*)">.*?expected: ([^<]*)<', page, re.DOTALL)
    assert sum(answer.endswith(expected) for answer, expected in pairs) >= 0.6 * len(headings)


def test_a_model_of_fewer_modalities_is_asked_about_those_alone(command, tmp_path):
    toy_model_folder(tmp_path / "model")
    code, said, _ = command("demo", tmp_path / "out", "--model", tmp_path / "model")
    page = (tmp_path / "out" / "index.html").read_text()
    shown = ("image", "audio", "point_cloud", "image+audio")
    assert code == 0
    assert f"{sum(len(SHOWN[subject]) for subject in shown)} answers in" in said
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["image", "audio", "point cloud", "image and audio"]


def test_a_file_in_the_way_is_refused(command, tmp_path):
    (tmp_path / "out").write_text("")
    code, _, error = command("demo", tmp_path / "out")
    assert (code, "out" in error, "Traceback" in error) == (2, True, False)
