"""Audio: every rate, sample width and layout becomes 16 kHz mono, and log-mel rows lie where their frame maps them."""

import numpy as np
import pytest
import soundfile

from deixis.geometry import Span, region_points
from deixis.signals import AudioSpec, open_signal, to_tensor
from deixis.signals.audio import RATE_HZ, log_mel
from deixis.signals.filterbank import log_mel_hann


def tone(duration_s=1.0, rate_hz=RATE_HZ, frequency_hz=440.0, level=0.3):
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz)).astype("f4")


def dominant_hz(samples):
    return np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [
        pytest.param(np.zeros(0), 16000, "at least 0.1 s, got 0.000 s", id="empty"),
        pytest.param(tone(0.05), 16000, "at least 0.1 s, got 0.050 s", id="very-short"),
        pytest.param(np.broadcast_to(np.float32(0.1), (601 * 8000,)), 8000, "at most 600 s, got 601 s", id="very-long"),
        pytest.param(np.zeros(16000), 16000, "got silence", id="silent"),
        pytest.param(np.full(16000, 0.5), 44100, "got silence", id="constant"),
        pytest.param(np.stack([tone(), -tone()], 1), 16000, "channels cancel out", id="opposite-channels"),
        pytest.param(np.where(np.arange(16000) == 7, np.nan, 0.1), 16000, "got 1 NaN or infinite", id="nan"),
        pytest.param(np.full(16000, 1e300), 16000, "got 16000 NaN or infinite", id="beyond-single-precision"),
        pytest.param(tone(), 0, "rate of 1000 to 768000 Hz, got 0", id="no-rate"),
        pytest.param(tone(), float("nan"), "rate of 1000 to 768000 Hz, got nan", id="nan-rate"),
        pytest.param(np.zeros((2, 3, 16000)), 16000, "give one clip, not a batch", id="batch"),
        pytest.param(np.zeros((200, 16000)), 16000, "give one clip, not a batch", id="too-many-channels"),
    ],
)
def test_bad_samples_are_one_sentence(samples, rate_hz, message):
    with pytest.raises(ValueError, match=message):
        open_signal((samples, rate_hz))


def test_samples_without_a_rate_are_refused():
    with pytest.raises(ValueError, match=r"expected audio as \(samples, rate_hz\), got an array of shape \(16000,\)"):
        open_signal(tone())
    with pytest.raises(ValueError, match=r"got tuple"):
        open_signal((16000, tone()))


@pytest.mark.parametrize(
    ("suffix", "share"),
    [(s, p) for s in ("wav", "aiff", "flac", "ogg", "mp3") for p in (0.001, 0.3, 0.6)]
    + [("wav", 0.99), ("flac", 0.99)],
)
def test_truncated_file_is_one_sentence(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, tone(4.0), RATE_HZ)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=rf"'cut.{suffix}': expected "):
        open_signal(path)


def test_silent_and_damaged_files_are_one_sentence(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), RATE_HZ)
    soundfile.write(tmp_path / "nan.wav", np.full(16000, np.nan), RATE_HZ, subtype="FLOAT")
    soundfile.write(tmp_path / "header.wav", np.zeros(0), RATE_HZ)
    for name, message in (("silent", "silence"), ("nan", "16000 NaN"), ("header", "got 0.000 s")):
        with pytest.raises(ValueError, match=rf"'{name}.wav': expected .*{message}"):
            open_signal(tmp_path / f"{name}.wav")


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_any_rate(tmp_path, rate_hz, channels):
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone(1.0, rate_hz)[:, None], channels, axis=1), rate_hz)
    signal = open_signal(path)
    assert signal.values.dtype == np.float32
    assert signal.values.shape == (RATE_HZ,)
    assert signal.extent.duration_s == 1.0
    assert signal.info["source_rate_hz"] == rate_hz
    assert abs(dominant_hz(signal.values) - 440) <= 1
    assert abs(np.abs(signal.values[2000:-2000]).max() - 0.3) < 0.01


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au"])
def test_files_of_any_format(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(2.0), RATE_HZ)
    signal = open_signal(path)
    assert abs(signal.extent.duration_s - 2) < 0.1
    assert abs(dominant_hz(signal.values) - 440) <= 2


def test_sizes_that_a_stream_left_open_are_no_truncation(tmp_path):
    soundfile.write(tmp_path / "s.wav", tone(), RATE_HZ)
    wav = bytearray((tmp_path / "s.wav").read_bytes())
    wav[4:8] = wav[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "s.wav").write_bytes(wav)
    assert open_signal(tmp_path / "s.wav").values.shape == (RATE_HZ,)
    soundfile.write(tmp_path / "s.flac", tone(), RATE_HZ)
    flac = bytearray((tmp_path / "s.flac").read_bytes())
    flac[21] &= 0xF0  # the 36 bits of STREAMINFO that tell the number of samples
    flac[22:26] = bytes(4)
    (tmp_path / "s.flac").write_bytes(flac)
    with pytest.raises(ValueError, match=r"'s.flac': expected audio whose header states its length"):
        open_signal(tmp_path / "s.flac")


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(tone(), id="floats"),
        pytest.param(tone().astype("f8")[:, None], id="one-column"),
        pytest.param(np.stack([tone(), tone()]), id="channel-first"),
        pytest.param(np.stack([2 * tone(), 0 * tone()], 1), id="mean-of-channels"),
        pytest.param(np.rint(tone() * 32768).astype(np.int16), id="int16"),
        pytest.param(np.rint(tone() * 2**31).astype(np.int32), id="int32"),
        pytest.param(np.rint(tone() * 128 + 128).astype(np.uint8), id="uint8"),
        pytest.param(list(map(float, tone())), id="list"),
    ],
)
def test_arrays_of_every_type(samples):
    signal = open_signal((samples, RATE_HZ))
    assert signal.modality == "audio"
    np.testing.assert_allclose(signal.values, tone(), atol=0.005)


def test_loud_floats_are_scaled_to_their_peak():
    signal = open_signal((4 * tone(), RATE_HZ))
    assert abs(signal.values.max() - 1) < 1e-3
    np.testing.assert_allclose(signal.values, tone() / 0.3, atol=1e-3)


def test_tensor_and_file_have_one_digest(tmp_path):
    torch = pytest.importorskip("torch")
    soundfile.write(tmp_path / "a.wav", tone(), RATE_HZ, subtype="FLOAT")
    tensor = torch.from_numpy(tone())[None]
    digests = {open_signal(s).digest for s in (tmp_path / "a.wav", (tone(), RATE_HZ), (tensor, 16000.0))}
    assert len(digests) == 1


@pytest.mark.parametrize("duration_s", [0.1, 0.105, 1.0, 7.999, 8.0, 8.004])
def test_window_is_always_full(duration_s):
    values, frame = to_tensor(open_signal((tone(duration_s), RATE_HZ)))
    assert values.shape == (800, 64)
    assert values.dtype == np.float32
    silence = (np.log(np.finfo(np.float32).eps) + 6) / 8
    rows = round(duration_s * 100)
    np.testing.assert_allclose(values[rows + 1 :], silence, rtol=1e-5)
    assert (values[: min(rows, 800)].max(axis=1) > silence + 0.5).all()
    np.testing.assert_allclose(frame.to_unit([4.0]), [0.5])


def test_longer_than_the_window_is_refused():
    with pytest.raises(
        ValueError, match=r"at most 2 s, got 2.50 s; cut the file or choose a model with a longer window"
    ):
        to_tensor(open_signal((tone(2.5), RATE_HZ)), AudioSpec(window_s=2.0))


def test_an_event_lands_where_the_frame_says():
    samples = np.zeros(4 * RATE_HZ, dtype=np.float32)
    samples[RATE_HZ : RATE_HZ + 1600] = tone(0.1)
    values, frame = to_tensor(open_signal((samples, RATE_HZ)))
    heard = np.flatnonzero(values.max(axis=1) > 0)
    start_s, end_s = frame.to_file(np.array([[heard[0]], [heard[-1] + 1]]) / len(values))[:, 0]
    assert abs(start_s - 1.0) <= 0.02
    assert abs(end_s - 1.1) <= 0.02


def test_log_mel_matches_a_direct_transform():
    """The library's rows equal Kaldi's definition, written out."""
    import kaldi_native_fbank

    samples = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype("f4")
    options = kaldi_native_fbank.FbankOptions()
    options.mel_opts.num_bins = 64
    banks = np.array(kaldi_native_fbank.MelBanks(options.mel_opts, options.frame_opts, 1.0).get_matrix())
    windows = np.lib.stride_tricks.sliding_window_view(samples, 400)[40::160].astype("f8")  # row 1 starts at 160 - 120
    windows = windows - windows.mean(axis=1, keepdims=True)
    windows = windows - 0.97 * np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    povey = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(windows * povey, 512)) ** 2
    expected = np.log(power[:, : banks.shape[1]] @ banks.T)
    np.testing.assert_allclose(log_mel(samples, 64)[1 : 1 + len(expected)], expected[: 100 - 1], atol=2e-3)


@pytest.mark.parametrize("mel_bins", [23, 40, 64, 80])
def test_the_filterbank_equals_the_librarys(mel_bins):
    """kaldi-native-fbank computes it too, where no filter is empty."""
    import kaldi_native_fbank

    samples = np.random.default_rng(0).normal(0.02, 0.1, RATE_HZ).astype("f4")
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither, options.frame_opts.window_type = 0.0, "hanning"
    options.mel_opts.num_bins = mel_bins
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE_HZ, samples)
    bank.input_finished()
    expected = np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])
    assert expected.shape == (98, mel_bins)
    np.testing.assert_allclose(log_mel_hann(samples, RATE_HZ, 400, 160, mel_bins), expected, atol=2e-3)


def test_the_ast_recipe_follows_the_written_formula():
    """OneLLM's: the mean off, 128 bins, zeros to 1024 rows, (x + 4.2677393) / (2 * 4.5689974)."""
    samples = np.random.default_rng(0).normal(0.02, 0.1, RATE_HZ).astype("f4")
    values, frame = to_tensor(
        open_signal((samples, RATE_HZ)), AudioSpec(10.24, 128, -4.2677393, 4.5689974, recipe="ast")
    )
    assert values.shape == (1024, 128)
    first = samples[160 * 7 : 160 * 7 + 400].astype("f8") - samples.mean()
    first = first - first.mean()
    first[1:] -= 0.97 * first[:-1].copy()
    first[0] *= 0.03
    power = np.abs(np.fft.fft(first * np.hanning(400), 512)[:256]) ** 2
    mels = 1127 * np.log1p(np.arange(256) * 31.25 / 700)
    low, high = (1127 * np.log1p(hz / 700) for hz in (20, 8000))
    step = (high - low) / 129
    triangles = np.clip(1 - np.abs(mels - (low + step * np.arange(1, 129))[:, None]) / step, 0, None)
    fbank = np.log(np.maximum(triangles @ power, np.finfo("f4").eps))
    assert (triangles.sum(1) == 0).any(), "some filters are empty, as they are there"
    np.testing.assert_allclose(values[7], (fbank + 4.2677393) / (4.5689974 * 2), atol=1e-4)
    np.testing.assert_allclose(values[98:], 4.2677393 / (4.5689974 * 2), rtol=1e-6)
    np.testing.assert_allclose(frame.to_file([0.5 / 1024]), [0.0125], atol=1e-9)  # the middle of the first window


def test_the_ast_recipe_cuts_what_is_too_long():
    values, frame = to_tensor(open_signal((tone(12.0), RATE_HZ)), AudioSpec(10.24, 128, recipe="ast"))
    assert values.shape == (1024, 128)
    with pytest.raises(ValueError, match=r"10.8 to 11 s lies outside what the model reads: 0.0075 to 10.2475 s"):
        region_points(Span(10.8, 11), frame, 8)


def test_a_recipe_that_is_none():
    with pytest.raises(ValueError, match="recipe: expected one of centred, ast; got 'cake'"):
        to_tensor(open_signal((tone(), RATE_HZ)), AudioSpec(recipe="cake"))


@pytest.mark.parametrize(
    ("behind", "seconds"),
    [
        pytest.param(lambda samples: samples, 1.0, id="samples"),
        pytest.param(
            lambda samples: b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT".ljust(26, b" "), None, id="text"
        ),
        pytest.param(lambda samples: b"", None, id="nothing"),
    ],
)
def test_a_wav_whose_length_was_never_written(tmp_path, behind, seconds):
    """A recorder that is switched off leaves zeros where the sizes should stand."""
    wave = np.sin(np.arange(16000) / 9).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16000)
    whole = open_signal(tmp_path / "a.wav").values
    content = (tmp_path / "a.wav").read_bytes()
    at = content.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(content[:4] + bytes(4) + content[8:at] + bytes(4) + behind(content[at + 4 :]))
    if seconds is None:
        with pytest.raises(ValueError, match=r"expected audio of at least 0\.1 s, got 0\.000 s"):
            open_signal(tmp_path / "a.wav")
    else:
        np.testing.assert_array_equal(open_signal(tmp_path / "a.wav").values, whole)
