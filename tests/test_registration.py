"""`import deixis` alone makes transformers' Auto classes know the model; each case is a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from deixis.checkpoints.folder import bundled_folder

ROOT = Path(__file__).parents[1]
FOLDER = str(bundled_folder())
CONFIG = f"print(type(AutoConfig.from_pretrained({FOLDER!r})).__name__)"
PROCESSOR = f"print(type(AutoProcessor.from_pretrained({FOLDER!r})).__name__)"
MODEL = f"print(type(AutoModelForImageTextToText.from_pretrained({FOLDER!r})).__name__)"


def output_of(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            f"import deixis\nfrom transformers import AutoConfig\n{CONFIG}", ["DeixisConfig"], id="configuration"
        ),
        pytest.param(
            f"import deixis\nfrom transformers import AutoProcessor\n{PROCESSOR}", ["DeixisProcessor"], id="processor"
        ),
        pytest.param(
            f"import deixis\nfrom transformers import AutoModelForImageTextToText\n{MODEL}",
            ["DeixisForConditionalGeneration"],
            id="model",
        ),
        pytest.param(
            "from transformers import AutoConfig, AutoProcessor, AutoModelForImageTextToText\nimport deixis\n"
            f"{PROCESSOR}\n{MODEL}\n{CONFIG}",
            ["DeixisProcessor", "DeixisForConditionalGeneration", "DeixisConfig"],
            id="transformers_first",
        ),
        pytest.param(
            f"import transformers\nimport deixis\nfrom transformers import AutoProcessor\n{PROCESSOR}",
            ["DeixisProcessor"],
            id="between",
        ),
        pytest.param(
            "import deixis\nfrom transformers import SamModel, LlavaConfig, AutoConfig\nfrom deixis import load\n"
            + CONFIG,
            ["DeixisConfig"],
            id="other_models_first",
        ),
    ],
)
def test_auto_classes_know_the_model(code, expected):
    assert output_of(code) == expected


def test_the_hook_removes_itself_and_loads_nothing_early():
    code = """
import importlib, sys
import deixis
hooked = lambda: [type(f).__name__ for f in sys.meta_path].count("_AfterImport")
importlib.reload(deixis)
print(hooked(), "transformers" in sys.modules)
from transformers import AutoConfig, AutoProcessor
print(hooked(), "deixis.model" in sys.modules)
from deixis import DeixisConfig
print(AutoConfig.for_model("deixis").__class__ is DeixisConfig)
"""
    assert output_of(code) == ["1", "False", "0", "False", "True"]


def test_importing_takes_no_time():
    code = "import time\nstart = time.process_time()\nimport deixis\nprint(time.process_time() - start)"
    assert min(float(output_of(code)[0]) for _ in range(3)) < 0.5
