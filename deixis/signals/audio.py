"""Audio: a file or (samples, rate_hz) becomes 16 kHz mono, and 16 kHz mono becomes a log-mel spectrogram.

Does not know the network: an `AudioSpec` says what tensor it requires. Coordinates are seconds from the start.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float32

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.files.regular import open_regular
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame, window_frame
from deixis.options import Checked, Count, Natural
from deixis.signals.announced_sizes import missing_bytes
from deixis.signals.audio_headers import with_length
from deixis.signals.filterbank import log_mel_hann
from deixis.signals.modality import Modality
from deixis.signals.signal import Signal, as_array, check_rate, content_digest, has_rate, is_array
from deixis.signals.tokenizer_options import FINE_STRIDE, check_stem

RATE_HZ = 16_000
"""Sampling rate of opened audio; all audio encoders we load were trained at it."""
FRAME_LENGTH_MS = 25.0
FRAME_SHIFT_MS = 10.0
"""Kaldi's customary window and step, as in AST (Gong et al., Interspeech 2021, section 3.1) and OneLLM."""
FRAMES_PER_S = 100
"""1000 / FRAME_SHIFT_MS."""
MIN_DURATION_S = 0.1
MAX_DURATION_S = 600.0
"""What is read into memory at once: ten minutes, 38 MB at 16 kHz."""
SILENCE_PEAK = 1e-4
"""Half the swing of silent audio: -80 dB of full scale, three steps of 16 bits."""
MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 64
"""More than any recorder has: what has more columns is no audio."""
BLOCK_SAMPLES = 2**20
"""Of all channels together, that are read and mixed at once."""
SAMPLE_BYTES = 4
MAX_RATIO = 100_000
"""The filter that resamples grows with the smallest whole numbers of the ratio of the rates: beyond this denominator,
which only odd rates above 100 kHz have, the nearest ratio below it is taken; it is off by 2 samples in ten minutes."""
UNKNOWN_FRAMES = 2**62
"""libsndfile says more than this when a streamed FLAC does not tell its length."""
MP3_SHARE = 0.9
"""The length of an MP3 is an estimate: less than this share of it is a file cut short."""


@no_type_check
@dataclass(frozen=True)
class AudioSpec(Checked):
    """The audio a network requires: window_s seconds as frames of 10 ms of mel_bins, (x - mean) / (2 std).

    recipe: "centred": each row centred on its 10 ms, silence after the end, longer audio refused; or "ast", as AST
        and OneLLM take it (data/data_utils.py@8587a47): the mean of the samples taken off, Hann windows that begin with
        their row and lie wholly inside the audio, zeros after the end (before normalising), longer audio cut.
        OneLLM: window_s 10.24, mel_bins 128, mean -4.2677393, std 4.5689974.
    """

    window_s: float = 8.0
    mel_bins: int = 64
    mean: float = -6.0
    std: float = 4.0
    recipe: Literal["centred", "ast"] = "centred"


@no_type_check
@dataclass(frozen=True)
class AudioOptions(AudioSpec):
    """The preparation of audio, and the options of its tokenizers.

    Attributes:
        tokenizer: "stem" (convolutions in time) or "patch" (AST's overlapping patches, as OneLLM takes them).
        stride: filterbank frames per token, of "stem".
        early_dim: channels of the early feature map, four frames per cell; 0 for none.
        kernel, steps: (mel bins, frames) of a patch and between patches, of "patch".
    """

    tokenizer: Literal["stem", "patch"] = "stem"
    stride: Count = 16
    early_dim: Natural = 96
    kernel: tuple[Count, Count] = (16, 16)
    steps: tuple[Count, Count] = (10, 10)
    has_places = True  # tokens have positions in time

    def __post_init__(self):
        super().__post_init__()
        if self.tokenizer == "stem":
            check_stem("stride", self.stride, self.frames)

    @property
    def frames(self) -> int:
        """Frames of the filterbank."""
        return round(self.window_s * FRAMES_PER_S)

    @property
    def token_count(self) -> int:
        """Tokens in time, or patches over mel bins and time."""
        if self.tokenizer == "stem":
            return self.frames // self.stride
        sizes = zip((self.mel_bins, self.frames), self.kernel, self.steps, strict=True)
        mel, time = ((size - kernel) // step + 1 for size, kernel, step in sizes)
        return mel * time

    @property
    def cell_count(self) -> int:
        """Cells in time; 0 without an early feature map."""
        return self.frames // FINE_STRIDE if self.early_dim else 0


def silence(values: np.ndarray, spec: AudioSpec) -> np.ndarray:
    """The prepared values of silence: the floor that `to_tensor` puts after the end of the recording."""
    floor = np.log(np.finfo(np.float32).eps)
    return np.full_like(values, (floor - spec.mean) / (2 * spec.std))


def open_file(path: Path, name: str) -> Signal:
    """The audio in a file that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF), as 16 kHz mono."""
    import soundfile

    try:
        # an open file, not its name: libsndfile would open what the name stands for now
        with (
            open_regular(path) as file,
            soundfile.SoundFile(with_length(path) or file.fileno(), closefd=False) as stream,
        ):
            rate_hz, frames, channels = stream.samplerate, stream.frames, stream.channels
            if frames > UNKNOWN_FRAMES:
                raise InputError(
                    f"'{name}': expected audio whose header states its length, got one written as a stream; "
                    "save it again as a file."
                )
            check_rate(rate_hz, MIN_RATE_HZ, MAX_RATE_HZ, "samples", name)
            _check_channels(channels, name)
            _check_duration(frames, rate_hz, name)
            check_decoded(name, frames * channels * SAMPLE_BYTES, f"{frames} samples of {channels} channels")
            # not its method `blocks`, which repeats the last one where a file ends early
            read = partial(stream.read, BLOCK_SAMPLES // channels, dtype="float32", always_2d=True)
            mono = _mono(takewhile(len, (read() for _ in count())), name)
            info = {"source_rate_hz": rate_hz, "channels": channels, "source_format": stream.format}
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        reason = str(getattr(error, "error_string", None) or error).strip().rstrip(".")
        raise InputError(
            f"'{name}': expected a whole audio file, but it cannot be decoded ({reason}); the file is probably cut "
            "short, damaged, or of another format."
        ) from error
    enough = frames * (MP3_SHARE if info["source_format"] == "MP3" else 1)
    missing = missing_bytes(path)
    if missing or len(mono) < enough:
        got = f"{missing} bytes less" if missing else f"{len(mono)} of {frames} samples"
        raise InputError(
            f"'{name}': expected the whole audio its header announces, got {got}; the file is cut short, copy it again."
        )
    return _signal(mono, rate_hz, name, str(path), info)


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The audio in (samples, rate_hz); samples are an array or tensor (n,), (n, channel) or (channel, n).

    Floats are taken as [-1, 1] (louder audio is scaled to its peak), integers as full scale of their type.
    """
    if not has_rate(value):
        shape = getattr(value, "shape", None)
        got = type(value).__name__ if shape is None else f"an array of shape {tuple(shape)}"
        raise InputError(
            f"'{name}': expected audio as (samples, rate_hz), got {got}; "
            "an array alone does not say its rate, and may be of another modality, which is named as in fmri:FILE or "
            "modality='fmri'."
        )
    samples, rate_hz = value
    rate_hz = check_rate(rate_hz, MIN_RATE_HZ, MAX_RATE_HZ, "samples", name)
    samples = as_array(samples, name)
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim == 2 and 0 < samples.shape[0] < samples.shape[1]:
        samples = samples.T  # (channel, n), as torchaudio has it
    if samples.ndim != 2:
        raise InputError(
            f"'{name}': expected samples of shape (n,), (n, channel) or (channel, n), got {samples.shape}; "
            "give one clip, not a batch."
        )
    _check_channels(samples.shape[1], name)
    _check_duration(len(samples), rate_hz, name)
    info = {"source_rate_hz": rate_hz, "channels": int(samples.shape[1]), "source": "array"}
    step = max(1, BLOCK_SAMPLES // samples.shape[1])
    blocks = (_to_unit_scale(samples[begin : begin + step]) for begin in range(0, len(samples), step))
    return _signal(_mono(blocks, name), rate_hz, name, path, info)


def fits(value: Any) -> bool:
    """Whether a value in memory is audio: a pair of samples and a rate, or an array of one dimension.

    Six channels below the lowest rate of audio are an IMU recording, and four axes a video.
    """
    if not has_rate(value):
        return is_array(value) and len(value.shape) == 1
    shape = getattr(value[0], "shape", (0,))
    return len(shape) < 4 and not (len(shape) == 2 and 6 in shape and value[1] < MIN_RATE_HZ)


def to_tensor(signal: Signal, spec: AudioSpec) -> tuple[Float32[np.ndarray, "time mel"], Frame]:
    """Normalised log-mel frames of the spec's window, and the frame that leads back to seconds.

    Row i covers the instants [i, i + 1) * 10 ms, its window centred on them ("ast": its window begins there); rows
    after the end hold what digital silence gives ("ast": zeros before normalising).
    """
    duration_s = len(signal.values) / RATE_HZ
    rows = round(spec.window_s * FRAMES_PER_S)
    # files of "8 seconds" often have a few milliseconds more: half a row is no sentence's worth
    if spec.recipe == "centred" and duration_s > spec.window_s + FRAME_SHIFT_MS / 2000:
        raise InputError(
            f"'{signal.name}': expected audio of at most {spec.window_s:g} s, got {duration_s:.2f} s; "
            "cut the file or choose a model with a longer window."
        )
    if spec.recipe == "centred":
        heard, blank, start_s = log_mel(signal.values, spec.mel_bins), np.log(np.finfo(np.float32).eps), 0.0
    else:
        window, shift = (round(milliseconds * RATE_HZ / 1000) for milliseconds in (FRAME_LENGTH_MS, FRAME_SHIFT_MS))
        level = signal.values - signal.values.mean()
        heard = log_mel_hann(level[: window + rows * shift], RATE_HZ, window, shift, spec.mel_bins)
        blank, start_s = 0.0, (FRAME_LENGTH_MS - FRAME_SHIFT_MS) / 2000  # the middle of a window, seen as of its row
    mel = np.full((rows, spec.mel_bins), blank, dtype=np.float32)
    mel[: len(heard)] = heard[:rows]
    values = (mel - np.float32(spec.mean)) / np.float32(2 * spec.std)
    return values, window_frame(duration_s, spec.window_s, start_s)


def log_mel(samples: Float32[np.ndarray, " samples"], mel_bins: int) -> Float32[np.ndarray, "time mel"]:
    """Kaldi log-mel energies of 16 kHz mono samples: one row every 10 ms, 25 ms windows, no dither.

    Rows are centred on their 10 ms (Kaldi's snip_edges is off), so n samples give (n + 80) // 160 rows.
    """
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.frame_length_ms = FRAME_LENGTH_MS
    options.frame_opts.frame_shift_ms = FRAME_SHIFT_MS
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = mel_bins
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE_HZ, np.ascontiguousarray(samples, dtype=np.float32))
    bank.input_finished()
    if not bank.num_frames_ready:
        return np.zeros((0, mel_bins), dtype=np.float32)
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def _mono(blocks: Iterable[np.ndarray], name: str) -> Float32[np.ndarray, " samples"]:
    """The mean of the channels, block by block. Raises: InputError for NaN and infinity."""
    parts, bad = [np.zeros(0, dtype=np.float32)], 0
    for block in blocks:
        bad += int(np.size(block) - np.isfinite(block).sum())
        with np.errstate(invalid="ignore"):  # refused below
            parts.append(block.mean(axis=1, dtype=np.float64).astype(np.float32))
    if bad:
        raise InputError(f"'{name}': expected finite samples, got {bad} NaN or infinite; the recording is damaged.")
    return np.concatenate(parts)


def _signal(mono: np.ndarray, rate_hz: float, name: str, path: str | None, info: dict[str, Any]) -> Signal:
    """The signal of one channel of floats at any rate: checked and resampled."""
    if not len(mono):
        raise InputError(f"'{name}': expected audio, got no samples; the file is damaged.")
    if float(np.ptp(mono)) < 2 * SILENCE_PEAK:
        raise InputError(
            f"'{name}': expected audio, got silence (below {20 * math.log10(SILENCE_PEAK):.0f} dB of full scale "
            "once mixed to one channel); the recording is empty or its channels cancel out."
        )
    mono = _resample(mono, rate_hz)
    peak = float(np.abs(mono).max())
    if peak > 1:
        mono = mono / np.float32(peak)
    mono = np.ascontiguousarray(mono, dtype=np.float32)
    extent = Extent(modality="audio", duration_s=len(mono) / RATE_HZ)
    return Signal("audio", mono, extent, name, content_digest("audio", mono), path, info)


def _resample(mono: Float32[np.ndarray, " samples"], rate_hz: float) -> np.ndarray:
    """Samples at 16 kHz, low-passed where the rate falls."""
    rate = round(rate_hz)
    if rate == RATE_HZ:
        return mono
    from scipy.signal import resample_poly

    ratio = Fraction(RATE_HZ, rate).limit_denominator(MAX_RATIO)
    return resample_poly(mono, ratio.numerator, ratio.denominator)


def _to_unit_scale(samples: np.ndarray) -> np.ndarray:
    """Floats in [-1, 1] of integers at full scale; floats as they are."""
    if samples.dtype.kind in "fb":
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    centre = half if samples.dtype.kind == "u" else 0.0
    return ((samples.astype(np.float64) - centre) / half).astype(np.float32)


def _check_channels(channels: int, name: str) -> None:
    if not 0 < channels <= MAX_CHANNELS:
        raise InputError(
            f"'{name}': expected audio of 1 to {MAX_CHANNELS} channels, got {channels}; give one clip, not a batch."
        )


def _check_duration(samples: int, rate_hz: float, name: str) -> None:
    duration_s = samples / rate_hz
    if duration_s < MIN_DURATION_S:
        raise InputError(
            f"'{name}': expected audio of at least {MIN_DURATION_S:g} s, got {duration_s:.3f} s; "
            "the recording is empty or its rate is wrong."
        )
    if duration_s > MAX_DURATION_S:
        raise InputError(
            f"'{name}': expected audio of at most {MAX_DURATION_S:g} s, got {duration_s:.0f} s; cut the file."
        )


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes samples, floats (n,) in [-1, 1], as WAV of 16 bits. Raises InputError for another array."""
    import soundfile

    array = np.asarray(values)
    if array.dtype.kind != "f" or array.ndim != 1:
        raise InputError(f"expected an audio clip as floats (samples,), got {array.dtype} {array.shape}")
    whole = np.round(np.clip(array, -1, 1) * np.iinfo(np.int16).max).astype(np.int16)
    soundfile.write(path, whole, round(rate_hz or RATE_HZ), format="WAV", subtype="PCM_16")


AUDIO = Modality(
    name="audio",
    noun="audio",
    axes="t",
    values_form=("float32", (None,)),
    suffixes=(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".w64", ".caf"),
    magics=(
        (8, b"WAVE", "WAV audio"),
        (0, b"fLaC", "FLAC audio"),
        (0, b"OggS", "OGG audio"),
        (0, b"ID3", "MP3 audio"),
        (0, b"\xff\xfb", "MP3 audio"),
        (8, b"AIFF", "AIFF audio"),
        (8, b"AIFC", "AIFF audio"),
        (0, b".snd", "AU audio"),
        (0, b"caff", "CAF audio"),
    ),
    spec=AudioSpec,
    options=AudioOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    tokenizers={
        "stem": "deixis.model.tokenizers.stems:AudioTokenizer",
        "patch": "deixis.model.tokenizers.published_tokenizers:AudioPatches",
    },
    upsample="deixis.model.masks.pointing_head:Upsample1d",
    cells="deixis.model.masks.cells:TimeCells",
    panel="deixis.visualize.panels.time_panels:draw_audio",
    blank=silence,
    panel_height_px=280,
    folder="sounds",
    file_suffix=".wav",
    write=write,
    has_rate=True,
    can_play=True,
    header="duration",
)
