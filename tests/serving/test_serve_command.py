"""`deixis serve` as it is typed: it answers until it is told to end, and refuses what it cannot do."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.cli.typed import typed

COMMAND = [sys.executable, "-m", "deixis", "serve"]


def status(url: str, key: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def test_it_serves_with_keys_and_ends_with_0_when_it_is_interrupted(tmp_path):
    keys = tmp_path / "keys"
    made = subprocess.run(
        [*COMMAND, "--key-file", str(keys), "--new-key", "anna"], capture_output=True, text=True, check=True
    )
    key = made.stdout.strip()
    assert key not in keys.read_text()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    server = subprocess.Popen(
        [*COMMAND, "--port", "0", "--key-file", str(keys)], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert server.stderr is not None
    line = next(line for line in server.stderr if "the API at" in line)
    (url,) = re.findall(r"the API at (\S+)/v1", line)
    assert [status(f"{url}/readyz"), status(f"{url}/v1/models"), status(f"{url}/v1/models", key)] == [200, 401, 200]
    assert status(f"{url}/metrics") == 401
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == 0
    assert "Traceback" not in server.stderr.read()
    server.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--host", "0.0.0.0"], "expected --key-file with it", id="no-keys"),
        pytest.param(["--key-file", "nowhere"], "expected a file of API keys", id="no-key-file"),
        pytest.param(["--new-key", "a"], "expected --key-file", id="key-without-file"),
        pytest.param(["--port", "70000"], "port: expected a whole number from 0", id="port"),
    ],
)
def test_what_it_cannot_do_is_refused_before_a_model_is_loaded(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setattr("deixis.cli.answers.open_model", None)
    assert typed("serve", *arguments) == 2
    output = capsys.readouterr()
    assert sentence in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)


def test_a_port_in_use_is_told_of_before_a_model_is_loaded(capsys, monkeypatch):
    monkeypatch.setattr("deixis.cli.answers.open_model", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert typed("serve", "--port", taken.getsockname()[1]) == 2
    assert "expected a free port of 127.0.0.1" in capsys.readouterr().err
