"""Reading sources: every layout gives the same tensors, and a broken one is one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deixis.checkpoints.source import DeltaAndBase, open_source

ROOT = Path(__file__).parents[2]
STATE = {
    "a.weight": torch.arange(12.0).view(3, 4),
    "b.bias": torch.ones(4, dtype=torch.float16),
    "c": torch.tensor(2.0),
}


class Runs:
    """What a pickle with code in it would run."""

    def __reduce__(self):
        return (os.system, ("echo this must never run > ran",))


def shards(folder, suffix, save):
    parts = [dict(list(STATE.items())[:1]), dict(list(STATE.items())[1:])]
    names = [f"pytorch_model-0000{n}-of-00002{suffix}" for n in (1, 2)]
    for name, part in zip(names, parts, strict=True):
        save(part, folder / name)
    index = "model.safetensors.index.json" if suffix == ".safetensors" else "pytorch_model.bin.index.json"
    places = {key: name for name, part in zip(names, parts, strict=True) for key in part}
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def parallel(folder):
    whole = {
        "x.attention.wq.weight": torch.arange(24.0).view(6, 4),
        "x.attention.wo.weight": torch.arange(24.0).view(4, 6),
    }
    whole |= {"tok_embeddings.weight": torch.arange(8.0).view(2, 4), "norm.weight": torch.ones(4)}
    for rank in range(2):
        own = {
            "x.attention.wq.weight": whole["x.attention.wq.weight"][3 * rank : 3 * rank + 3].clone(),
            "x.attention.wo.weight": whole["x.attention.wo.weight"][:, 3 * rank : 3 * rank + 3].clone(),
            "tok_embeddings.weight": whole["tok_embeddings.weight"][:, 2 * rank : 2 * rank + 2].clone(),
            "norm.weight": whole["norm.weight"].clone(),
        }
        torch.save({f"llma.{name}": tensor for name, tensor in own.items()}, folder / f"consolidated.0{rank}-of-02.pth")
    return {f"llma.{name}": tensor for name, tensor in whole.items()}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda f: save_file(STATE, f / "model.safetensors"), id="safetensors"),
        pytest.param(lambda f: save_file(STATE, f / "checkpoint.safetensors"), id="checkpoint"),
        pytest.param(lambda f: torch.save(STATE, f / "pytorch_model.bin"), id="bin"),
        pytest.param(lambda f: torch.save(STATE, f / "consolidated.00-of-01.pth"), id="consolidated"),
        pytest.param(lambda f: torch.save({"net": STATE, "acc": 91.0}, f / "last.pth"), id="training_script"),
        pytest.param(
            lambda f: torch.save(STATE, f / "old.pth", _use_new_zipfile_serialization=False), id="before_zip_files"
        ),
        pytest.param(lambda f: shards(f, ".safetensors", save_file), id="safetensors_shards"),
        pytest.param(lambda f: shards(f, ".bin", torch.save), id="bin_shards"),
    ],
)
def test_every_layout_gives_the_tensors(tmp_path, write):
    write(tmp_path)
    source = open_source(tmp_path)
    assert {name: (tuple(t.shape), t.dtype) for name, t in source.meta().items()} == {
        name: (tuple(t.shape), t.dtype) for name, t in STATE.items()
    }
    for name, tensor in STATE.items():
        assert torch.equal(source.read(name), tensor)
    source.close()


def test_tensor_parallel_files_are_joined(tmp_path):
    whole = parallel(tmp_path)
    for source in (open_source(tmp_path), open_source(tmp_path / "consolidated.01-of-02.pth")):
        assert {name: tuple(t.shape) for name, t in source.meta().items()} == {
            n: tuple(t.shape) for n, t in whole.items()
        }
        assert all(torch.equal(source.read(name), tensor) for name, tensor in whole.items())


def bad_shard(folder, change):
    shards(folder, ".bin", torch.save)
    change(folder)


@pytest.mark.parametrize(
    ("write", "match"),
    [
        pytest.param(lambda f: None, r"expected weights \(.*\), got none in the folder", id="nothing"),
        pytest.param(
            lambda f: (shards(f, ".bin", torch.save) / "pytorch_model-00002-of-00002.bin").unlink(),
            "the shard pytorch_model-00002-of-00002.bin named in pytorch_model.bin.index.json is missing",
            id="missing_shard",
        ),
        pytest.param(
            lambda f: (parallel(f), (f / "consolidated.00-of-02.pth").unlink()),
            "expected 2 tensor-parallel files, got 1; that of rank 00 is missing",
            id="missing_rank",
        ),
        pytest.param(
            lambda f: (parallel(f), torch.save({"llma.norm.weight": torch.ones(4)}, f / "consolidated.01-of-02.pth")),
            "expected the same tensors in every tensor-parallel file, got .* in only one of",
            id="ranks_differ",
        ),
        pytest.param(
            lambda f: torch.save({"a": Runs()}, f / "pytorch_model.bin"),
            r"pytorch_model.bin is a pickle with more than tensors in it \(\w+.system\), which is never run",
            id="pickle_with_code",
        ),
        pytest.param(
            lambda f: torch.save({"a": {"b": 3}}, f / "pytorch_model.bin"), "expected named tensors in", id="no_tensors"
        ),
        pytest.param(
            lambda f: torch.save([torch.ones(2)], f / "pytorch_model.bin"), "expected named tensors in", id="list"
        ),
        pytest.param(lambda f: (f / "pytorch_model.bin").write_bytes(b""), "cannot be read", id="empty"),
        pytest.param(lambda f: (f / "a.pth").write_text("hello"), "(cannot be read|more than tensors)", id="text"),
        pytest.param(lambda f: (f / "model.safetensors").write_text("hello"), "cannot be read", id="not_safetensors"),
        pytest.param(
            lambda f: (save_file(STATE, f / "model.safetensors"), os.truncate(f / "model.safetensors", 300)),
            "model.safetensors cannot be read .*; it may be damaged or cut short",
            id="cut_safetensors",
        ),
        pytest.param(
            lambda f: (torch.save(STATE, f / "x.pth"), os.truncate(f / "x.pth", 900)), "cannot be read", id="cut_zip"
        ),
        pytest.param(
            lambda f: (f / "pytorch_model.bin.index.json").write_text("{}"),
            "expected an index of weights",
            id="no_index",
        ),
        pytest.param(
            lambda f: (torch.save(STATE, f / "a.pth"), torch.save(STATE, f / "b.pth")),
            "expected one checkpoint, or shards with their index, got 2 files",
            id="which",
        ),
        pytest.param(
            lambda f: bad_shard(f, lambda f: torch.save(STATE, f / "pytorch_model-00001-of-00002.bin")),
            "the tensor b.bias is in two files",
            id="twice",
        ),
        pytest.param(
            lambda f: bad_shard(f, lambda f: torch.save({"z": torch.ones(1)}, f / "pytorch_model-00001-of-00002.bin")),
            "the index puts a.weight in pytorch_model-00001-of-00002.bin, which does not hold it",
            id="index_and_shard_differ",
        ),
    ],
)
def test_a_broken_source_is_one_sentence(tmp_path, monkeypatch, write, match):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "source"
    folder.mkdir()
    write(folder)
    with pytest.raises(ValueError, match=match) as caught:
        open_source(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_slices_that_are_not_the_same_are_refused(tmp_path):
    parallel(tmp_path)
    other = torch.load(tmp_path / "consolidated.01-of-02.pth", weights_only=True)
    other["llma.norm.weight"] += 1
    torch.save(other, tmp_path / "consolidated.01-of-02.pth")
    source = open_source(tmp_path)
    with pytest.raises(ValueError, match=r"the slices of llma.norm.weight in its 2 tensor-parallel files do not fit"):
        source.read("llma.norm.weight")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nowhere", id="word"),
        pytest.param("./no/where", id="path"),
        pytest.param("a/model.pth", id="file"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_name_that_is_none(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ValueError, match="source"):
        open_source(name)


class TestDelta:
    """apple/ml-ferret@3c9e5c9, ferret/model/apply_delta.py."""

    BASE = {"model.embed_tokens.weight": torch.ones(4, 3), "model.x.weight": torch.full((2, 2), 5.0)}
    TARGET = {
        "model.embed_tokens.weight": torch.arange(15.0).view(5, 3),
        "model.x.weight": torch.arange(4.0).view(2, 2),
        "model.mm_projector.weight": torch.ones(2, 2),
    }

    def written(self, folder, name, state):
        (folder / name).mkdir()
        save_file(state, folder / name / "model.safetensors")
        return open_source(folder / name)

    def delta(self):
        state = {name: tensor.clone() for name, tensor in self.TARGET.items()}
        state["model.embed_tokens.weight"][:4] -= self.BASE["model.embed_tokens.weight"]
        state["model.x.weight"] -= self.BASE["model.x.weight"]
        return state

    def test_gives_the_target(self, tmp_path):
        source = DeltaAndBase(self.written(tmp_path, "delta", self.delta()), self.written(tmp_path, "base", self.BASE))
        assert all(torch.equal(source.read(name), tensor) for name, tensor in self.TARGET.items())
        assert len(source.files) == 2

    @pytest.mark.parametrize(
        ("base", "match"),
        [
            pytest.param(
                {**BASE, "model.x.weight": torch.ones(3, 2)},
                r"expected model.x.weight of shape \(2, 2\) as in the delta, got \(3, 2\); it is another base model",
                id="other_shape",
            ),
            pytest.param(
                {**BASE, "model.embed_tokens.weight": torch.ones(6, 3)}, "it is another base model", id="more_rows"
            ),
            pytest.param({**BASE, "model.y.weight": torch.ones(1)}, "expected a delta for model.y.weight", id="more"),
        ],
    )
    def test_another_base_is_refused(self, tmp_path, base, match):
        delta, other = self.written(tmp_path, "delta", self.delta()), self.written(tmp_path, "base", base)
        with pytest.raises(ValueError, match=match):
            DeltaAndBase(delta, other)


MEASURE = """
import json, resource, sys, torch
from pathlib import Path
from deixis.checkpoints.source import open_source
from deixis.checkpoints.weights import Shape, write_weights
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
source = open_source(sys.argv[1])
shapes = {name: Shape(tuple(t.shape), t.dtype) for name, t in source.meta().items()}
open("/proc/self/clear_refs", "w").write("5")  # the high-water mark begins here
before = peak()
write_weights(Path(sys.argv[2]), shapes, lambda name: source.read(name) + 0, 10**9)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's account of memory")
@pytest.mark.parametrize("suffix", [pytest.param(".bin", id="bin"), pytest.param(".safetensors", id="safetensors")])
def test_memory_stays_under_twice_the_largest_shard(tmp_path, suffix):
    """Eight shards of 32 MB in eight tensors each: 256 MB go through, and at most 64 MB of them are held."""
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    size, places = 32 * 2**20, {}
    for n in range(8):
        name = f"model-{n}{suffix}"
        part = {f"t{n}.{k}": torch.full((size // 32,), float(k)) for k in range(8)}
        (torch.save if suffix == ".bin" else save_file)(part, source / name)
        places |= dict.fromkeys(part, name)
    index = "model.safetensors.index.json" if suffix == ".safetensors" else "pytorch_model.bin.index.json"
    (source / index).write_text(json.dumps({"weight_map": places}))
    code = [sys.executable, "-c", MEASURE, str(source), str(out)]
    done = subprocess.run(code, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert sum(file.stat().st_size for file in out.iterdir()) > 8 * size
    assert int(done.stdout.splitlines()[-1]) < 2 * size
