"""`import deixis` alone makes transformers' Auto classes know the model; each case is a process of its own.

They are forked by one that has imported most of what transformers imports, and nothing of it.
"""

import os
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
CASES = {
    "processor": (f"import deixis\nfrom transformers import AutoProcessor\n{PROCESSOR}", ["DeixisProcessor"]),
    "model": (
        f"import deixis\nfrom transformers import AutoModelForImageTextToText\n{MODEL}",
        ["DeixisForConditionalGeneration"],
    ),
    "transformers_first": (
        "from transformers import AutoConfig, AutoProcessor, AutoModelForImageTextToText\nimport deixis\n"
        f"{PROCESSOR}\n{MODEL}\n{CONFIG}",
        ["DeixisProcessor", "DeixisForConditionalGeneration", "DeixisConfig"],
    ),
    "between": (
        f"import transformers\nimport deixis\nfrom transformers import AutoProcessor\n{PROCESSOR}",
        ["DeixisProcessor"],
    ),
    "other_models_first": (
        f"import deixis\nfrom transformers import SamModel, LlavaConfig, AutoConfig\nfrom deixis import load\n{CONFIG}",
        ["DeixisConfig"],
    ),
    "the_hook_removes_itself_and_loads_nothing_early": (
        """
import importlib, sys
import deixis
hooked = lambda: [type(f).__name__ for f in sys.meta_path].count("_AfterImport")
importlib.reload(deixis)
print(hooked(), "transformers" in sys.modules)
from transformers import AutoConfig, AutoProcessor
print(hooked(), "deixis.model" in sys.modules)
from deixis import DeixisConfig
print(AutoConfig.for_model("deixis").__class__ is DeixisConfig)
""",
        ["1", "False", "0", "False", "True"],
    ),
}
FORKS = """
import os, sys
import accelerate.utils, scipy.optimize, torch._dynamo, torch.distributed.tensor
assert not {"deixis", "transformers"} & sys.modules.keys()
for code in sys.argv[1:]:
    if not (own := os.fork()):
        exec(code, {})
        sys.exit()
    assert os.waitpid(own, 0)[1] == 0, code
    print(end="next\\n", flush=True)
"""


def output_of(*words: str) -> str:
    done = subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def outputs():
    codes = [code for code, _ in CASES.values()]
    told = output_of(FORKS, *codes).split("next\n") if hasattr(os, "fork") else [output_of(code) for code in codes]
    return dict(zip(CASES, told, strict=False))


@pytest.mark.parametrize("case", CASES)
def test_auto_classes_know_the_model(outputs, case):
    assert outputs[case].split() == CASES[case][1]


def test_importing_takes_no_time():
    code = "import time\nstart = time.process_time()\nimport deixis\nprint(time.process_time() - start)"
    assert any(float(output_of(code)) < 0.5 for _ in range(3))
