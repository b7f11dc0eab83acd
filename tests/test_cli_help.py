"""The `deixis` command as a process: help without heavy imports, the doctor, and mistakes in one sentence."""

import email
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from deixis.cli import app as cli_app
from deixis.cli import doctor, environment
from deixis.cli.errors import bug_sentence, user_sentence
from deixis.cli.progress import training_log
from deixis.errors import InputError, UnsupportedError
from tests.cli.typed import typed

HEAVY = ("torch", "transformers", "scipy", "trimesh", "numpy", "filelock")


def deixis_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deixis", *words],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"},
        check=False,
    )


@pytest.fixture
def run_verb(monkeypatch, capsys):
    """Runs the command in this process with one verb whose body is `body`; returns (exit code, stdout, stderr)."""

    def run(body, *words):
        app = typer.Typer()
        app.callback()(cli_app._global_options)
        app.command("verb")(body)
        monkeypatch.setattr(cli_app, "build_app", lambda: app)
        with pytest.raises(SystemExit) as ended:
            cli_app.main(["verb", *words])
        return ended.value.code, *capsys.readouterr()

    return run


def raiser(error):
    def body() -> None:
        raise error

    return body


COMMANDS = [
    ("all", []),
    *((verb, [verb]) for verb in cli_app.VERBS),
    *((f"{group}_{verb}", [group, verb]) for group, verbs in cli_app.GROUPS.items() for verb in verbs),
]
EVERY_HELP = f"""
import contextlib, io, json, sys
from deixis.cli import main
told = {{}}
for name, words in {COMMANDS!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main([*words, "--help"])
            code = "it did not exit"
        except SystemExit as ended:
            code = ended.code
    told[name] = [code, [name for name in {HEAVY!r} if name in sys.modules], out.getvalue()]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def every_help():
    """Exit code, heavy modules imported so far, and stdout of every help, one after another in one process."""
    done = subprocess.run([sys.executable, "-c", EVERY_HELP], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name, _ in COMMANDS])
def test_help_imports_nothing_heavy(every_help, name):
    code, heavy, out = every_help[name]
    assert (code, heavy) == (0, [])
    assert "Usage: deixis" in out


def test_help_names_every_verb():
    done = deixis_command("--help")
    assert all(verb in done.stdout for verb in cli_app.VERBS)


@pytest.mark.parametrize("words", [pytest.param([], id="nothing"), *(pytest.param([g], id=g) for g in cli_app.GROUPS)])
def test_no_verb_shows_help(words, capsys):
    assert typed(*words, "--help") == 0
    asked = capsys.readouterr()
    assert typed(*words) == 0
    assert capsys.readouterr() == asked
    assert "Usage: deixis" in asked.out
    assert asked.err == ""


def test_version_is_the_packages():
    done = deixis_command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.1.0\n", "")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        pytest.param(["sing"], "No such command 'sing'", id="unknown_verb"),
        pytest.param(["data", "sing"], "(see deixis data --help)", id="unknown_verb_of_a_group"),
        pytest.param(["doctor", "--loud"], "--loud", id="unknown_option"),
        pytest.param(["doctor", "me"], "me", id="too_many_words"),
        pytest.param(["convert", "lisa"], "(see deixis convert --help)", id="missing_argument"),
        pytest.param(["convrt"], "(see deixis --help)", id="unknown_verb"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(words, part, capsys):
    assert typed(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("deixis: ")
    assert part in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(InputError("the box is empty:\n x1 is x2"), "the box is empty: x1 is x2", id="input"),
        pytest.param(UnsupportedError(), "UnsupportedError", id="without_words"),
        pytest.param(FileNotFoundError(2, "No such file or directory", "a.png"), "a.png: no such file", id="no_file"),
        pytest.param(OSError("the image ends too early"), "the image ends too early", id="os_without_number"),
        pytest.param(MemoryError(), "out of memory: use a smaller", id="memory"),
        pytest.param(
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "out of memory: use a smaller",
            id="memory_of_pytorch",
        ),
        pytest.param(OSError("Cannot allocate memory (os error 12)"), "out of memory: use", id="memory_of_safetensors"),
    ],
)
def test_a_user_error_is_one_sentence(run_verb, error, sentence):
    code, out, err = run_verb(raiser(error))
    assert (code, out) == (2, "")
    assert err.startswith(f"deixis: {sentence}")
    assert err.count("\n") == 1


BUGS = [
    pytest.param(KeyError("phrase"), "KeyError: 'phrase'", id="key"),
    pytest.param(ValueError("zip() argument 2 is shorter than argument 1"), "ValueError: zip() argument 2", id="value"),
    pytest.param(TypeError("missing 1 required argument"), "TypeError: missing 1", id="type"),
    pytest.param(AssertionError("the last event is the answer"), "AssertionError: the last event", id="assertion"),
    pytest.param(ModuleNotFoundError("No module named 'deixis.sing'", name="deixis.sing"), "deixis.sing", id="import"),
]


@pytest.mark.parametrize(("error", "line"), BUGS)
@pytest.mark.parametrize("words", [pytest.param([], id="plain"), pytest.param(["--debug"], id="debug")])
def test_bug_keeps_its_traceback(run_verb, error, line, words):
    code, out, err = run_verb(raiser(error), *words)
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):")
    *_, last_of_traceback, sentence = err.splitlines()
    assert line in last_of_traceback
    assert sentence.startswith("deixis: this is a bug of Deixis 0.1.0, not a mistake of yours; please report ")
    assert "`deixis doctor`" in sentence


def test_issue_address_is_that_of_the_metadata(monkeypatch):
    metadata = email.message_from_string("Project-URL: Issues, https://example.org/issues\n\n")
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: metadata)
    assert bug_sentence().endswith("`deixis doctor` at https://example.org/issues")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--debug", "doctor", "--loud"], id="before"),
        pytest.param(["doctor", "--debug", "--loud"], id="after"),
        pytest.param(["doctor", "--loud", "--debug"], id="last"),
        pytest.param(["--debug", "data", "check", "none"], id="before_a_group"),
        pytest.param(["data", "--debug", "check", "none"], id="within_a_group"),
        pytest.param(["data", "check", "none", "--debug"], id="after_a_group"),
    ],
)
def test_debug_shows_the_traceback_of_a_user_error(words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^2$"):
        cli_app.main(words)
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.splitlines()[-1].startswith("deixis: ")


def test_debug_after_double_dash_is_an_argument(capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        cli_app.main(["doctor", "--", "--debug"])
    err = capsys.readouterr().err
    assert err.startswith("deixis: ")
    assert "--debug" in err


def test_an_interrupt_is_quiet(run_verb):
    def body() -> None:
        signal.raise_signal(signal.SIGINT)

    code, out, err = run_verb(body)
    assert (code, out, err.strip()) == (130, "", "")


def test_a_closed_pipe_is_quiet(run_verb):
    code, _, err = run_verb(raiser(BrokenPipeError(32, "Broken pipe")))
    assert (code, err) == (1, "")


def test_log_lines_are_printed_once_in_every_run_and_all_of_those_of_a_training(run_verb):
    def body() -> None:
        log = logging.getLogger("deixis.training.some_stage")
        log.info("not said")
        with training_log():
            log.info("stage a\x1b[2J is done")
        log.warning("skipped: b\x9b2J.png")

    for _ in range(2):
        assert run_verb(body) == (0, "", "stage a\\x1b[2J is done\nskipped: b\\x9b2J.png\n")


def test_options_keep_their_order(run_verb):
    seen = []

    def body(context: typer.Context, box: str = "", point: str = "") -> None:
        seen.extend([context.obj, box, point])

    assert run_verb(body, "--point", "1,2", "--box", "3")[0] == 0
    assert seen == [("verb", "--point", "1,2", "--box", "3"), "3", "1,2"]


def test_doctor_reports_as_json():
    done = deixis_command("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["devices"][0]["device"] == "cpu"
    assert report["versions"]["deixis"] == "0.1.0"
    assert report["versions"]["torch"]
    assert set(report) == {"devices", "versions", "extras", "offline", "bundled_model"}


def test_doctor_reports_as_text(capsys):
    assert typed("doctor") == 0
    out, err = capsys.readouterr()
    assert err == ""
    for title in ("devices", "versions", "extras", "offline settings", "bundled model"):
        assert f"\n{title}\n" in f"\n{out}"


def extra_with(*packages):
    return environment.Extra("world", packages)


PRESENT = environment.Package("numpy", "numpy>=1.26", "2.0", satisfied=True)
ABSENT = environment.Package("ray-caster", "ray-caster>=2", None, satisfied=False)
OLD = environment.Package("peft", "peft>=99", "0.1", satisfied=False)


@pytest.mark.parametrize(
    ("packages", "pip_line"),
    [
        pytest.param([], "", id="none"),
        pytest.param([PRESENT], "", id="present"),
        pytest.param([PRESENT, ABSENT], "pip install 'ray-caster>=2'", id="absent"),
        pytest.param([OLD, ABSENT], "pip install 'peft>=99' 'ray-caster>=2'", id="too_old"),
    ],
)
def test_pip_command_names_missing_packages(packages, pip_line):
    assert extra_with(*packages).pip_line == pip_line


def test_doctor_reports_memory(monkeypatch):
    cpu = environment.devices()[0]
    assert cpu["memory_bytes"] is None or cpu["memory_bytes"] > 2**28
    monkeypatch.setattr(environment, "devices", lambda: [cpu | {"name": "a chip", "memory_bytes": 16_000_000_000}])
    assert "a chip, 16.0 GB\n" in doctor._as_text(doctor.examine())
    monkeypatch.setattr(environment, "devices", lambda: [cpu | {"name": "a chip", "memory_bytes": None}])
    assert "a chip\n" in doctor._as_text(doctor.examine())


def test_doctor_names_a_missing_extra_and_its_pip_line(monkeypatch):
    monkeypatch.setattr(environment, "extras_of_this_package", lambda: (extra_with(PRESENT, ABSENT),))
    report = doctor.examine()
    assert report["extras"]["world"]["missing"] == ["ray-caster>=2"]
    assert "pip install 'ray-caster>=2'" in doctor._as_text(report)


def test_missing_package_of_an_extra_is_a_user_error(monkeypatch):
    monkeypatch.setattr(environment, "extras_of_this_package", lambda: (extra_with(ABSENT),))
    sentence = user_sentence(ModuleNotFoundError("No module named 'ray_caster'", name="ray_caster.core"))
    assert sentence == "this requires the package ray-caster, of the extra 'world': pip install 'ray-caster>=2'"
    assert user_sentence(ModuleNotFoundError("No module named 'deixis.sing'", name="deixis.sing")) is None


def test_extras_are_read_from_the_installed_metadata():
    names = {e.name: {package.name for package in e.packages} for e in environment.extras_of_this_package()}
    if not names:
        pytest.skip("deixis is on the path but not installed, so it has no metadata")
    assert names["world"] >= {"embreex"}
    assert names["train"] == {"accelerate", "h5py", "peft", "tensorboard"}
