"""Small files built to fill the memory or to keep a reader busy: they announce, unpack to or nest far more."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np

from tests.announced import gif, npy, png
from tests.fuzz.model_seeds import STRANGER, model_files
from tests.fuzz.seeds import Seed
from tests.fuzz.signal_seeds import picture, sound, table, volume

ZEROS = 2**24  # bytes of a block of zeros, which packs to a few kilobytes
PACKED_ZEROS = zlib.compress(bytes(ZEROS))


def gzip_of_zeros(head: bytes, size: int) -> bytes:
    """Gzip of a head and so many zeros, in members of one block each."""
    block = gzip.compress(bytes(ZEROS), mtime=0)
    return gzip.compress(head, mtime=0) + block * (size // ZEROS)


def nifti(side: int, packed: bool) -> bytes:
    """A NIfTI volume of side³ single-precision voxels, its voxels missing or zeros."""
    head = bytearray(volume(np.ones((2, 2, 2), np.float32))[:352])
    struct.pack_into("<4h", head, 40, 3, side, side, side)
    return gzip_of_zeros(bytes(head), 4 * side**3) if packed else bytes(head)


@cache
def npz(count: int) -> bytes:
    """An NPZ whose points are so many zeros, packed."""
    head = npy(f"({count}, 3)", "<f4")
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xyz.npy", "w", force_zip64=True) as file,
    ):
        file.write(head)
        for _ in range(count * 12 // ZEROS + 1):
            file.write(bytes(ZEROS))
    return made.getvalue()


def wav(rate: int, channels: int, frames: int = 2000, announced: int | None = None) -> bytes:
    """A WAV of silence of any rate and number of channels."""
    data = bytes(2 * channels * frames)
    size = len(data) if announced is None else announced
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 % 2**32, channels * 2 % 2**16, 16)
    head = b"RIFF" + struct.pack("<I", (36 + size) % 2**32) + b"WAVEfmt " + struct.pack("<I", 16)
    return head + form + b"data" + struct.pack("<I", size) + data


def tar(size: int) -> bytes:
    """A tar file whose only member announces a size."""
    info = tarfile.TarInfo("a.json")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def nested_lists(levels: int) -> bytes:
    """A pickle of lists of ten times the same list, each level of the one before, that ends in a wrong opcode."""
    rows = (b"(lp%d\n" % i + b"g%d\na" % (i - 1) * 10 for i in range(1, levels))
    return b"(lp0\n" + b"".join(rows) + b"\x93."


def laughing_xml() -> bytes:
    """Entities of entities: ten to the power of nine texts."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE annotation [<!ENTITY a0 "lol">{entities}]><annotation>&a9;</annotation>'.encode()


def laughing_yaml() -> bytes:
    """Anchors of anchors: nine to the power of nine values."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
    return "\n".join([*lines, "stages: *a9", "model: *a9"]).encode()


SIGNALS: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
    ("image", "", "huge.png", lambda: png(50_000, 50_000, body=PACKED_ZEROS)),
    ("image", "", "huge.gif", lambda: gif(65_535, 65_535)),
    ("image", "", "many.gif", lambda: gif(4_000, 4_000, 2_000)),
    ("image", "", "huge.npy", lambda: npy("(1000000, 1000000, 3)", "|u1")),
    ("image", "", "deep.npy", lambda: npy("(" * 2000 + ")" * 2000)),
    ("video", "video:", "huge.gif", lambda: gif(13_000, 13_000)),
    ("video", "video:", "many.gif", lambda: gif(2_000, 2_000, 5_000)),
    ("video", "", "list.mp4", lambda: b"ffconcat version 1.0\nfile a.mp4\n"),
    ("depth", "depth:", "huge.gif", lambda: gif(13_000, 13_000)),
    ("depth", "depth@1:", "huge.npy", lambda: npy("(1000000000000,)")),
    ("depth", "depth:", "huge.png", lambda: png(20_000, 20_000, body=PACKED_ZEROS)),
    ("normal", "normal:", "huge.png", lambda: png(20_000, 20_000, body=PACKED_ZEROS)),
    ("normal", "normal:", "huge.gif", lambda: gif(13_000, 13_000)),
    ("fmri", "", "zeros.nii.gz", lambda: nifti(640, packed=True)),
    ("fmri", "", "missing.nii", lambda: nifti(30_000, packed=False)),
    ("fmri", "fmri:", "huge.npy", lambda: npy("(1000000000000,)")),
    ("audio", "", "prime.wav", lambda: wav(9_999_991, 1)),
    ("audio", "", "slow.wav", lambda: wav(1, 1, 100_000)),
    ("audio", "", "wide.wav", lambda: wav(16_000, 1_024, 10_000)),
    ("audio", "", "endless.wav", lambda: wav(16_000, 1, 100, 2**32 - 1)),
    ("audio", "", "long.flac", lambda: sound("FLAC")[:21] + b"\xff" * 8 + sound("FLAC")[29:]),
    ("point_cloud", "", "zeros.npz", lambda: npz(30_000_000)),
    ("point_cloud", "", "huge.npy", lambda: npy("(1000000000000, 3)")),
    ("point_cloud", "", "huge.pcd", lambda: b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
                                            b"POINTS 9999999999\nDATA binary\n"),
    ("point_cloud", "", "huge.ply", lambda: b"ply\nformat binary_little_endian 1.0\nelement vertex 4294967295\n"
                                            b"property float x\nproperty float y\nproperty float z\nend_header\n"),
    ("point_cloud", "", "huge.stl", lambda: bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50)),
    ("point_cloud", "", "huge.off", lambda: b"OFF\n999999999 1 0\n0 0 0\n"),
    ("imu", "", "cells.csv", lambda: table(True) + b"\n1" * 2_000_000),
    ("imu", "", "commas.csv", lambda: b"time,ax,ay,az,gx,gy,gz\n" + b"," * 4_000_000),
    ("imu", "imu@50:", "huge.npy", lambda: npy("(1000000000000, 6)")),
)  # fmt: skip


def signal_bombs() -> list[Seed]:
    """Signals that announce or unpack to more than fits."""
    return [
        Seed(group, name, "open_and_draw", {name: make()}, {"name": name, "prefix": prefix}, is_bomb=True)
        for group, prefix, name, make in SIGNALS
    ]


def dataset_bombs() -> list[Seed]:
    """Annotations, shards and arrays that do."""
    deep = b'{"images": ' + b"[" * 200_000
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 10**6, "width": 10**6}],
        "categories": [],
        "annotations": [],
    }
    made = {
        "deep.json": ("coco", {"set/a.json": deep}, "set/a.json"),
        "digits.json": ("coco", {"set/a.json": b'{"images": [{"id": ' + b"9" * 1_000_000 + b"}]}"}, "set/a.json"),
        "sizes.json": ("coco", {"set/a.json": json.dumps(coco).encode()}, "set/a.json"),
        "nested.p": ("refcoco", {"set/refs(unc).p": nested_lists(20), "set/instances.json": b"{}"}, "set"),
        "big.p": ("refcoco", {"set/refs(unc).p": pickle.dumps([]).replace(b"]", b"\x8e" + b"\xff" * 7)}, "set"),
        "laughs.xml": ("voc", {"set/Annotations/a.xml": laughing_xml(), "set/JPEGImages/a.jpg": b""}, "set"),
        "huge.tar": ("samples", {"set/a.tar": tar(2**40)}, "set/a.tar"),
        "negative.tar": ("samples", {"set/a.tar": tar(-(2**40))}, "set/a.tar"),
        "line.jsonl": ("samples", {"set/a.jsonl": b'{"id": "' + b"a" * 30_000_000}, "set/a.jsonl"),
        "zeros.npz": ("clouds", {"set/a.npz": npz(30_000_000), "set/classes.txt": b"a\n"}, "set"),
        "mask.png": ("masks", {"set/a.jpg": picture(np.zeros((9, 9, 3), np.uint8), format="JPEG"),
                               "set/a_mask.png": png(30_000, 30_000, body=PACKED_ZEROS)}, "set"),
        "cells.csv": ("onellm", {"set/image/a.csv": b"caption\turl\n" + b"\t" * 4_000_000}, "set/image/a.csv"),
    }  # fmt: skip
    return [
        Seed("dataset", name, "command", files, {"words": ("data", "read", form, path, "out")}, is_bomb=True)
        for name, (form, files, path) in made.items()
    ]


def _config(**changes: object) -> dict[str, bytes]:
    """config.json with fields replaced; "a__b" is the field b of a."""
    config = json.loads(model_files()["config.json"])
    for name, value in changes.items():
        *above, last = name.split("__")
        holder = config
        for key in above:
            holder = holder[key]
        holder[last] = value
    return {"config.json": json.dumps(config).encode()}


def _growing_tokenizer() -> bytes:
    tokenizer = json.loads(model_files()["tokenizer.json"])
    doubled = {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [doubled] * 40}
    return json.dumps(tokenizer).encode()


def model_bombs() -> list[Seed]:
    """Folders of a model too large to build, a template or tokenizer that does not end, and a stranger's program."""
    auto = {"auto_map": {"AutoTokenizer": ["stranger.T", "stranger.T"]}, "tokenizer_class": "StrangerTokenizer"}
    tokenizer = json.loads(model_files()["tokenizer_config.json"]) | auto
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "../outside/x.safetensors"}}
    made = {
        "layers": _config(text_config__num_hidden_layers=10**6),
        "vision layers": _config(vision_config__num_hidden_layers=10**6),
        "width": _config(text_config__hidden_size=10**6),
        "vocabulary": _config(text_config__vocab_size=10**9),
        "experts": _config(projection__experts=10**6),
        "queries": _config(projection__queries=10**8),
        "points": _config(signals__point_cloud__count=10**9),
        "pixels": _config(signals__image__size_px=10**6),
        "auto_map": _config(auto_map={"AutoModel": "stranger.M", "AutoConfig": "stranger.C"}),
        "tokenizer class": {"tokenizer_config.json": json.dumps(tokenizer).encode()},
        "growing tokenizer": {"tokenizer.json": _growing_tokenizer()},
        "looping template": {"chat_template.jinja": loops.encode()},
        "long template": {"chat_template.jinja": b"{{ 'a' * 1000000000 }}"},
        "powers in a template": {"chat_template.jinja": b"{{ 9 ** 9 ** 9 }}"},
        "index outside": {"model.safetensors.index.json": json.dumps(index).encode()},
        "index of pickles": {
            "model.safetensors.index.json": json.dumps(index).replace(".safetensors", ".bin").encode()
        },
        "header": {"model.safetensors": struct.pack("<Q", 2**62) + b"{}"},
    }
    files = {**model_files(), "stranger.py": STRANGER}
    return [Seed("model", name, "load_and_ask", {**files, **other}, is_bomb=True) for name, other in made.items()]


def state_bombs() -> list[Seed]:
    """Recipes and questions that unfold or are too long."""
    question = json.dumps({"files": ["a.png"], "question": "a" * 10_000_000}).encode()
    points = [[n % 16, n % 12] for n in range(200_000)]
    scribble = {"files": ["a.png"], "question": "What?", "regions": [{"scribble": points}]}
    pixels = picture(np.zeros((12, 16, 3), np.uint8), format="PNG")
    batch = ("ask", "--model", "toy/model", "--batch", "a.jsonl")
    made = {
        "long question": ("question", batch, {"a.jsonl": question, "a.png": pixels}),
        "long scribble": ("question", batch, {"a.jsonl": json.dumps(scribble).encode(), "a.png": pixels}),
        "deep line": ("question", batch, {"a.jsonl": b"[" * 1_000_000, "a.png": pixels}),
        "laughing recipe": ("state", ("train", "a.yaml", "--out", "run"), {"a.yaml": laughing_yaml()}),
        "laughing build": ("state", ("data", "build", "a.yaml", "out"), {"a.yaml": laughing_yaml()}),
    }
    return [
        Seed(group, name, "command", files, {"words": words}, is_bomb=True)
        for name, (group, words, files) in made.items()
    ]


def all_bombs() -> list[Seed]:
    """Every bomb."""
    return [*signal_bombs(), *dataset_bombs(), *model_bombs(), *state_bombs()]
