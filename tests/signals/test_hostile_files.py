"""Files made to open an address, another file or a program, or to fill the memory, are refused in one sentence.

What would be decoded is small here or announced by a header alone: nothing of it is ever allocated.
"""

import base64
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from deixis.errors import InputError
from deixis.files.budget import VARIABLE
from deixis.signals import open_signal
from tests.announced import gif, png

RATE_HZ = 16_000


def text(path: Path, content: str) -> None:
    path.write_text(content)


def wav(path: Path, rate_hz: int, channels: int) -> None:
    soundfile.write(path, np.zeros((3000, channels)), rate_hz, subtype="PCM_16")


PX_13000 = "13000 x 13000 px, which takes"
FILES = [
    ("gif as video", "a.gif", "video", lambda path: path.write_bytes(gif(13_000, 13_000)), f"frames of {PX_13000}"),
    ("png as depth", "a.png", "depth", lambda path: path.write_bytes(png(13_000, 13_000, 16, 0)), PX_13000),
    ("png as normals", "a.png", "normal", lambda path: path.write_bytes(png(13_000, 13_000, 8, 2)), PX_13000),
    (
        "png of too many pixels",
        "a.png",
        None,
        lambda path: path.write_bytes(png(19_000, 19_000, 8, 2)),
        "got 361 million px",
    ),
    ("wav of a prime rate", "a.wav", None, lambda path: wav(path, 9_999_991, 1), "rate of 1000 to 768000 Hz"),
    ("wav of 1024 channels", "a.wav", None, lambda path: wav(path, RATE_HZ, 1024), "1 to 64 channels, got 1024"),
    ("list of files", "a.mp4", None, lambda path: text(path, "ffconcat version 1.0\nfile b.mp4\n"), "cannot be read"),
    ("play list", "a.mp4", None, lambda path: text(path, "#EXTM3U\n#EXTINF:10,\nb.ts\n"), "cannot be read"),
    ("cell of 200000 letters", "a.csv", None, lambda path: text(path, "1" * 200_000 + ",1,1,1,1,1\n"), "field larger"),
    ("row of a million cells", "a.csv", None, lambda path: text(path, "1," * 10**6), "got one of 2000000; is it a CSV"),
    (
        "steps of 1e-320",
        "a.csv",
        None,
        lambda path: text(path, "".join(f"{row}e-320,{row},2,3,4,5,6\n" for row in range(20))),
        "a time in s, ms, us or ns",
    ),
]


@pytest.mark.parametrize(("name", "modality", "make", "match"), [pytest.param(*rest, id=case) for case, *rest in FILES])
def test_refused_before_it_is_decoded(
    name: str, modality: str | None, make: Callable[[Path], None], match: str, tmp_path: Path
):
    make(tmp_path / name)
    with pytest.raises(InputError, match=match) as refusal:
        open_signal(tmp_path / name, modality)
    assert name in str(refusal.value)


@pytest.mark.parametrize("modality", ["depth", "normal"])
def test_a_gif_as_the_map_of_an_image(modality: str, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    (tmp_path / "a.gif").write_bytes(gif(13_000, 13_000))
    with pytest.raises(InputError, match=f"'a.gif': .*{PX_13000}"):
        open_signal(f"{tmp_path}/photo.png+{tmp_path}/a.gif", modality)


def test_rows_beyond_the_budget(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "10")
    text(tmp_path / "a.csv", "1,2,3,4,5,6\n" * 200_000)
    with pytest.raises(InputError, match=r"at most 10 MB of memory when decoded, got 100000 rows and more"):
        open_signal(tmp_path / "a.csv", "imu", rate_hz=50)


def test_samples_beyond_the_budget(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    wav(tmp_path / "a.wav", 1_000, 64)
    assert soundfile.info(tmp_path / "a.wav").frames == 3000
    with pytest.raises(InputError, match="silence"):
        open_signal(tmp_path / "a.wav")
    wav_of_minute = np.zeros((60 * RATE_HZ, 1))
    soundfile.write(tmp_path / "b.wav", wav_of_minute, RATE_HZ)
    with pytest.raises(InputError, match=r"got 960000 samples of 1 channels, which takes 4 MB"):
        open_signal(tmp_path / "b.wav")


def film(path: Path) -> bytes:
    """A film of 20 frames, written under a name that says its container."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("flv" if path.suffix == ".flv" else "mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(20):
            pixels = np.full((32, 32, 3), 10 * number, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="a colon is no letter of a file's name there")
@pytest.mark.parametrize("form", ["http:127.0.0.1:{}.mp4", "tcp:127.0.0.1:{}.mp4", "10:30.mp4", "concat:{}|b.mp4"])
def test_the_name_of_a_film_is_no_address(form: str, tmp_path: Path, monkeypatch):
    content = film(tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        name = form.format(server.getsockname()[1])
        Path(name).write_bytes(content)
        assert len(open_signal(name, "video").values) == 20
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Ghostscript")
def test_no_program_is_started_for_a_drawing(tmp_path: Path, monkeypatch):
    for name in ("gs", "gswin32c", "gswin64c"):
        script = tmp_path / "programs" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\necho 10.0\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None, raising=False)
    drawing = tmp_path / "x.png"
    drawing.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n%%EOF\n")
    with Image.open(drawing) as image, pytest.raises(OSError, match=r"."):
        image.load()  # Pillow alone starts it
    assert (tmp_path / "started").exists()
    (tmp_path / "started").unlink()
    for source in (drawing, drawing.read_bytes()):
        with pytest.raises(InputError, match="expected an image"):
            open_signal(source, "image")
    assert not (tmp_path / "started").exists()


CUT = [("a.au", "AU"), ("a.w64", "W64"), ("a.caf", "CAF"), ("a.aiff", "AIFF"), ("a.wav", "WAV"), ("b.wav", "RF64")]
CUT += [("a.flac", "FLAC"), ("a.ogg", "OGG"), ("a.mp3", "MP3")]


@pytest.mark.parametrize("share", [0.4, 0.66, 0.95])
@pytest.mark.parametrize(("name", "container"), [pytest.param(*case, id=case[1]) for case in CUT])
def test_a_recording_that_is_cut_short(name: str, container: str, share: float, tmp_path: Path):
    path = tmp_path / name
    rng = np.random.default_rng(3)
    soundfile.write(path, 0.3 * rng.standard_normal(4 * RATE_HZ), RATE_HZ, format=container)
    assert open_signal(path, "audio").extent.duration_s == pytest.approx(4, abs=0.1)
    if (container, share) == ("MP3", 0.95):  # its length is an estimate
        return
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"cut short|lost sync|malformed"):
        open_signal(path, "audio")


@pytest.mark.parametrize("share", [0.4, 0.66, 0.8])
@pytest.mark.parametrize("ending", ["mkv", "avi", "mp4", "mov", "flv", "wmv"])
def test_a_film_that_is_cut_short(ending: str, share: float, tmp_path: Path):
    path = tmp_path / f"a.{ending}"
    content = film(path)
    assert len(open_signal(path, "video").values) == 20
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut short|damaged"):
        open_signal(path, "video")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/dev/urandom"])
@pytest.mark.parametrize(
    "name",
    ["{}.png", "{}.wav", "{}.mp4", "{}.npy", "{}.ply", "{}.obj", "{}.npz", "{}.nii", "imu:{}.csv", "a.png+{}.npy"],
)
def test_no_device_is_read(name: str, target: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    link = Path(name.format("x").rpartition(":")[2].rpartition("+")[2])
    if target == "pipe":
        os.mkfifo(link)
    else:
        link.symlink_to(target)
    with pytest.raises(InputError, match=r"expected a regular file, got a (named pipe|device)"):
        open_signal(name.format("x"))


@pytest.mark.parametrize(
    ("source", "options", "match"),
    [
        pytest.param(b"", {}, "got an empty file", id="no_bytes"),
        pytest.param({"bytes": 5}, {}, "expected 'bytes' as bytes, got int", id="number_of_bytes"),
        pytest.param({"array": [0.1], "sampling_rate": "x"}, {}, "sampling_rate: expected a number", id="rate_as_text"),
        pytest.param(([0.1] * 10, 10**400), {}, "expected a number", id="rate_too_large"),
        pytest.param(np.ones((8, 8)), {"scale": 10**5000}, "got a whole number of 16610 bits", id="endless_option"),
        pytest.param("\ud800.png", {}, "lone surrogate", id="half_a_character"),
        pytest.param(None, {}, "got NoneType", id="nothing"),
    ],
)
def test_sources_of_wrong_types(source, options, match):
    with pytest.raises(InputError, match=match):
        open_signal(source, **options)


def test_a_video_in_a_file_says_its_rate(tmp_path: Path):
    film(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="rate_hz=: expected none for a video in a file that says its own"):
        open_signal(tmp_path / "a.mp4", rate_hz=5)


def test_exhausted_memory_is_a_short_sentence(tmp_path: Path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    url = "data:image/png;base64," + base64.b64encode((tmp_path / "a.png").read_bytes() + bytes(9000)).decode()

    def exhausted(*arguments, **options):
        bytearray(2**62)

    monkeypatch.setattr("PIL.Image.Image.crop", exhausted)
    with pytest.raises(InputError, match=r"a.png': expected what fits into the free memory"):
        open_signal(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"^'data:image/png;base64,.{278}…': expected what fits into the free memory"):
        open_signal(url)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.caf", b"caff\0\1\0\0" + b"free" + b"\x7f" + b"\xff" * 7 + bytes(64), id="chunk_beyond_64_bits"),
        pytest.param("a.w64", bytes.fromhex("726966662e91cf11a5d628db04c10000") + b"\xff" * 80, id="wave64"),
        pytest.param("a.mkv", b"\x1a\x45\xdf\xa3\x01" + b"\x7f" * 7 + bytes(64), id="matroska"),
        pytest.param("a.wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\x7f" * 200, id="asf"),
    ],
)
def test_lengths_that_lead_nowhere(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_signal(tmp_path / name)
