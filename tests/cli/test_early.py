"""What a model cannot take is refused before its weights are read: those of these models are spoilt."""

import json

import numpy as np
import pytest
from PIL import Image

from deixis.cli import answers, main
from deixis.systems.conversion import convert
from tests.checkpoints.checkpoints import WRITERS


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """system -> a converted toy whose weights cannot be read."""
    folder = tmp_path_factory.mktemp("spoilt")
    models = {}
    for system in ("lisa", "ferret", "onellm", "pointmlp"):
        models[system] = convert(system, WRITERS[system](folder / f"{system}_source"), folder / system)
        (models[system] / "model.safetensors").write_bytes(b"never read")
    return models


@pytest.fixture
def files(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "brain.npy", np.zeros(13, np.float32))
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(50, 3)))
    return tmp_path


CASES = [
    pytest.param("lisa", ["a.png", "--box", "1,2,30,20"], "this model takes no regions; Ferret's", id="lisa_box"),
    pytest.param("lisa", ["cloud.npy"], "takes image; got point_cloud; OneLLM's", id="lisa_cloud"),
    pytest.param("ferret", ["a.png", "--want", "mask"], "with no mask; LISA's models", id="ferret_mask"),
    pytest.param("ferret", ["a.png", "--want", "film"], "want: expected one of text, box, mask", id="no_such_want"),
    pytest.param("onellm", ["fmri:brain.npy"], "13", id="onellm_voxels"),
    pytest.param("onellm", ["a.png", "--point", "5,5"], "this model takes no regions; Ferret's", id="onellm_point"),
    pytest.param("pointmlp", ["a.png"], "takes point_cloud; got image", id="pointmlp_picture"),
    pytest.param("pointmlp", ["cloud.npy", "--want", "box"], "with no box; Ferret's", id="pointmlp_box"),
]


@pytest.mark.parametrize(("system", "words", "sentence"), CASES)
def test_a_question_that_cannot_be_taken(spoilt, files, monkeypatch, capsys, system, words, sentence):
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as ended:
        main(["ask", words[0], "What is this?", *words[1:], "--model", str(spoilt[system])])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert "cannot be read" not in err


@pytest.mark.parametrize(
    ("system", "file", "sentence"),
    [
        pytest.param("lisa", "cloud.npy", "takes image; got point_cloud", id="lisa_cloud"),
        pytest.param("onellm", "fmri:brain.npy", "13", id="onellm_voxels"),
        pytest.param("pointmlp", "cloud.npy", "holds no conversation; use deixis ask", id="pointmlp"),
    ],
)
def test_a_chat_that_cannot_be_held(spoilt, files, monkeypatch, capsys, system, file, sentence):
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as ended:
        main(["chat", file, "--model", str(spoilt[system])])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert "cannot be read" not in err


def test_one_that_can_be_taken_needs_the_weights(spoilt, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit):
        main(["ask", "a.png", "What is this?", "--model", str(spoilt["lisa"])])
    assert "cannot be read" in capsys.readouterr().err


def test_words_with_a_meaning_are_refused_early(spoilt, files):
    opened = answers.open_small(str(spoilt["lisa"]))
    from deixis.conversation import question_sample
    from deixis.signals import open_signal

    question = question_sample("Show [SEG].", (open_signal(files / "a.png"),))
    with pytest.raises(ValueError, match=r"the question must not contain \[SEG\]"):
        answers.refuse_early(opened, question)


def test_a_batch_in_which_nothing_can_be_taken_reads_no_weights(spoilt, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    lines = [{"files": ["a.png"], "question": "What?", "regions": [{"point": [5, 5]}]}] * 9
    (files / "questions.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    with pytest.raises(SystemExit):
        main(["ask", "--batch", "questions.jsonl", "--model", str(spoilt["lisa"])])
    out, err = capsys.readouterr()
    sentences = {json.loads(line)["error"] for line in out.splitlines()}
    assert len(sentences) == 1
    assert "this model takes no regions" in sentences.pop()
    assert err.startswith("0 answered, 9 failed")


def test_one_question_that_can_be_taken_ends_the_batch_where_the_weights_are_none(spoilt, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    (files / "questions.jsonl").write_text(json.dumps({"files": ["a.png"], "question": "What?"}))
    with pytest.raises(SystemExit) as ended:
        main(["ask", "--batch", "questions.jsonl", "--model", str(spoilt["lisa"])])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert "cannot be read" in err


def test_a_folder_of_that_name_is_not_the_bundled_model(command, scene, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundled").mkdir()
    code, out, err = command("ask", scene, "What is this?")
    assert (code, bool(out)) == (0, True), err


@pytest.mark.parametrize("verb", [["ask", "a.png", "What?"], ["chat", "a.png"]])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["--model", "nowhere"], "expected 'bundled', a folder or a hub id", id="model"),
        pytest.param(["--device", "gpu"], "expected cpu, cuda or mps, and one that is here; got 'gpu'", id="device"),
        pytest.param(["--quantization", "int3"], "expected int8 or int4, got 'int3'", id="quantization"),
        pytest.param(["--dtype", "half"], "expected one of float32, bfloat16, float16; got 'half'", id="dtype"),
    ],
)
def test_what_is_cheap_is_checked_first(capsys, verb, words, sentence):
    """The files do not exist either: a signal would be read after these checks, and a model after the signals."""
    with pytest.raises(SystemExit) as ended:
        main([*verb, *words])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
