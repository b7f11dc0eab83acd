"""The example of official checkpoints runs on whatever was converted, and names the arguments that it expects."""

import runpy
import shutil
from pathlib import Path

import pytest

from deixis.systems.conversion import convert

ROOT = Path(__file__).parents[2]
SYSTEMS = ("ferret", "lisa", "onellm")


@pytest.fixture
def main(monkeypatch, tmp_path):
    """The script's `main`, in a folder with the three systems converted, an image and an audio file."""
    monkeypatch.chdir(tmp_path)
    for name in ("scene.png", "sound.wav"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    return runpy.run_path(str(ROOT / "examples" / "official.py"))["main"]


def test_each_system_is_asked_about_the_files_it_takes(sources, main, capsys):
    for system in SYSTEMS:
        convert(system, sources[system], system)
    main([*SYSTEMS, "scene.png", "sound.wav"])
    said = capsys.readouterr().out
    drawn = {path.name for path in Path("out").iterdir()}
    assert drawn == {f"{name}-scene-image.png" for name in SYSTEMS} | {"onellm-sound-audio.png"}
    assert said.count("sound.wav: takes no audio") == 2
    for words in (
        "What is the object {0}?",
        "Please output segmentation mask.",
        "caption for the provided image.",
        "caption for the provided audio.",
    ):
        assert said.count(words) == 1


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["scene.png"], id="no_folder"),
        pytest.param(["tiny"], id="no_file"),
    ],
)
def test_what_is_missing_is_said(main, words):
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"expected FOLDER\.\.\. FILE\.\.\."):
        main(words)


def test_a_wrong_file_is_told_before_any_weights_are_read(main):
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text("{}")  # no model at all
    with pytest.raises(ValueError, match=r"'none\.png': expected an image, but there is no such file"):
        main(["tiny", "none.png"])
