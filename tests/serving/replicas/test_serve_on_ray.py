"""`deixis serve --ray` on a cluster of this machine: one answer like the model's, whichever replicas give it or die."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from deixis.serving.guard.keys import add_key
from tests.cli.typed import typed
from tests.serving.conftest import SCENE

pytest.importorskip("ray")
pytest.importorskip("grpc_reflection")
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
QUESTION = "Describe the picture with boxes."
REPLICA = b"ray::ServeReplica:deixis:replica"


@dataclass(frozen=True)
class Cluster:
    """A running command, its address, and a key of each of two clients."""

    process: subprocess.Popen
    url: str
    keys: tuple[str, str]

    def client(self, number: int = 0) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.keys[number], max_retries=0)

    def metric(self, name: str) -> list[float]:
        """The values of a metric, of each replica that tells it."""
        request = urllib.request.Request(f"{self.url}/metrics", headers={"Authorization": f"Bearer {self.keys[0]}"})
        with urllib.request.urlopen(request) as reply:
            text = reply.read().decode()
        return [float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)]

    def wait_for(self, name: str, least: float) -> None:
        """Until the values of a metric are so much together."""
        for _ in range(3000):
            if sum(self.metric(name)) >= least:
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} stays below {least}")

    def replicas(self) -> list[int]:
        """The processes of the replicas."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if REPLICA in (folder / "cmdline").read_bytes() and self.process.pid in _ancestors(int(folder.name)):
                    found.append(int(folder.name))
            except OSError:  # it has ended
                continue
        return found


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    keys = add_key(file, "anna"), add_key(file, "ben")
    command = [sys.executable, "-m", "deixis", "serve", "--ray", "--replicas", "2", "--port", "0", "--key-file", file]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if match := re.search(r"the API at (\S+)/v1", line):
            break
    else:
        raise AssertionError("".join(lines))
    yield Cluster(process, match[1], keys)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    process.stderr.close()


@pytest.fixture(scope="module")
def scene(cluster) -> str:
    """The id of an uploaded file."""
    return cluster.client().files.create(file=SCENE, purpose="user_data").id


def ask(cluster: Cluster, file: str, stream: bool = False) -> tuple[str, list[dict]]:
    """(text, regions) of the answer."""
    parts = [{"type": "file", "file": {"file_id": file}}, {"type": "text", "text": QUESTION}]
    asked = {"model": "", "messages": [{"role": "user", "content": parts}]}
    if not stream:
        message = cluster.client().chat.completions.create(**asked).choices[0].message
        return message.content, message.regions
    text, regions, finish = "", [], None
    for chunk in cluster.client().chat.completions.create(**asked, stream=True):
        choice = chunk.choices[0]
        text += choice.delta.content or ""
        regions += getattr(choice.delta, "regions", None) or []
        finish = choice.finish_reason or finish
    assert finish == "stop"
    return text, regions


def many(cluster: Cluster, scene: str, pool: ThreadPoolExecutor, count: int) -> list:
    """So many questions that are being answered, every other one as a stream."""
    answers = [pool.submit(ask, cluster, scene, number % 2 == 1) for number in range(count)]
    cluster.wait_for("deixis_server_active_rows", 8)
    return answers


def test_every_replica_finds_a_file_that_one_took_and_answers_as_the_model(cluster, scene, bundled):
    text, regions = ask(cluster, scene)
    expected = bundled.ask(QUESTION, str(SCENE))
    assert text == expected.text
    assert [own["box_xyxy"] for own in regions] == [pytest.approx(own.box, rel=1e-6) for own in expected.regions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: ask(cluster, scene, number % 2 == 1), range(8))) == [(text, regions)] * 8
    assert min(cluster.metric("deixis_server_answers_stop_total")) >= 1
    assert len(cluster.metric("deixis_server_answers_stop_total")) == 2


def test_guards_stand_before_the_replicas(cluster, scene):
    assert [own.id for own in cluster.client().files.list().data] == [scene]
    assert cluster.client(1).files.list().data == []
    for path in ("/v1/models", "/metrics", "/-/routes"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(cluster.url + path)
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(cluster.url + path) as reply:
            assert json.loads(reply.read())["status"] in ("ok", "ready")
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
    with urllib.request.urlopen(cluster.url) as reply:
        (script,) = re.findall(r'src="\.?(/studio/assets/[^"]+\.js)"', reply.read().decode())
    with urllib.request.urlopen(cluster.url + script) as reply:
        assert reply.headers["Content-Type"].startswith("text/javascript")


def test_a_replica_that_is_killed_under_load_loses_no_request(cluster, scene):
    expected = ask(cluster, scene)
    with ThreadPoolExecutor(12) as pool:
        answers = many(cluster, scene, pool, 12)
        os.kill(cluster.replicas()[0], signal.SIGKILL)
        assert [own.result() for own in answers] == [expected] * 12
    (losses,) = cluster.metric("deixis_replica_losses_total")
    assert losses >= 1


def test_requests_that_were_accepted_are_answered_before_it_ends(cluster, scene):
    expected = ask(cluster, scene)
    with ThreadPoolExecutor(12) as pool:
        answers = many(cluster, scene, pool, 12)
        cluster.process.send_signal(signal.SIGTERM)
        assert [own.result() for own in answers] == [expected] * 12
    assert cluster.process.wait(timeout=120) == 0
    assert "Traceback" not in cluster.process.stderr.read()


def test_without_ray_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert typed("serve", "--ray") == 2
    assert "of the extra 'ray'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--replicas", "2"], "--replicas: expected beside --ray, got it alone", id="without-ray"),
        pytest.param(["--ray-address", "local"], "--ray-address: expected beside --ray", id="address-without-ray"),
        pytest.param(["--ray", "--replicas", "0"], "expected a number from 1, or two as 1-4; got '0'", id="none"),
        pytest.param(["--ray", "--replicas", "4-1"], "--replicas: expected a number", id="the-wrong-way-round"),
        pytest.param(["--ray", "--ray-address", "127.0.0.1:6379"], "--uploads: expected with", id="no-folder"),
        pytest.param(["--ray", "--host", "0.0.0.0"], "expected --key-file with it", id="no-keys"),
        pytest.param(["--ray", "--key-file", "nowhere"], "expected a file of API keys", id="no-key-file"),
        pytest.param(["--ray", "--model", "nowhere"], "model: expected 'bundled', a folder", id="no-model"),
    ],
)
def test_what_it_cannot_do_is_refused_before_ray_is_started(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setattr("ray.init", None)
    assert typed("serve", *arguments) == 2
    output = capsys.readouterr()
    assert sentence in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)
