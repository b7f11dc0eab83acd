"""`deixis ask --each`: one question about every file by itself."""

import json
import shutil

import pytest
from PIL import Image

QUESTION = "Where is the tree?"


@pytest.fixture
def photos(tmp_path, scene):
    """Two folders with the scene under one name, and beside it a file that is cut short and one of no signal."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(scene, tmp_path / folder / "1.png")
    (tmp_path / "b" / "2.png").write_bytes(scene.read_bytes()[:900])
    (tmp_path / "b" / "notes.txt").write_text("no signal")
    return tmp_path


def test_each_file_has_its_answer(command, photos):
    code, out, _ = command("ask", photos / "a", photos / "a" / "1.png", QUESTION, "--each")
    alone = command("ask", photos / "a" / "1.png", QUESTION)[1]
    assert (code, out) == (0, f"{photos}/a/1.png: {alone}" * 2)


def test_one_bad_file_does_not_end_the_others(command, photos):
    code, out, err = command("ask", photos / "b", photos / "a" / "1.png", QUESTION, "--each", "--json")
    first, bad, last = map(json.loads, out.splitlines())
    assert (first["file"], last["file"]) == (f"{photos}/b/1.png", f"{photos}/a/1.png")
    assert first["regions"] == last["regions"] != []
    assert (bad.keys(), bad["file"]) == ({"file", "error"}, f"{photos}/b/2.png")
    assert (code, err.splitlines()[-1]) == (
        2,
        "deixis: 1 of 3 files could not be asked about: their lines say why",
    )


def test_answers_are_drawn_under_the_names_of_their_files(command, photos):
    code, _, err = command("ask", f"{photos}/?/1.png", QUESTION, "--each", "--out", photos / "drawn")
    assert (code, err) == (0, f"2 drawn in {photos}/drawn\n")
    with Image.open(photos / "drawn" / "1.png") as first, Image.open(photos / "drawn" / "1-2.png") as second:
        assert first.tobytes() == second.tobytes()


def test_a_drawing_that_is_refused_does_not_end_the_others(command, photos):
    (photos / "drawn").mkdir()
    (photos / "drawn" / "1-2.png").write_text("someone's")  # the name that the second drawing of the three comes to
    words = [photos / "a" / "1.png"] * 3
    code, out, err = command("ask", *words, QUESTION, "--each", "--json", "--out", photos / "drawn")
    first, refused, last = map(json.loads, out.splitlines())
    assert (code, first["drawing"], last["drawing"]) == (2, f"{photos}/drawn/1.png", f"{photos}/drawn/1-3.png")
    assert (refused.keys(), refused["error"][:40]) == ({"file", "error"}, f"'{photos}/drawn/1-2.png': expected no"[:40])
    assert err.splitlines()[0] == f"2 drawn in {photos}/drawn"


def test_answers_are_drawn_in_the_format_asked_for(command, photos):
    words = [photos / "a", QUESTION, "--each", "--out", photos / "drawn", "--draw-format", "svg"]
    assert command("ask", *words)[0] == 0
    assert (photos / "drawn" / "1.svg").read_bytes().endswith(b"</svg>")


def test_regions_are_of_every_file(command, photos):
    code, out, _ = command(
        "ask", photos / "a", photos / "a" / "1.png", "What is {0}?", "--box", "170,45,268,182", "--each"
    )
    assert code == 0
    assert out.lower().count("tree") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["{photos}/empty", "--each"], "expected a file, a folder with files to ask about", id="empty"),
        pytest.param(["{photos}/x/*.png", "--each"], "or a pattern; found none", id="pattern"),
        pytest.param(
            ["{photos}/a", "--each", "--out", "{photos}/o.png"], "--out with --each: expected a folder", id="out"
        ),
        pytest.param(["{photos}/a", "--each", "--stream"], "--each waits for all of it", id="stream"),
    ],
)
def test_mistakes_are_one_sentence(command, photos, words, sentence):
    (photos / "empty").mkdir()
    first, *options = (word.format(photos=photos) for word in words)
    code, out, err = command("ask", first, QUESTION, *options)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_photos_are_not_replaced_by_drawings(refused, photos):
    before = (photos / "a" / "1.png").read_bytes()
    sentence = refused("ask", photos / "a", QUESTION, "--each", "--out", photos / "a")
    assert "1.png': expected no such file, or one that deixis wrote as such" in sentence
    assert (photos / "a" / "1.png").read_bytes() == before
