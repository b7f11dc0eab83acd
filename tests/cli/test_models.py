"""`deixis models`: a table for people, one JSON object for programs."""

import json
import re
from pathlib import Path

import pytest

from deixis.cli import main
from deixis.systems.releases import PRESETS


def typed(*words):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 0


def test_the_json_has_every_model(capsys):
    typed("models", "--json")
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert rows.keys() == PRESETS.keys()
    assert err == ""
    lisa = rows["lisa-7b"]
    assert lisa["parameters"] > 7e9
    assert lisa["memory_bytes"]["bfloat16"]["cuda"] == 2 * lisa["parameters"]
    assert lisa["fits_gb"]["bfloat16"] == {"cpu": 24, "cuda": 24, "mps": 24}
    assert lisa["memory_bytes"]["int8"]["mps"] is lisa["fits_gb"]["int4"]["mps"] is None
    for device in ("cpu", "cuda"):  # the rest is bfloat16
        assert lisa["memory_bytes"]["int8"][device] < 0.6 * lisa["memory_bytes"]["bfloat16"][device]
    assert (lisa["signals"], lisa["regions"], lisa["answers"]) == (["image"], [], ["text", "mask"])
    assert "Apache-2.0" in lisa["licence"]
    assert rows["pointmlp"]["answers"] == ["class"]
    assert rows["bundled"]["answers"] == ["text", "box", "mask"]
    assert rows["bundled"]["parameters"] < 20e6


def test_the_table_fits_a_terminal_and_names_terms(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    typed("models")
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    for name in PRESETS:
        assert name in out
    assert "not on MPS" in out
    assert "CC BY-NC" in out.replace("\n", " ")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in ("ASK", "CHECKPOINTS", "EVALUATION"))])
def test_models_that_commands_name_are_listed(page):
    lines = (Path(__file__).parents[2] / page).read_text(encoding="utf-8").splitlines()
    named = {name for line in lines for name in re.findall(r"deixis .*--model ([\w.-]+)(?![\w/])", line)}
    named |= {name for line in lines for name in re.findall(r"pretrained=([\w.-]+)", line)}
    assert named <= {*PRESETS, "bundled", "OUT"}
