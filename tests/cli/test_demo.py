"""`deixis demo`: a page with the answers about every modality that the model takes, and their drawings."""

import re

from PIL import Image

from deixis.cli.demo import SHOWN


def test_a_page_with_every_answer_most_of_them_right(command, tmp_path):
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
    media = {path.suffix for path in (tmp_path / "out").glob("world-*")}
    assert media == {".png", ".wav", ".ply"}
    pairs = re.findall(r'alt="([^"]*)">.*?expected: ([^<]*)<', page, re.DOTALL)
    assert sum(answer.endswith(expected) for answer, expected in pairs) >= 0.6 * len(headings)


def test_a_file_in_the_way_is_refused(command, tmp_path):
    (tmp_path / "out").write_text("")
    code, _, error = command("demo", tmp_path / "out")
    assert (code, "out" in error, "Traceback" in error) == (2, True, False)
