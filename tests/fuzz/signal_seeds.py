"""Small sound files of every format of every modality."""

import gzip
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.seeds import Seed

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (12, 16, 3), dtype=np.uint8)
GREY16 = (RGB[..., 0].astype(np.uint16) * 9 + 1) % 65535
XYZ = RNG.normal(size=(20, 3)).astype(np.float32)
METRES = RNG.uniform(0.5, 4, (12, 16)).astype(np.float32)
MOTION = RNG.normal(size=(40, 6))
VOXELS = RNG.normal(size=(4, 4, 4)).astype(np.float32)
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"


def picture(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, **options)
    return stream.getvalue()


def animation(form: str) -> bytes:
    frames = [Image.fromarray(np.roll(RGB, 3 * number, axis=1)) for number in range(4)]
    stream = io.BytesIO()
    frames[0].save(stream, format=form, save_all=True, append_images=frames[1:], duration=100)
    return stream.getvalue()


def sound(form: str, **options) -> bytes:
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.sin(np.arange(4000) / 9).astype(np.float32), 16000, format=form, **options)
    return stream.getvalue()


def film(form: str, codec: str = "mpeg4") -> bytes:
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format=form, options={"fflags": "+bitexact"}) as container:
        track = container.add_stream(codec, rate=25)
        track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * number, np.uint8), format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return stream.getvalue()


def mesh(form: str) -> bytes:
    import trimesh

    exported = trimesh.creation.box().export(file_type=form)
    return exported.encode() if isinstance(exported, str) else exported


def ply_text() -> bytes:
    import trimesh

    return trimesh.creation.box().export(file_type="ply", encoding="ascii")


def volume(values: np.ndarray, packed: bool = False) -> bytes:
    import nibabel

    content = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
    return gzip.compress(content, mtime=0) if packed else content


def array(values) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **values) if isinstance(values, dict) else np.save(stream, values)
    return stream.getvalue()


def cloud(data: str) -> bytes:
    head = "# .PCD v.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nPOINTS 20\n" + f"DATA {data}\n"
    rows = np.concatenate([XYZ.view("<u4"), np.full((20, 1), 255, "<u4")], axis=1)
    if data == "ascii":
        return head.encode() + "\n".join(f"{x} {y} {z} 255" for x, y, z in XYZ.tolist()).encode()
    return head.encode() + rows.astype("<u4").tobytes()


def table(with_header: bool) -> bytes:
    lines = [",".join([f"{n / 50:.3f}", *(f"{v:.4f}" for v in row)]) for n, row in enumerate(MOTION)]
    return "\n".join(["time,ax,ay,az,gx,gy,gz"] * with_header + lines).encode()


NORMALS = np.dstack([np.zeros((12, 16, 2)), np.ones((12, 16))]).astype(np.float32)
CLIP = RNG.integers(0, 255, (4, 12, 16, 3), dtype=np.uint8)
FILES: dict[str, dict[str, Callable[[], bytes]]] = {
    "image": {
        "a.png": lambda: picture(RGB, format="PNG"),
        "a.jpg": lambda: picture(RGB, format="JPEG", exif=EXIF),
        "a.gif": lambda: picture(RGB, format="GIF"),
        "a.webp": lambda: picture(RGB, format="WEBP"),
        "a.bmp": lambda: picture(RGB, format="BMP"),
        "a.tif": lambda: picture(RGB, format="TIFF", compression="tiff_lzw"),
        "a.jp2": lambda: picture(RGB, format="JPEG2000"),
        "a.ppm": lambda: picture(RGB, format="PPM"),
        "palette.png": lambda: picture(RGB[..., 0] // 32, format="PNG", bits=4),
        "a.npy": lambda: array(RGB),
    },
    "audio": {
        "a.wav": lambda: sound("WAV"),
        "float.wav": lambda: sound("WAV", subtype="FLOAT"),
        "a.flac": lambda: sound("FLAC"),
        "a.ogg": lambda: sound("OGG"),
        "a.mp3": lambda: sound("MP3"),
        "a.aiff": lambda: sound("AIFF"),
        "a.au": lambda: sound("AU"),
        "a.w64": lambda: sound("W64"),
        "a.caf": lambda: sound("CAF"),
    },
    "point_cloud": {
        "a.ply": lambda: mesh("ply"),
        "text.ply": ply_text,
        "a.obj": lambda: mesh("obj"),
        "a.off": lambda: mesh("off"),
        "a.stl": lambda: mesh("stl"),
        "a.glb": lambda: mesh("glb"),
        "a.pcd": lambda: cloud("binary"),
        "text.pcd": lambda: cloud("ascii"),
        "a.npz": lambda: array({"xyz": XYZ}),
        "a.npy": lambda: array(XYZ),
    },
    "video": {
        "a.mp4": lambda: film("mp4"),
        "a.avi": lambda: film("avi"),
        "a.mkv": lambda: film("matroska"),
        "a.mov": lambda: film("mov"),
        "a.mpg": lambda: film("mpeg", "mpeg1video"),
        "a.ts": lambda: film("mpegts"),
        "a.gif": lambda: animation("GIF"),
        "a.npy": lambda: array(CLIP),
    },
    "depth": {
        "a.png": lambda: picture(GREY16, format="PNG"),
        "a.npy": lambda: array(METRES),
        "a.tif": lambda: picture(GREY16, format="TIFF"),
    },
    "normal": {"a.png": lambda: picture(np.uint8(NORMALS * 127 + 128), format="PNG"), "a.npy": lambda: array(NORMALS)},
    "imu": {"a.csv": lambda: table(True), "bare.csv": lambda: table(False), "a.npy": lambda: array(MOTION)},
    "fmri": {
        "a.nii": lambda: volume(VOXELS),
        "a.nii.gz": lambda: volume(VOXELS, packed=True),
    },
}
PREFIXES = {"depth": "depth:", "normal": "normal:", "fmri": "fmri:", ("imu", "a.npy"): "imu@50:"}
PREFIXES |= {("video", "a.npy"): "video@5:", ("video", "a.gif"): "video:", ("depth", "a.npy"): "depth@1:"}
"""What is typed before the path of files whose modality, or whose number, their ending does not tell."""


def signal_seeds() -> list[Seed]:
    """Every file alone, some from memory, and files in pairs."""
    seeds = []
    for modality, files in FILES.items():
        for name, make in files.items():
            prefix = PREFIXES.get((modality, name), PREFIXES.get(modality, ""))
            arguments = {"name": name, "prefix": prefix}
            seeds.append(Seed(modality, name, "open_and_draw", {name: make()}, arguments))
    made = {(seed.group, seed.name): seed.files[seed.name] for seed in seeds}
    pairs = {
        "depth": ("a.png", {"a.png": made["image", "a.png"], "b.png": made["depth", "a.png"]}),
        "normal": ("a.png", {"a.png": made["image", "a.png"], "b.png": made["normal", "a.png"]}),
        "fmri": ("a.nii", {"a.nii": made["fmri", "a.nii"], "b.nii": volume(np.ones_like(VOXELS))}),
    }
    for modality, (first, files) in pairs.items():
        second = next(name for name in files if name != first)
        arguments = {"name": first, "prefix": f"{modality}:", "second": second}
        seeds.append(Seed(modality, f"{first}+{second}", "open_and_draw", files, arguments))
    for modality, name in (("image", "a.png"), ("audio", "a.wav"), ("video", "a.mp4"), ("point_cloud", "a.ply")):
        content = {name: made[modality, name]}
        seeds.append(Seed(modality, f"bytes of {name}", "open_content", content, {"name": name}))
    return seeds


def single_files() -> list[Seed]:
    """Every file that is opened alone and by its name."""
    return [seed for seed in signal_seeds() if seed.target == "open_and_draw" and "second" not in seed.arguments]


def typed_in(arguments: Mapping[str, Any]) -> tuple[str, str | None, float | None]:
    """(name, modality, number) of what is typed for a file, of the arguments of its seed."""
    modality, _, number = arguments["prefix"].rstrip(":").partition("@")
    return arguments["name"], modality or None, float(number) if number else None
