"""Damaged files of every format, fuzzed: each opens, or is refused by a `DeixisError` or `OSError`, nothing else.

A file is truncated, has bytes changed, is random behind the format's first bytes, or has another format's first bytes.
"""

import contextlib
import io
import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from deixis.errors import DeixisError
from deixis.signals import open_signal

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (12, 16, 3), dtype=np.uint8)
XYZ = RNG.normal(size=(20, 3)).astype(np.float32)
HEAD = 48  # bytes of a head that are kept before random ones, at most
PREFIX = {"depth.png": "depth:", "recording.npy": "imu@50:"}  # the prefix before the path


def saved(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, **options)
    return stream.getvalue()


def sound(form):
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.sin(np.arange(4000) / 9).astype(np.float32), 16000, format=form)
    return stream.getvalue()


def film(form):
    av = pytest.importorskip("av")
    stream = io.BytesIO()
    with av.open(stream, "w", format=form) as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 50 * number, np.uint8), format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return stream.getvalue()


def mesh(form):
    import trimesh

    exported = trimesh.creation.box().export(file_type=form)
    return exported.encode() if isinstance(exported, str) else exported


def volume(packed):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(RNG.normal(size=(4, 4, 4)).astype(np.float32), np.eye(4))
    content = image.to_bytes()
    if packed:
        import gzip

        return gzip.compress(content)
    return content


def array(values):
    stream = io.BytesIO()
    np.savez(stream, **values) if isinstance(values, dict) else np.save(stream, values)
    return stream.getvalue()


def cloud(data):
    head = "# .PCD v.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nPOINTS 20\n" + f"DATA {data}\n"
    rows = np.concatenate([XYZ.view("<u4"), np.full((20, 1), 255, "<u4")], axis=1)
    if data == "ascii":
        return head.encode() + "\n".join(f"{x} {y} {z} 255" for x, y, z in XYZ.tolist()).encode()
    return head.encode() + rows.astype("<u4").tobytes()


def table(times):
    rows = RNG.normal(size=(30, 6))
    lines = [",".join([f"{n / 50:.3f}", *(f"{v:.4f}" for v in row)]) for n, row in enumerate(rows)]
    return ("time,ax,ay,az,gx,gy,gz\n" * times + "\n".join(lines)).encode()


FILES = {
    "a.png": lambda: saved(RGB, format="PNG"),
    "a.jpg": lambda: saved(RGB, format="JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"),
    "a.gif": lambda: saved(RGB, format="GIF"),
    "a.webp": lambda: saved(RGB, format="WEBP"),
    "a.bmp": lambda: saved(RGB, format="BMP"),
    "a.tif": lambda: saved(RGB, format="TIFF", compression="tiff_lzw"),
    "a.jp2": lambda: saved(RGB, format="JPEG2000"),
    "a.ppm": lambda: saved(RGB, format="PPM"),
    "depth.png": lambda: saved(RGB[..., 0].astype(np.uint16) * 9 + 1, format="PNG"),
    "a.wav": lambda: sound("WAV"),
    "a.flac": lambda: sound("FLAC"),
    "a.ogg": lambda: sound("OGG"),
    "a.mp3": lambda: sound("MP3"),
    "a.aiff": lambda: sound("AIFF"),
    "a.au": lambda: sound("AU"),
    "a.mp4": lambda: film("mp4"),
    "a.avi": lambda: film("avi"),
    "a.mkv": lambda: film("matroska"),
    "a.ply": lambda: mesh("ply"),
    "a.obj": lambda: mesh("obj"),
    "a.off": lambda: mesh("off"),
    "a.stl": lambda: mesh("stl"),
    "a.glb": lambda: mesh("glb"),
    "a.pcd": lambda: cloud("binary"),
    "ascii.pcd": lambda: cloud("ascii"),
    "a.npz": lambda: array({"xyz": XYZ}),
    "recording.npy": lambda: array(RNG.normal(size=(40, 6))),
    "a.csv": lambda: table(1),
    "bare.csv": lambda: table(0),
    "a.nii": lambda: volume(packed=False),
    "a.nii.gz": lambda: volume(packed=True),
}
content_of = cache(lambda name: FILES[name]())


@st.composite
def damaged(draw, name):
    content = content_of(name)
    way = draw(st.sampled_from(["cut", "changed", "random", "foreign", "doubled"]))
    places = st.integers(0, len(content) - 1)
    if way == "cut":
        return content[: draw(places)]
    if way == "random":
        return content[: draw(st.integers(0, HEAD))] + draw(st.binary(max_size=200))
    if way == "foreign":
        other = content_of(draw(st.sampled_from(sorted(FILES))))
        return other[: draw(st.integers(1, HEAD))] + content[draw(places) :]
    if way == "doubled":
        at = draw(places)
        return content[:at] + content[at // 2 :]
    changed = bytearray(content)
    # most changes near the beginning, where headers are
    near = st.one_of(st.integers(0, min(HEAD * 4, len(content)) - 1), places)
    for at, byte in draw(st.lists(st.tuples(near, st.integers(0, 255)), min_size=1, max_size=6)):
        changed[at] = byte
    return bytes(changed)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in FILES])
def test_a_damaged_file_is_one_sentence(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / name

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(damaged(name))
    def opens_or_is_refused(content):
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about what they repair
            with contextlib.suppress(DeixisError, OSError):
                open_signal(f"{PREFIX.get(name, '')}{path}")

    opens_or_is_refused()
