"""What the studio is told of signals, and the bytes that it draws."""

import io
import json
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
import soundfile
from PIL import Image

from deixis.errors import InputError
from deixis.geometry import check_region
from deixis.serving.chat.region_parts import region_from_part
from deixis.serving.studio import place_views, samples, time_views
from deixis.serving.studio.views import view_of
from deixis.signals import MODALITIES, Signal, open_signal
from tests.serving.conftest import SCENE

KINDS = {"float32": np.float32, "uint8": np.uint8, "uint32": np.uint32, "int32": np.int32}


@pytest.fixture(scope="module", params=list(samples.SHOWN))
def sample(request) -> samples.StudioSample:
    return samples.sample_of(f"{request.param}-{samples.SHOWN[request.param][0][0]}")


def signal_of(sample: samples.StudioSample, folder: Path) -> Signal:
    path = folder / sample.name
    path.write_bytes(sample.content)
    reader = MODALITIES[sample.modality]
    says = {} if sample.number is None else {str(reader.parameter): sample.number}
    return open_signal(path, sample.modality, **says)


def array(signal: Signal, name: str) -> np.ndarray:
    """The numbers of a part, as the page reads them."""
    view = view_of(signal)
    facts = next(part for part in view.facts["parts"] if part["name"] == name)
    content = view.part(name)
    assert content is not None
    return np.frombuffer(content, KINDS[facts["dtype"]]).reshape(facts["shape"])


def test_samples_are_there_for_every_modality():
    assert samples.SHOWN.keys() == MODALITIES.keys()


def test_every_part_of_every_view_is_made_and_as_large_as_it_says(sample, tmp_path):
    signal = signal_of(sample, tmp_path)
    view = view_of(signal)
    assert view.facts["axes"] == signal.extent.axes
    assert json.loads(json.dumps(view.facts)) == view.facts
    for facts in view.facts["parts"]:
        content = view.part(facts["name"])
        assert content is not None
        if "shape" in facts:
            assert len(content) == np.prod(facts["shape"]) * np.dtype(facts["dtype"]).itemsize
        elif facts["type"].startswith("image/"):
            assert Image.open(io.BytesIO(content)).size == signal.extent.size_hw[::-1]
        else:
            read, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32")
            assert rate_hz == view.facts["rate_hz"]
            np.testing.assert_allclose(read, signal.values, atol=1e-4)


def test_suggested_questions_have_regions_that_lie_in_the_signal(sample, tmp_path):
    extent = signal_of(sample, tmp_path).extent
    assert len(sample.questions) == len(samples.SHOWN[sample.modality][1])
    for question in sample.questions:
        for number, part in enumerate(question["regions"]):
            assert f"{{{number}}}" in question["text"]
            check_region(region_from_part(part), extent)


def test_depth_has_metres_beside_its_colours():
    depth = np.full((3, 4), 2.0, np.float32)
    depth[0, 0] = 0
    signal = open_signal(depth, "depth")
    assert array(signal, "values").tolist() == depth.tolist()
    assert view_of(signal).facts["value_unit"] == "m"


def test_peaks_are_the_lowest_and_highest_samples_of_equal_pieces(monkeypatch):
    monkeypatch.setattr(time_views, "PEAKS", 4)
    samples_ = np.array([0, 1, -1, 0, 0.5, 0.25, 0, 0], np.float32)
    peaks = array(open_signal((np.repeat(samples_, 1000), 16_000), "audio"), "peaks")
    assert peaks.tolist() == [[0, 1], [-1, 0], [0.25, 0.5], [0, 0]]


def test_a_long_clip_has_a_spectrogram_of_the_middles_of_its_columns(monkeypatch):
    monkeypatch.setattr(time_views, "MAX_WHOLE_S", 1.0)
    tone = np.sin(np.arange(32_000) / 16_000 * 2 * np.pi * 1000).astype(np.float32)
    tone[16_000:] = 0
    levels = array(open_signal((tone, 16_000), "audio"), "spectrogram")
    loudest = levels.max(axis=0)
    assert loudest[: len(loudest) // 2 - 2].min() > loudest[len(loudest) // 2 + 2 :].max()


def test_rows_of_a_long_recording_are_means(monkeypatch):
    monkeypatch.setattr(time_views, "ROWS", 50)
    rows = np.repeat(np.arange(100, dtype=np.float32)[:, None], 6, axis=1)
    signal = open_signal((rows, 50.0), "imu")
    assert array(signal, "rows")[:2, 0].tolist() == [0.5, 2.5]
    assert array(signal, "times")[1] == pytest.approx(2 / 50)


def test_a_large_cloud_is_thinned_and_says_which_points_are_shown(monkeypatch):
    monkeypatch.setattr(place_views, "MAX_POINTS", 10)
    xyz = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
    signal = open_signal(xyz, "point_cloud")
    indices = array(signal, "indices")
    assert len(indices) <= 10
    np.testing.assert_array_equal(array(signal, "xyz"), signal.values[indices, :3])


def test_numbers_without_places_are_shown_in_their_order():
    values = np.arange(40, dtype=np.float32)
    signal = open_signal(values, "fmri")
    assert view_of(signal).facts["drawn_as"] == "numbers"
    assert array(signal, "values").tolist() == values.tolist()


def test_an_unknown_sample_is_refused():
    with pytest.raises(InputError, match="expected an id that /studio/api/samples lists"):
        samples.sample_of("image-1")


@pytest.fixture(scope="module")
def file_id(server) -> str:
    return server.service.uploads.add("scene.png", [SCENE.read_bytes()]).id


def test_the_server_shows_a_file_and_its_parts(server, file_id):
    with urllib.request.urlopen(f"{server.url}/studio/api/signals/{file_id}") as response:
        facts = json.load(response)
    name = facts["parts"][0]["name"]
    with urllib.request.urlopen(f"{server.url}/studio/api/signals/{file_id}/{name}") as response:
        assert Image.open(io.BytesIO(response.read())).size == tuple(facts["size_hw"][::-1])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        pytest.param("studio/api/signals/file-none", "expected the id of a file", id="no_file"),
        pytest.param("studio/api/signals/{file}/none", "expected one of picture", id="no_part"),
        pytest.param("studio/assets/none.js", "there is no such file of the studio", id="no_asset"),
        pytest.param("studio/assets/..%2f..%2froutes.py", "", id="no_way_out"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(server, file_id, path, sentence):
    with pytest.raises(HTTPError, match="404") as refused:
        urllib.request.urlopen(f"{server.url}/{path.format(file=file_id)}")
    assert sentence in json.load(refused.value)["error"]["message"]


def test_samples_of_the_models_modalities_are_listed_and_taken(server):
    with urllib.request.urlopen(f"{server.url}/studio/api/samples") as response:
        listed = json.load(response)["data"]
    assert {own["modality"] for own in listed} == set(server.model.abilities["signals"])
    request = urllib.request.Request(f"{server.url}/studio/api/samples/audio-15", method="POST")
    with urllib.request.urlopen(request) as response:
        taken = json.load(response)
    assert taken["signal"]["kind"] == "audio"
    assert taken["questions"][0]["regions"]
    assert server.service.uploads.get(taken["id"]).name == "audio-15.wav"
