"""Signals on their way between processes: what arrives is what was sent, and what is no signal is refused."""

import copy
import io
import json

import numpy as np
import pytest

from deixis.errors import DataError
from deixis.geometry.extent import Extent
from deixis.serving.reading.wire import MAX_HEADER_BYTES, Message, of_signal, receive, send, to_signal
from deixis.signals import MODALITIES, Signal, open_signal
from tests.mutations import mutations

IMAGE = open_signal(np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3))
CLOUD = open_signal(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
VIDEO = open_signal((np.zeros((4, 12, 16, 3), np.uint8), 5.0))


def through(message: Message, max_bytes: int = 10**6) -> Message:
    stream = io.BytesIO()
    send(message, stream)
    stream.seek(0)
    return receive(stream, max_bytes)


def changed(signal: Signal, **fields) -> Message:
    """The message of a signal with fields replaced."""
    message = of_signal(signal)
    return Message({"signal": {**message.header["signal"], **fields}}, message.arrays)


def test_info_passes_but_for_what_cannot():
    info = {"a": (1, 2.5, None, "ä"), "b": [True], "c": {"d": np.arange(3)}, "e": np.float32(0.5), "f": object()}
    got = to_signal(through(of_signal(Signal("image", IMAGE.values, IMAGE.extent, "x", IMAGE.digest, "/x", info)))).info
    assert got["c"].keys() == {"d"}
    assert np.array_equal(got["c"]["d"], np.arange(3))
    assert (got["a"], got["b"], got["e"]) == ((1, 2.5, None, "ä"), [True], 0.5)
    assert got["left_out"] == ["f"]
    assert "f" not in got


@pytest.mark.parametrize("signal", [IMAGE, CLOUD, VIDEO], ids=lambda own: own.modality)
def test_every_damaged_header_is_refused_or_a_signal(signal):
    """Whatever a process that was led astray says, it is one error or a signal of the right form."""
    message = through(of_signal(signal))
    refused = 0
    for _, own in mutations(message.header["signal"]):
        try:
            got = to_signal(Message({"signal": own}, message.arrays))
        except DataError:
            refused += 1
            continue
        dtype, shape = MODALITIES[got.modality].values_form
        assert (got.values.dtype, got.values.ndim) == (dtype, len(shape))
        assert got.extent.axes == MODALITIES[got.modality].axes
    assert refused > 50


OTHER = {"digest": "0" * 63, "image": 5, "modality": "smell", "values": {"array": 7}}
WRONG = [pytest.param(changed(IMAGE, **{key: value}), id=key) for key, value in OTHER.items()] + [
    pytest.param(changed(IMAGE, size_hw=[16, 12]), id="size"),
    pytest.param(changed(IMAGE, modality="depth"), id="type"),
    pytest.param(changed(CLOUD, count=3, points_xyz=None), id="count"),
    pytest.param(changed(IMAGE, info={"a": {"array": -9}}), id="number"),
    pytest.param(changed(IMAGE, info={"a": {"array": 0, "b": 1}}), id="two kinds"),
    pytest.param(Message({"signal": None}), id="none"),
    pytest.param(Message({}), id="nothing"),
]


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_signal_is_refused(message):
    with pytest.raises(DataError, match="expected"):
        to_signal(message)


def test_points_of_another_number_than_the_values():
    extent = Extent("point_cloud", points_xyz=np.zeros((19, 3)))
    with pytest.raises(DataError, match="extent: expected the size of the values"):
        to_signal(of_signal(Signal("point_cloud", CLOUD.values, extent, "x", CLOUD.digest)))


def raw(header: object, content: bytes = b"") -> io.BytesIO:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(len(text).to_bytes(4, "little") + text + content)


GOOD = {"dtype": "|u1", "shape": [3], "crc32": 1438416925}


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        pytest.param(io.BytesIO(), EOFError, id="empty"),
        pytest.param(io.BytesIO(b"\1\0\0"), EOFError, id="half a length"),
        pytest.param(raw({"arrays": [GOOD]}, b"\1\2"), EOFError, id="half an array"),
        pytest.param(raw({"arrays": [GOOD]}, b"\1\2\4"), DataError, id="checksum"),
        pytest.param(io.BytesIO((MAX_HEADER_BYTES + 1).to_bytes(4, "little")), DataError, id="long header"),
        pytest.param(raw(b"{"), DataError, id="no json"),
        pytest.param(raw(b"[" * 100_000), DataError, id="deep"),
        pytest.param(raw([]), DataError, id="list"),
        pytest.param(raw({"arrays": 5}), DataError, id="no arrays"),
        pytest.param(raw({"arrays": [None]}), DataError, id="no description"),
        pytest.param(raw({"arrays": [GOOD | {"dtype": "|O"}]}), DataError, id="objects"),
        pytest.param(raw({"arrays": [GOOD | {"dtype": ["<f4"]}]}), DataError, id="dtype"),
        pytest.param(raw({"arrays": [GOOD | {"shape": [-1]}]}), DataError, id="negative"),
        pytest.param(raw({"arrays": [GOOD | {"shape": [2.5]}]}), DataError, id="half"),
        pytest.param(raw({"arrays": [GOOD | {"shape": [1] * 99}]}), DataError, id="axes"),
        pytest.param(raw({"arrays": [GOOD | {"shape": [2**62, 2**62]}]}), DataError, id="huge"),
        pytest.param(raw({"arrays": [GOOD | {"shape": [11]}] * 2}, bytes(99)), DataError, id="too much in all"),
    ],
)
def test_what_is_no_message_is_refused(stream, error):
    with pytest.raises(error, match=None if error is EOFError else r"(?i)expect"):
        receive(stream, 20)


def test_a_whole_message_is_read():
    assert receive(raw({"arrays": [GOOD]}, b"\1\2\3"), 20).arrays[0].tolist() == [1, 2, 3]
    assert copy.copy(through(Message({"a": 1}))).header == {"a": 1}
