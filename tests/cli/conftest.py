"""The command in this process, on the bundled model loaded once for all tests here."""

from pathlib import Path

import pytest

from deixis.cli import answers, main, progress

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def bundled():
    """The bundled model."""
    return answers.open_model("bundled", "cpu")


@pytest.fixture
def command(bundled, monkeypatch, capsys):
    """Runs `deixis WORDS`; returns (exit code, stdout, stderr). Any other model is opened as usual."""
    opened = answers.open_model
    monkeypatch.setattr(
        answers, "open_model", lambda model, *how: bundled if str(model) == "bundled" else opened(model, *how)
    )

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def refused(monkeypatch, capsys):
    """Runs `deixis WORDS`, which must end as a user's mistake before any model is loaded; the sentence on stderr."""

    def never(*arguments):
        raise AssertionError("the model was loaded before the mistake was seen")

    monkeypatch.setattr(answers, "open_model", never)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert err.startswith("deixis: ")
        assert err.count("\n") == 1
        return err

    return run


@pytest.fixture(scope="session")
def scene() -> Path:
    return EXAMPLES / "scene.png"


@pytest.fixture(scope="session")
def sound() -> Path:
    return EXAMPLES / "sound.wav"


@pytest.fixture(scope="session")
def cloud() -> Path:
    return EXAMPLES / "cloud.ply"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """No line about a model that loads slowly, on a machine that is slow: stderr is compared."""
    monkeypatch.setattr(progress, "PATIENCE_S", 3600)
