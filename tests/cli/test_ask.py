"""`deixis ask` through its entry point, on the bundled model: what it prints, writes and refuses.

The content of answers is not checked, only their form.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from PIL import Image

from deixis.cli import answers
from deixis.geometry import rle_to_mask
from tests.toy import toy_model_folder

TOP = {"version", "text", "signals", "regions", "phrases", "model", "seconds", "warnings"}
FORMS = {"box", "mask", "span", "points", "point", "box3d"}


def check_layout(answer, sizes):
    """The JSON layout, whatever was answered; `sizes` are the size fields of the signals in order."""
    assert set(answer) == TOP
    assert answer["version"] == 2
    assert [set(signal) for signal in answer["signals"]] == [{"path", "kind", size} for size in sizes]
    for phrase in answer["phrases"]:
        assert set(phrase) == {"text", "start", "end", "regions"}
        assert answer["text"][phrase["start"] : phrase["end"]] == phrase["text"]
        assert [answer["regions"][index]["phrase"] for index in phrase["regions"]] == [phrase["text"]] * len(
            phrase["regions"]
        )
    assert [index for phrase in answer["phrases"] for index in phrase["regions"]] == list(range(len(answer["regions"])))
    for region in answer["regions"]:
        assert {"signal", "label", "score", "phrase"} < set(region)
        assert len(FORMS & set(region)) == 1
        assert region["score"] is None or 0 <= region["score"] <= 1
        if "mask" in region:
            assert list(rle_to_mask(region["mask"]).shape) == answer["signals"][region["signal"]]["size_hw"]


@pytest.mark.parametrize(
    ("file", "question", "options", "size"),
    [
        pytest.param("scene", "Find everything.", [], "size_hw", id="picture"),
        pytest.param("scene", "What is {0}?", ["--box", "33,329,143,434"], "size_hw", id="box"),
        pytest.param("scene", "What is this?", ["--point", "90,380"], "size_hw", id="point_without_a_name"),
        pytest.param(
            "scene", "{1} or {0}?", ["--scribble", "9,9;50,60", "--polygon=9,9;50,60;90,9"], "size_hw", id="two"
        ),
        pytest.param("sound", "What do you hear in {0}?", ["--span", "1.5,2.2"], "duration_s", id="span"),
        pytest.param("sound", "When do you hear the bell?", [], "duration_s", id="sound"),
        pytest.param("cloud", "What is {0}?", ["--box3d=-2,-2,0,2,2,1"], "point_count", id="box3d"),
        pytest.param("cloud", "Mark the {{table}}.", [], "point_count", id="braces"),
    ],
)
def test_an_answer_as_json(command, request, file, question, options, size):
    path = request.getfixturevalue(file)
    code, out, err = command("ask", path, question, *options, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    check_layout(answer, [size])
    assert answer["signals"][0]["path"] == str(path)


@pytest.mark.parametrize("form", ["mask", "box"])
@pytest.mark.parametrize("question", ["Where is the orange car?", "Mark the orange car."])
def test_the_wanted_form_is_given(command, scene, question, form):
    code, out, err = command("ask", scene, question, "--want", form, "--json")
    assert (code, err) == (0, "")
    [region] = json.loads(out)["regions"]
    assert form in region


def test_an_answer_that_points_at_nothing_lacks_the_wanted_form(command, scene):
    code, out, err = command("ask", scene, "What colour is the car?", "--want", "mask")
    assert (code, out.count("\n"), err.count("\n")) == (2, 1, 1)
    assert "--want mask: the answer points at nothing" in err


def test_two_files_and_a_region_on_the_second(command, scene, sound):
    words = ["ask", scene, "--span", "1.5,2.2@1", sound, "--point", "90,380", "What is {0} and {1}?", "--json"]
    code, out, _ = command(*words)
    assert code == 0
    check_layout(json.loads(out), ["size_hw", "duration_s"])


def test_several_files_whose_modality_is_named(command, scene, sound):
    code, out, err = command("ask", scene, f"image:{scene}", f"audio:{sound}", "What is this?", "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["signals"]) == 3


def test_an_answer_as_text_and_as_a_drawing(command, scene, tmp_path):
    code, out, err = command("ask", scene, "Where is the orange car?", "--out", tmp_path / "a.png")
    assert (code, err) == (0, f"drawn in {tmp_path / 'a.png'}\n")
    assert out.strip()
    with Image.open(tmp_path / "a.png") as drawn:
        assert min(drawn.size) > 500


def test_an_answer_as_a_vector_drawing(command, scene, tmp_path):
    code, out, err = command("ask", scene, "Mark the orange car.", "--json", "--out", tmp_path / "a.svg")
    assert (code, err) == (0, "")
    answer, root = json.loads(out), ElementTree.parse(tmp_path / "a.svg").getroot()
    groups = {element.get("id"): element for element in root.findall(".//{*}g")}
    for number, region in enumerate(answer["regions"]):
        assert groups[f"region-{number}"].find("{*}title").text == region["phrase"]
    assert " ".join("".join(line.itertext()) for line in groups["answer"].findall(".//{*}text")) == answer["text"]
    assert command("ask", scene, "Mark the tree.", "--out", tmp_path / "a.svg")[0] == 0  # ours, so it is replaced


def test_the_same_question_has_the_same_answer(command, scene):
    words = ["ask", scene, "What is {0}?", "--point", "90,380", "--json"]
    first, second = (json.loads(command(*words)[1]) for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_as_a_process_of_its_own(scene, tmp_path):
    words = ["ask", str(scene), "What is {0}?", "--box", "33,329,143,434", "--json", "--out", "a.png"]
    done = subprocess.run(
        [sys.executable, "-c", "from deixis.cli import main; main()", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert (done.returncode, done.stderr.replace("loading the model ...\n", "")) == (0, "")  # said where it takes long
    check_layout(json.loads(done.stdout), ["size_hw"])
    assert (tmp_path / "a.png").is_file()


def exif_turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    Image.new("RGB", (60, 40), "red").save(path, exif=exif)


@pytest.mark.parametrize(
    ("name", "write", "size"),
    [
        pytest.param("a.jpg", exif_turned, {"size_hw": [60, 40]}, id="exif_orientation"),
        pytest.param("a.png", lambda p: Image.new("RGBA", (30, 20)).save(p), {"size_hw": [20, 30]}, id="alpha"),
        pytest.param("a.png", lambda p: Image.new("L", (30, 20)).save(p), {"size_hw": [20, 30]}, id="grey"),
        pytest.param("a.jpg", lambda p: Image.new("CMYK", (30, 20)).save(p), {"size_hw": [20, 30]}, id="cmyk"),
        pytest.param(
            "a.wav",
            lambda p: soundfile.write(p, np.sin(np.arange(44_100 * 2).reshape(-1, 2) / 9), 44_100),
            {"duration_s": 1.0},
            id="stereo_at_44_khz",
        ),
    ],
)
def test_files_that_just_work(command, tmp_path, name, write, size):
    write(tmp_path / name)
    code, out, err = command("ask", tmp_path / name, "What is this?", "--json")
    assert (code, err) == (0, "")
    assert size.items() <= json.loads(out)["signals"][0].items()


@pytest.mark.parametrize("each", [[], ["--each"]], ids=["one", "each"])
def test_what_is_not_read_of_a_file_is_noted(command, tmp_path, each):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nvn 0 0 1\nusemtl red\n")
    code, out, err = command("ask", tmp_path / "a.obj", "What is this?", "--json", *each)
    assert (code, err) == (0, "note: a.obj: not read: normals; materials and textures\n")
    assert json.loads(out)["signals"][0]["ignored"] == ["normals", "materials and textures"]


def cut(path, source, length):
    path.write_bytes(source.read_bytes()[:length])


BAD_FILES = [
    pytest.param("none.png", lambda p, s: None, "no such file", id="missing"),
    pytest.param("a.png", lambda p, s: p.write_bytes(b""), "empty", id="empty"),
    pytest.param("a.png", lambda p, s: cut(p, s["scene"], 20_000), "cut short", id="cut_picture"),
    pytest.param("a.wav", lambda p, s: cut(p, s["sound"], 20_000), "cut short", id="cut_sound"),
    pytest.param("a.ply", lambda p, s: cut(p, s["cloud"], 5_000), "cut short|fewer|ends", id="cut_cloud"),
    pytest.param("a.wav", lambda p, s: cut(p, s["scene"], None), "PNG", id="mislabelled"),
    pytest.param("a.png", lambda p, s: p.write_text("hello"), "content that is none", id="text"),
    pytest.param("a.png", lambda p, s: p.mkdir(), "folder", id="folder"),
    pytest.param("a.png", lambda p, s: Image.new("RGB", (1, 1)).save(p), "1 x 1 px", id="one_pixel"),
    pytest.param("a.png", lambda p, s: Image.new("1", (20_000, 20_000)).save(p), "got 400 million px", id="huge"),
    pytest.param("a.wav", lambda p, s: soundfile.write(p, np.zeros(16_000), 16_000), "silence", id="silent"),
    pytest.param("a.wav", lambda p, s: soundfile.write(p, np.ones(100), 16_000), "at least 0.1 s", id="short"),
    pytest.param("a.wav", lambda p, s: soundfile.write(p, np.ones(1_000 * 700), 1_000), "at most 600 s", id="long"),
    pytest.param("a.npy", lambda p, s: np.save(p, np.zeros((0, 3))), "at least one point|got", id="empty_cloud"),
    pytest.param("a.npy", lambda p, s: np.save(p, np.full((5, 3), np.nan)), "NaN", id="nan_cloud"),
]


@pytest.mark.parametrize(("name", "write", "sentence"), BAD_FILES)
def test_bad_files_are_refused(refused, tmp_path, scene, sound, cloud, name, write, sentence):
    write(tmp_path / name, {"scene": scene, "sound": sound, "cloud": cloud})
    before = sorted(tmp_path.iterdir())
    said = refused("ask", tmp_path / name, "What is this?", "--out", tmp_path / "out.png")
    assert any(part in said for part in sentence.split("|")), said
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "got nothing", id="nothing"),
        pytest.param(["What is this?"], "got 'What is this?' alone", id="question_alone"),
        pytest.param(["SCENE"], "alone", id="file_alone"),
        pytest.param(["SCENE", "SOUND"], "files alone", id="files_alone"),
        pytest.param(["What is this?", "SCENE"], "the question last", id="question_first"),
        pytest.param(["SCENE", "What", "is", "this?"], "needs quotes", id="no_quotes"),
        pytest.param(["SCENE", " "], "expected some words", id="blank_question"),
        pytest.param(["SCENE", "What is {2}?", "--box", "1,2,3,4", "--point", "5,6"], "{2}", id="no_third_region"),
        pytest.param(["SCENE", "What is {0}?", "--box", "1,2,900,4"], "outside its image", id="outside"),
        pytest.param(["SCENE", "What is {0}?", "--span", "1,2"], "points into audio", id="wrong_kind"),
        pytest.param(["SCENE", "What is {0}?", "--box", "1,2,3,4@1"], "there is 1 file", id="no_such_file"),
        pytest.param(["SCENE", "What is {0}?", "--box"], "--box", id="no_value"),
        pytest.param(["SCENE", "What?", "--out", "a.mp4"], "ending in .png, .jpg", id="drawing_is_no_image"),
        pytest.param(["SCENE", "What?", "--out", "none/a.png"], "no folder 'none'", id="drawing_has_no_folder"),
        pytest.param(["SCENE", "What?", "--out", "SCENE"], "a file of its own", id="drawing_over_a_file"),
        pytest.param(["SCENE", "--batch", "a.jsonl"], "besides", id="batch_and_files"),
        pytest.param(["--batch", "none.jsonl"], "no such file", id="no_batch"),
        pytest.param(["--batch", "a.jsonl", "--json"], "omit --json", id="batch_and_json"),
        pytest.param(["--batch", "a.jsonl", "--want", "mask"], '"want": "mask" in its lines', id="batch_and_want"),
    ],
)
def test_mistakes_are_refused_before_a_model_is_loaded(refused, monkeypatch, tmp_path, scene, sound, words, sentence):
    monkeypatch.chdir(tmp_path)
    files = {"SCENE": scene, "SOUND": sound}
    assert sentence in refused("ask", *(files.get(word, word) for word in words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(["--model", "nowhere"], "model: expected 'bundled', a folder or a hub id", id="unknown"),
        pytest.param(["--model", "EMPTY"], "expected a file config.json", id="empty_folder"),
        pytest.param(["--model", "FOREIGN"], "expected model_type 'deixis'", id="foreign"),
    ],
)
def test_models_that_are_none(command, tmp_path, scene, options, sentence):
    for name, config in (("EMPTY", None), ("FOREIGN", '{"model_type": "bert"}')):
        (tmp_path / name).mkdir()
        for file in ("config.json", "processor_config.json", "tokenizer.json") if config else ():
            (tmp_path / name / file).write_text(config)
    options = [tmp_path / word if (tmp_path / word).is_dir() else word for word in options]
    code, out, err = command("ask", scene, "What?", *options, "--out", tmp_path / "a.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert not (tmp_path / "a.png").exists()


def test_an_installation_without_the_bundled_model_says_so(monkeypatch):
    monkeypatch.setattr("deixis.cli.environment.bundled_model_is_here", lambda: False)
    with pytest.raises(ValueError, match="the bundled model is not in this installation"):
        answers.open_model("bundled", None)


def test_a_picture_of_16_bits_is_a_depth_map(command, tmp_path):
    Image.fromarray(np.full((20, 30), 1500, np.uint16)).save(tmp_path / "a.png")
    code, out, _ = command("ask", tmp_path / "a.png", "What is this?", "--json")
    assert code == 0
    assert json.loads(out)["signals"][0]["kind"] == "depth"


def test_a_modality_that_the_model_does_not_take_is_refused(command, tmp_path):
    toy_model_folder(tmp_path / "model")
    Image.fromarray(np.full((20, 30), 1500, np.uint16)).save(tmp_path / "a.png")
    code, out, err = command("ask", tmp_path / "a.png", "What is this?", "--model", tmp_path / "model")
    assert (code, out) == (2, "")
    assert "this model takes image, audio, point_cloud; got depth" in err


def test_a_sound_longer_than_the_model_hears_is_refused(command, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(16_000 * 20) / 9), 16_000)
    code, out, err = command("ask", tmp_path / "a.wav", "What is this?")
    assert (code, out) == (2, "")
    assert "expected audio of at most" in err


@pytest.mark.parametrize("question", ["Mark the orange car.", "Find everything."])
def test_a_streamed_answer_is_the_answer(command, scene, question):
    code, out, err = command("ask", scene, question, "--stream")
    assert (code, err) == (0, "")
    assert out == command("ask", scene, question)[1]


@pytest.mark.parametrize("other", [["--json"], ["--batch", "none.jsonl"]])
def test_what_waits_is_not_streamed(refused, scene, other):
    files = [scene, "What?"] if other == ["--json"] else []
    assert "--stream prints text while it is generated" in refused("ask", *files, "--stream", *other)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(["--quantization", "int3"], "quantization: expected int8 or int4", id="quantization"),
        pytest.param(["--want", "film"], "want: expected one of text, box, mask; got 'film'", id="want"),
    ],
)
def test_options_of_the_model_are_checked(command, scene, options, sentence, monkeypatch):
    if "--quantization" in options:
        monkeypatch.undo()  # the model shared by these tests is not quantised
    code, out, err = command("ask", scene, "What?", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
