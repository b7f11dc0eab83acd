"""`deixis export` as it is typed, on the bundled model, and what is refused before anything is written."""

import json

import pytest
import torch

from deixis.inference import load
from tests.cli.typed import typed


def test_the_bundled_model_is_exported_and_asked(scene, tmp_path, capsys):
    out = tmp_path / "int8"
    assert typed("export", "bundled", out, "--quantize", "int8") == 0
    output, told = capsys.readouterr()
    assert output == ""
    assert f"exported into {out}: 15.9 MB, 89 layers in int8 and the rest in bfloat16; deixis ask --model {out}" in told
    assert json.loads((out / "config.json").read_text())["quantization_config"]["word"] == "int8"
    assert "Apache-2.0" in (out / "README.md").read_text()
    assert not (out / "dense_heads.safetensors").exists()
    stored, packed = load(out).network.state_dict(), load(device="cpu", quantization="int8").network.state_dict()
    assert all(torch.equal(stored[name], packed[name]) for name in packed)
    assert typed("ask", "--model", out, scene, "What do you see?") == 0
    assert "mug" in capsys.readouterr().out
    assert typed("ask", "--model", out, scene, "What do you see?", "--quantization", "int4") == 2
    assert "expected int8, in which the weights of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["--dtype", "int8"], "dtype: expected one of float32, bfloat16, float16; got 'int8'", id="dtype"),
        pytest.param(["--quantize", "int2"], "--quantize: expected one of int8, int4", id="quantize"),
        pytest.param(["--merge"], "--merge: expected beside --adapter FOLDER", id="merge"),
        pytest.param(
            ["--adapter", "{out}"], "adapter: expected a folder with a file adapter_config.json", id="adapter"
        ),
        pytest.param([], "expected a folder that is not there yet", id="out"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, capsys, words, sentence):
    if not words:
        (tmp_path / "file").touch()
    code = typed("export", "bundled", tmp_path, *(word.format(out=tmp_path) for word in words))
    output, told = capsys.readouterr()
    assert (code, output, told.count("\n")) == (2, "", 1)
    assert sentence in told
