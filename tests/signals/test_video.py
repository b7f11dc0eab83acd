"""Videos: every container gives the frames that were encoded, at their times, and networks get their share of them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from deixis.signals import VideoSpec, open_signal, to_tensor, video
from deixis.signals.video import bilinear, chosen_frames, chosen_indices
from deixis.signals.video_files import read_frames, read_table

av = pytest.importorskip("av")
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
CODECS = {"mp4": "mpeg4", "mov": "mpeg4", "mkv": "mpeg4", "avi": "mpeg4", "webm": "libvpx", "ts": "mpeg2video"}


def ramp(count=40, height=48, width=64):
    """Frames whose grey encodes their number: frame i has the value 6 i."""
    return np.stack([np.full((height, width, 3), 6 * i, np.uint8) for i in range(count)])


def numbers(pictures):
    """The number of each of these frames, from its grey."""
    return np.rint(pictures.reshape(len(pictures), -1).mean(1) / 6).astype(int).tolist()


def write_film(path, pictures, rate=10, keys=12, sound=False, codec=None):
    """The frames as a video in the container of the path's suffix."""
    with av.open(str(path), "w") as container:
        codec = codec or CODECS[path.suffix[1:]]
        steady = {"sc_threshold": "1000000000"} if codec == "mpeg2video" else {}  # no key frame where the grey changes
        stream = container.add_stream(codec, rate=rate, options=steady)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.bit_rate, stream.gop_size = "yuv420p", 4_000_000, keys
        if sound:
            voice = container.add_stream("aac" if path.suffix == ".mp4" else "pcm_s16le", rate=16000)
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if sound:
            tone = np.sin(np.arange(16000) / 9)[None].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate = 16000
            for packet in [*voice.encode(frame), *voice.encode()]:
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(ramp(4), r"expected a video as \(frames, rate_hz\), got frames alone", id="no_rate"),
        pytest.param((ramp(4), 0), "expected a rate of 0.01 to 1000 Hz, got 0", id="no_speed"),
        pytest.param((ramp(4)[..., :2], 5), r"expected frames of shape .*, got \(4, 48, 64, 2\)", id="two_channels"),
        pytest.param((np.zeros((0, 8, 8, 3), np.uint8), 5), r"got \(0, 8, 8, 3\)", id="no_frames"),
        pytest.param((np.full((2, 8, 8, 3), 7.0), 5), "floats from 0 to 1, got values from 7", id="loud_floats"),
        pytest.param((np.zeros((3, 1, 8, 3), np.uint8), 5), "2 to 19999 px a side", id="one_row"),
        pytest.param((np.zeros((200, 2, 2, 3), np.uint8), 0.011), "of at most 4 hours, got 5.1", id="too_long"),
    ],
)
def test_bad_pictures_are_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="video")


def test_bad_files_are_one_sentence(tmp_path):
    whole = write_film(tmp_path / "whole.mkv", np.tile(ramp(), (3, 1, 1, 1))).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"'cut.mkv': expected the whole video of about \d+ frames .* cut short"):
        open_signal(tmp_path / "cut.mkv")
    whole = write_film(tmp_path / "whole.mp4", ramp()).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index stands at the end
    with pytest.raises(ValueError, match=r"'cut.mp4': expected a whole video, but it cannot be read"):
        open_signal(tmp_path / "cut.mp4")
    whole = write_film(tmp_path / "whole.avi", ramp()).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(ValueError, match=r"'cut.avi': expected the whole video of about 40 frames"):
        open_signal(tmp_path / "cut.avi")
    noise = bytearray(whole)
    noise[2000:-1000] = np.random.default_rng(0).bytes(len(noise) - 3000)
    (tmp_path / "noise.avi").write_bytes(noise)
    with pytest.raises(ValueError, match=r"'noise.avi': expected"):
        open_signal(tmp_path / "noise.avi")


def test_a_film_without_pictures_is_told(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        voice = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*voice.encode(frame), *voice.encode()]:
            container.mux(packet)
    with pytest.raises(ValueError, match=r"'a.mp4': expected a video, but it has no frames, only audio; for audio"):
        open_signal(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_every_container_gives_its_pictures_and_times(tmp_path, suffix):
    signal = open_signal(write_film(tmp_path / f"a.{suffix}", ramp(), sound=suffix in ("mp4", "mkv")))
    assert signal.modality == "video"
    assert signal.extent.size_hw == (48, 64)
    assert (signal.extent.axes, signal.extent.dim) == ("xyt", 3)
    np.testing.assert_allclose(signal.extent.duration_s, 4.0, atol=0.11)
    np.testing.assert_allclose(signal.info["table"].times_s, np.arange(40) / 10, atol=0.002)
    assert numbers(signal.values) == signal.info["kept"].tolist()
    values, frame = to_tensor(signal, VideoSpec(32, frames=4, **PLAIN))
    assert (values.shape, values.dtype) == ((4, 3, 32, 32), np.float32)
    assert numbers(values[:, :, 6:-6] * 255) == [5, 15, 25, 35]
    np.testing.assert_allclose(frame.to_unit([32, 24, signal.extent.duration_s / 2]), [0.5, 0.5, 0.5])


def test_a_gif_is_a_picture_unless_called_a_film(tmp_path):
    frames = [Image.fromarray(picture) for picture in ramp(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=200)
    assert open_signal(tmp_path / "a.gif").modality == "image"
    film = open_signal(f"video:{tmp_path / 'a.gif'}")
    assert numbers(film.values) == list(range(10))
    np.testing.assert_allclose(film.info["times_s"], np.arange(10) / 5, atol=0.01)


def test_a_film_is_decoded_where_it_is_needed(tmp_path, monkeypatch):
    """Few frames are held; the others are found by seeking, equal to those decoded from the beginning."""
    path = write_film(tmp_path / "long.mp4", np.tile(ramp(42), (8, 1, 1, 1)), keys=30)
    signal = open_signal(path)
    assert len(signal.values) == video.KEPT_FRAMES
    table = read_table(path, "long.mp4")
    with av.open(str(path)) as container:
        all_pictures = np.stack([picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)])
    wanted = [335, 0, 17, 300, 17, 151]
    np.testing.assert_array_equal(read_frames(path, "long.mp4", table, wanted), all_pictures[wanted])
    spec = VideoSpec(32, frames=5)
    np.testing.assert_array_equal(chosen_frames(signal, spec), all_pictures[chosen_indices(table, spec)])
    monkeypatch.setattr(video, "KEPT_BYTES", 3 * 48 * 64 * 3)
    assert len(open_signal(path).values) == 3
    path.unlink()
    with pytest.raises(ValueError, match=r"'long.mp4': expected its file at .*, which is gone; open the video again"):
        to_tensor(signal, spec)


def test_a_file_in_place_of_the_opened_one_is_noticed(tmp_path):
    path = write_film(tmp_path / "a.mp4", ramp())
    signal = open_signal(path)
    write_film(path, ramp(3))
    with pytest.raises(ValueError, match=r"'a.mp4': expected 40 frames, but number \d+ .* cannot be decoded"):
        chosen_frames(signal, VideoSpec(frames=40))


def remux(source, target, change):
    """The packets of a video in another file; `change` gives those that stand for one."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            for changed in change(packet) if packet.size else ():
                changed.stream = stream
                written.mux(changed)
    return target


def edit_list(folder):
    """A copy that begins 0.7 s in: frames 0 to 6 are needed to decode the others, and not shown."""

    def earlier(packet):
        packet.pts, packet.dts = packet.pts - int(0.7 / packet.time_base), packet.dts - int(0.7 / packet.time_base)
        return [packet]

    return remux(write_film(folder / "whole.mp4", ramp(), codec="libx264"), folder / "a.mp4", earlier), range(7, 40)


def hidden_frames(folder):
    """VP8 with a frame behind every key frame that is referred to, and not shown."""

    def with_hidden(packet):
        if not packet.is_keyframe:
            return [packet]
        content = bytes(packet)
        hidden = av.Packet(bytes([content[0] & ~0x10]) + content[1:])
        hidden.pts = hidden.dts = packet.pts + 20
        hidden.time_base = packet.time_base
        return [packet, hidden]

    return remux(write_film(folder / "whole.webm", ramp()), folder / "a.webm", with_hidden), range(40)


def between_key_frames(folder, codec):
    """MPEG-TS whose first frames refer to a key frame that is cut off: shown from the next, at number 12, on."""
    content = write_film(folder / "whole.ts", ramp(), codec=codec).read_bytes()
    tables, size = 3 * 188, 188  # three packets of tables begin the file, and each is of this size
    at = len(content) // 10 // size * size
    (folder / "a.ts").write_bytes(content[:tables] + content[at:])
    return folder / "a.ts", range(12, 40)


def decoding_order(folder):
    """AVI tells when frames are decoded, not when they are shown."""
    return write_film(folder / "a.avi", ramp(), codec="libx264"), range(40)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        pytest.param(edit_list, (), id="edit_list"),
        pytest.param(hidden_frames, (), id="hidden_frames"),
        pytest.param(between_key_frames, ("libx264",), id="h264_between_key_frames"),
        pytest.param(between_key_frames, ("mpeg2video",), id="mpeg2_between_key_frames"),
        pytest.param(decoding_order, (), id="stamps_in_decoding_order"),
    ],
)
def test_the_table_lists_the_frames_that_are_shown(tmp_path, make, options):
    path, shown = make(tmp_path, *options)
    table = read_table(path, path.name)
    assert len(table.times_s) == len(shown)
    np.testing.assert_allclose(table.times_s, np.arange(len(shown)) / 10, atol=0.002)
    assert numbers(read_frames(path, path.name, table, range(len(shown)))) == list(shown)
    for index in (len(shown) - 1, 13, 12, 3):  # each sought by itself
        assert numbers(read_frames(path, path.name, table, [index])) == [shown[index]]


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        pytest.param((-1, 0, 0, 1), lambda p: p[:, ::-1], id="mirrored"),
        pytest.param((1, 0, 0, -1), lambda p: p[::-1], id="upside_down_mirrored"),
        pytest.param((-1, 0, 0, -1), lambda p: p[::-1, ::-1], id="half_turn"),
        pytest.param((0, 1, -1, 0), lambda p: np.rot90(p, 3), id="clockwise"),
        pytest.param((0, -1, 1, 0), np.rot90, id="anticlockwise"),
        pytest.param((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2), id="transposed"),
        pytest.param((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2), id="transposed_across"),
    ],
)
def test_frames_are_turned_and_mirrored_as_the_file_says(tmp_path, matrix, upright):
    """(a, b, c, d) of the track header: x is shown at (a x + c y, b x + d y)."""
    frames = ramp(2)
    frames[:, :16, :24] = 255
    path = write_film(tmp_path / "a.mp4", frames)
    plain = open_signal(path).values[0]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44  # the matrix: a, b, u, c, d, v, x, y, w
    a, b, c, d = (value << 16 for value in matrix)
    content[at : at + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(open_signal(path).values[0], upright(plain))


def test_an_array_and_its_rate():
    signal = open_signal((ramp(10), 5))
    assert (signal.modality, signal.extent.duration_s, signal.path) == ("video", 2.0, None)
    assert numbers(to_tensor(signal, VideoSpec(16, frames=2, fit="squash", **PLAIN))[0] * 255) == [2, 7]
    assert open_signal((ramp(10) / 255, 5)).digest == signal.digest
    assert open_signal((ramp(10), 6)).digest != signal.digest


@pytest.mark.parametrize("field", ["moments", "fit"])
def test_unknown_choices_are_refused(field):
    with pytest.raises(ValueError, match=f"{field}: expected one of .*; got 'best'"):
        VideoSpec(**{field: "best"})


@pytest.mark.parametrize(("count", "rate_hz"), [(67, 30.0), (300, 25.0), (10, 30.0), (301, 29.97), (2, 10.0)])
def test_clips_begin_where_pytorchvideo_puts_them(count, rate_hz):
    """Release 0.1.5: clip i of 5 begins at i/5 of (duration - 1 s), and its first frame is at ceil(rate * start)."""
    film = open_signal((np.zeros((count, 2, 2, 3), np.uint8), rate_hz))
    room = Fraction(max(count / rate_hz - Fraction(1), 0))
    expected = [math.ceil(rate_hz * (Fraction(room, 5) * clip)) for clip in range(5)]
    assert chosen_indices(film.info["table"], VideoSpec(frames=5, moments="clips")).tolist() == expected


@pytest.mark.parametrize("size_hw", [(90, 160), (160, 90), (64, 64), (50, 333)])
def test_thirds_follow_the_written_formula(size_hw):
    """Bilinear to the shorter side without antialiasing (torch's), CLIP's norm, squares at 0, ceil(gap / 2), gap."""
    torch = pytest.importorskip("torch")
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    pictures = np.random.default_rng(0).integers(0, 255, (2, *size_hw, 3), dtype=np.uint8)
    height, width = size_hw
    new = (math.floor(height / width * 32), 32) if width < height else (32, math.floor(width / height * 32))
    scaled = torch.nn.functional.interpolate(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255, new, mode="bilinear")
    normal = (scaled.permute(0, 2, 3, 1).numpy() - mean) / std
    spec = VideoSpec(32, frames=2, mean=mean, std=std, fit="thirds")
    values, frame = to_tensor(open_signal((pictures, 2)), spec)
    assert values.shape == (6, 3, 32, 32)
    for row, (picture, share) in enumerate((p, s) for p in range(2) for s in (0, 0.5, 1)):
        top, left = (math.ceil((side - 32) * share) for side in new)
        np.testing.assert_allclose(
            values[row], normal[picture, top : top + 32, left : left + 32].transpose(2, 0, 1), atol=1e-4
        )
    assert frame.dim == 3


def test_bilinear_enlarges_as_torch_does():
    torch = pytest.importorskip("torch")
    picture = np.random.default_rng(1).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(picture).permute(2, 0, 1)[None].float(), (13, 20), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(bilinear(picture, (13, 20)), expected[0].permute(1, 2, 0).numpy(), atol=1e-4)


def test_real_films(shared_data):
    film = open_signal(shared_data / "video_traffic" / "demo.mp4")
    assert film.extent.size_hw == (720, 1280)
    assert len(film.info["table"].times_s) == 67
    assert abs(film.extent.duration_s - 67 / 30) < 1e-3
    values, _ = to_tensor(film, VideoSpec(224, frames=5, moments="clips", fit="thirds"))
    assert values.shape == (15, 3, 224, 224)
    assert np.abs(np.diff(values[1::3], axis=0)).mean() > 0.05, "the moments differ"


def test_a_rotation_in_the_file_is_done(shared_data):
    """The same keyboard, videoed upright and lying down: upright once the second is turned as its file says."""
    upright, turned = (open_signal(shared_data / "video_decord" / f"video_{n}.mov") for n in (0, 90))
    assert upright.extent.size_hw == (320, 568)
    assert turned.extent.size_hw == (568, 320)
    with av.open(turned.path) as container:
        raw = next(container.decode(video=0))
    assert raw.rotation in (-90, 270)
    np.testing.assert_array_equal(turned.values[0], np.rot90(raw.to_ndarray(format="rgb24"), 3))


@pytest.mark.parametrize("size_hw", [pytest.param((24, 40), id="even"), pytest.param((23, 41), id="odd")])
def test_written_frames_are_read_back(tmp_path, size_hw):
    video.write(ramp(9, *size_hw), tmp_path / "ramp.mp4", 12.5)
    signal = open_signal(tmp_path / "ramp.mp4")
    assert numbers(signal.values) == list(range(9))
    np.testing.assert_allclose(signal.info["times_s"], np.arange(9) / 12.5, atol=1e-3)
    assert signal.extent.size_hw == size_hw


@pytest.mark.parametrize(
    ("values", "rate_hz", "sentence"),
    [
        pytest.param(ramp(2) / 255, 4.0, r"frames as uint8 \(t, height, width, 3\), got float64", id="floats"),
        pytest.param(ramp(2)[0], 4.0, r"frames as uint8 .* got uint8 \(48, 64, 3\)", id="one_frame"),
        pytest.param(ramp(2), None, "rate", id="no_rate"),
    ],
)
def test_what_is_no_video_is_not_written(tmp_path, values, rate_hz, sentence):
    with pytest.raises(ValueError, match=sentence):
        video.write(values, tmp_path / "x.mp4", rate_hz)
    assert not list(tmp_path.iterdir())
