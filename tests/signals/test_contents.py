"""Whole files in memory and audio of datasets: the same signal as from the file, and one sentence for the rest."""

import base64
import io
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from PIL import Image

from deixis.errors import InputError
from deixis.signals import open_signal

PIXELS = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
SAMPLES = np.sin(np.arange(8000) / 9).astype(np.float32)
TABLE = "t,ax,ay,az,gx,gy,gz\n" + "".join(f"{row / 50},0.1,0.2,9.8,0,0,{row % 7}\n" for row in range(100))


def encoded(save, *arguments, **options):
    stream = io.BytesIO()
    save(stream, *arguments, **options)
    return stream.getvalue()


PNG = encoded(Image.fromarray(PIXELS).save, "PNG")
WAV = encoded(soundfile.write, SAMPLES, 16000, format="WAV", subtype="FLOAT")
BASE64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(PNG, id="bytes"),
        pytest.param(bytearray(PNG), id="bytearray"),
        pytest.param(memoryview(PNG), id="memoryview"),
        pytest.param(f"data:image/png;base64,{BASE64}", id="data_url"),
        pytest.param(f"data:image/jpeg;base64,{BASE64}", id="data_url_of_another_type"),
        pytest.param(f"DATA:;base64,{BASE64[:40]}\n{BASE64[40:]}", id="data_url_in_lines"),
        pytest.param({"bytes": PNG, "path": None}, id="bytes_of_a_dataset"),
        pytest.param({"bytes": PNG, "path": "zip://a.png::b.zip"}, id="bytes_and_name_of_a_dataset"),
        pytest.param(encoded(np.save, PIXELS), id="npy"),
    ],
)
def test_a_file_in_memory_is_as_the_file(source):
    signal = open_signal(source)
    np.testing.assert_array_equal(signal.values, PIXELS)
    assert signal.path is None


@pytest.mark.parametrize("at", [0, 5])
def test_an_open_file_is_read_from_its_beginning(tmp_path, at):
    (tmp_path / "a.png").write_bytes(PNG)
    with (tmp_path / "a.png").open("rb") as stream:
        stream.seek(at)
        signal = open_signal(stream)
    assert (signal.name, signal.path) == ("a.png", None)
    np.testing.assert_array_equal(signal.values, PIXELS)
    np.testing.assert_array_equal(open_signal({"bytes": None, "path": str(tmp_path / "a.png")}).values, PIXELS)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(WAV, id="bytes"),
        pytest.param({"array": SAMPLES, "sampling_rate": 16000, "path": "gone.wav"}, id="decoded_by_a_dataset"),
        pytest.param({"array": SAMPLES.tolist(), "sampling_rate": 16000}, id="decoded_as_a_list"),
        pytest.param(
            SimpleNamespace(get_all_samples=lambda: SimpleNamespace(data=SAMPLES[None], sample_rate=16000)),
            id="decoder_of_a_dataset",
        ),
    ],
)
def test_audio_of_a_dataset_is_as_the_file(source):
    np.testing.assert_array_equal(open_signal(source).values, SAMPLES)


def test_the_type_of_a_data_url_is_asked_where_the_content_does_not_tell():
    table = base64.b64encode(TABLE.encode()).decode()
    assert open_signal(f"data:text/csv;base64,{table}").modality == "imu"
    assert open_signal(TABLE.encode(), "imu").extent.duration_s == pytest.approx(2.0)


def test_a_content_is_kept_as_a_file_no_longer_than_its_signal():
    signal = open_signal(PNG)
    file = signal.file
    assert file.is_file()
    assert file.is_relative_to(Path(tempfile.gettempdir()))
    del signal
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(b"", r"'bytes in memory': expected an image, .*, got an empty file \(0 bytes\)", id="no_bytes"),
        pytest.param(b"words", "^'bytes in memory': expected an image, .* got 'no ending'", id="words"),
        pytest.param(PNG[:60], "^'bytes in memory': expected a whole image", id="cut_short"),
        pytest.param(b"%PDF-1.7", "^'bytes in memory': expected .*, got a PDF document", id="pdf"),
        pytest.param("data:image/png", r"expected a data: URL as .* \(no comma\)$", id="url_without_data"),
        pytest.param("data:;base64,####", "expected a data: URL as .* cannot be decoded", id="url_of_other_letters"),
        pytest.param(BASE64 + "A" * 9000, "^'.{0,301}…': expected an image, .* cannot be read: File name", id="bare"),
        pytest.param("text:" + "A" * 9000, "^'.{0,301}…': expected an image", id="another_prefix"),
        pytest.param(io.StringIO("text"), "^'open file': .* gives bytes, got str; open it with 'rb'", id="text_file"),
        pytest.param({"arr": SAMPLES}, "^signal: expected a mapping with 'array' .*, got arr$", id="other_keys"),
        pytest.param({"array": SAMPLES}, "^signal: expected a mapping with 'array' and 'sampling_rate'", id="no_rate"),
        pytest.param({"bytes": None, "path": None}, "^signal: expected a mapping", id="nothing"),
    ],
)
def test_the_rest_is_one_short_sentence(source, message):
    with pytest.raises(InputError, match=message) as caught:
        open_signal(source)
    assert len(str(caught.value)) < 600


def test_a_closed_file_is_told():
    stream = io.BytesIO(PNG)
    stream.close()
    with pytest.raises(InputError, match="expected a file open for reading, but it cannot be read"):
        open_signal(stream)
