"""Hub ids: fetched through huggingface_hub from a server on this machine that speaks enough of its protocol."""

import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import load_file

from deixis import load
from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.checkpoints.source import open_source
from tests.cli.typed import typed

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(sources, tmp_path):
    """(address, paths asked for) of a hub with the repositories toy/points, toy/empty and toy/official."""
    folders = {
        "toy/points": sources["pointmlp"],
        "toy/empty": tmp_path / "empty",
        "toy/official": tmp_path / "official",
    }
    folders["toy/empty"].mkdir()
    folders["toy/official"].mkdir()
    (folders["toy/official"] / "config.json").write_text('{"architectures": ["FERRETLlamaForCausalLM"]}')
    (folders["toy/official"] / "model.safetensors").write_bytes(b"never fetched")
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = self.path.split("?")[0]
            asked.append(path)
            first, _, rest = path.strip("/").partition("/")
            if first == "api":
                parts = rest.split("/")
                self.answer_about("/".join(parts[1:3]), parts[3] if len(parts) > 3 else "")
            else:
                parts = path.strip("/").split("/")
                self.answer_file("/".join(parts[:2]), "/".join(parts[4:]))

        def answer_about(self, name, what):
            if name not in folders:
                return self.reply(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
            files = sorted(str(f.relative_to(folders[name])) for f in folders[name].rglob("*") if f.is_file())
            if what == "tree":
                record = [{"type": "file", "path": f, "size": 1, "oid": COMMIT} for f in files]
            else:
                record = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": f} for f in files]}
            return self.reply(200, json.dumps(record).encode())

        def answer_file(self, name, file):
            content = (folders[name] / file).read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            self.reply(200, content, ETag=f'"{etag}"', **{"X-Repo-Commit": COMMIT})

        def reply(self, status, content, **headers):
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def at(monkeypatch, tmp_path):
    """Puts the hub of this process at an address."""
    from huggingface_hub import constants

    def moved(address):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    return moved


def test_a_hub_id_is_fetched_and_converted(hub, at, tmp_path):
    from deixis.systems.pointmlp.classifier import load_classifier
    from tests.checkpoints.checkpoints import pointmlp_state

    address, asked = hub
    at(address)
    assert typed("convert", "pointmlp", "toy/points", tmp_path / "out") == 0
    network, state = load_classifier(tmp_path / "out").network, pointmlp_state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    account = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert account["source"] == "toy/points"
    assert list(account["files"]) == ["source/best_checkpoint.pth", "source/config.json"]
    assert f"/toy/points/resolve/{COMMIT}/config.json" in asked


@pytest.mark.parametrize(
    ("name", "match"),
    [
        pytest.param("toy/nothing", "'toy/nothing' is no folder here and no repository of the hub", id="unknown"),
        pytest.param("toy/empty", r"expected weights \(\*.safetensors, pytorch_model", id="without_weights"),
    ],
)
def test_a_hub_id_that_gives_nothing_is_one_sentence(hub, at, name, match):
    at(hub[0])
    with pytest.raises(ValueError, match=match) as caught:
        open_source(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("opened", "what"),
    [pytest.param(open_source, "source", id="convert"), pytest.param(open_pretrained, "model", id="ask")],
)
@pytest.mark.parametrize(
    ("offline", "match"),
    [
        pytest.param(
            True,
            r"'toy/points' is no folder here, was not fetched before, and HF_HUB_OFFLINE=1 keeps the hub from being",
            id="switched_off",
        ),
        pytest.param(False, r"the hub could not give it \(\w+\); check the name and the network", id="no_network"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_one_sentence(at, monkeypatch, capfd, opened, what, offline, match):
    from huggingface_hub import constants

    at("http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1" if offline else "0")
    with pytest.raises(ValueError, match=f"{what}: .*{match}") as caught:
        opened("toy/points")
    assert "\n" not in str(caught.value)
    assert tuple(capfd.readouterr()) == ("", "")


def test_without_a_network_it_is_what_was_fetched_before(hub, at, monkeypatch):
    from huggingface_hub import constants

    at(hub[0])
    fetched = open_source("toy/points").files
    at("http://127.0.0.1:9")
    assert open_source("toy/points").files == fetched
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_source("toy/points").files == fetched


def test_an_official_repository_says_how_it_is_converted_before_its_weights_are_fetched(hub, at):
    at(hub[0])
    with pytest.raises(ValueError, match=r"an official Ferret checkpoint.*: deixis convert ferret toy/official OUT"):
        load("toy/official")
    assert not any(path.endswith(".safetensors") for path in hub[1])


def test_safetensors_are_taken_rather_than_pickles(hub, at, sources, tmp_path):
    folder = tmp_path / "empty"
    shutil.copy(sources["ferret"] / "model.safetensors", folder)
    (folder / "pytorch_model.bin").write_bytes(b"never fetched")
    at(hub[0])
    assert [file.name for file in open_source("toy/empty").files] == ["model.safetensors"]
    assert not any(path.endswith(".bin") for path in hub[1])


def test_pickles_at_the_top_are_fetched_beside_a_tower_of_safetensors(hub, at, sources, tmp_path):
    folder = shutil.copytree(sources["ferret"], tmp_path / "empty", dirs_exist_ok=True)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "vision_tower" / "pytorch_model.bin").write_bytes(b"never fetched")
    at(hub[0])
    source = open_source("toy/empty")
    assert [file.name for file in source.files] == ["pytorch_model.bin"]
    assert (source.folder / "tokenizer.model").is_file()
    assert [file.name for file in open_source(source.folder / "vision_tower").files] == ["model.safetensors"]
    assert "/toy/empty/resolve/" + COMMIT + "/vision_tower/pytorch_model.bin" not in hub[1]


def test_the_weights_of_a_model_are_fetched_when_they_are_needed(hub, at, toy, tmp_path):
    network, processor = toy
    network.save_pretrained(tmp_path / "empty")
    processor.save_pretrained(tmp_path / "empty")
    at(hub[0])
    opened = open_config_and_processor("toy/empty")
    assert opened.config.model_type == "deixis"
    assert not any(path.endswith(".safetensors") for path in hub[1])
    loaded, _ = open_pretrained(opened)
    assert all(torch.equal(t, network.state_dict()[name]) for name, t in loaded.state_dict().items())
