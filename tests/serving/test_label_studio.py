"""Label Studio's backend contract: its requests in its own JSON, its regions out."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from deixis.geometry import Extent, Region
from deixis.serving.errors import RequestError
from deixis.serving.label_studio.brush_rle import decode, encode
from deixis.serving.label_studio.config import read_controls
from deixis.serving.label_studio.results import drawn_region, region_results
from tests.serving.conftest import SCENE

BRUSH = """<View><Image name="img" value="$image"/>
<BrushLabels name="tag" toName="img"><Label value="Car"/><Label value="Mug"/></BrushLabels>
<KeyPointLabels name="point" toName="img" smart="true"><Label value="Car"/></KeyPointLabels></View>"""
BOXES = BRUSH.replace("BrushLabels", "RectangleLabels")
OUTLINES = BRUSH.replace("BrushLabels", "PolygonLabels")
IMAGE = Extent("image", size_hw=(512, 512))


def post(server, path: str, body: dict) -> dict:
    request = urllib.request.Request(
        f"{server.url}/label-studio{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read())


def task(**more) -> dict:
    return {"id": 3, "data": {"image": "data:image/png;base64," + base64.b64encode(SCENE.read_bytes()).decode()}} | more


def keypoint(x: float, y: float) -> dict:
    return {
        "context": {
            "result": [
                {
                    "type": "keypointlabels",
                    "original_width": 512,
                    "original_height": 512,
                    "is_positive": True,
                    "from_name": "point",
                    "to_name": "img",
                    "value": {"x": x / 5.12, "y": y / 5.12, "width": 0.3, "keypointlabels": ["Car"]},
                }
            ]
        }
    }


def test_it_is_set_up_and_healthy(server):
    assert post(server, "/setup", {"project": "1.2", "schema": BRUSH}) == {"model_version": "deixis-tiny (bundled)"}
    with urllib.request.urlopen(f"{server.url}/label-studio/health") as reply:
        assert json.loads(reply.read())["status"] == "UP"


def test_a_smart_key_point_becomes_the_brush_mask_of_what_lies_there(server):
    # The orange car of the example lies around (340, 230).
    reply = post(server, "/predict", {"tasks": [task()], "label_config": BRUSH, "params": keypoint(340, 230)})
    (result,) = reply["results"][0]["result"]
    assert (result["type"], result["from_name"], result["to_name"]) == ("brushlabels", "tag", "img")
    assert result["value"]["brushlabels"] == ["Car"]
    assert (result["original_width"], result["original_height"]) == (512, 512)
    mask = decode(result["value"]["rle"], 512, 512)
    assert mask[230, 340]
    assert 0.01 < mask.mean() < 0.2
    assert 0 < reply["results"][0]["score"] <= 1


def test_without_a_drawn_region_every_label_is_looked_for(server):
    reply = post(server, "/predict", {"tasks": [task()], "label_config": BOXES})
    found = {result["value"]["rectanglelabels"][0]: result["value"] for result in reply["results"][0]["result"]}
    car = found["Car"]
    middle = car["x"] + car["width"] / 2, car["y"] + car["height"] / 2
    assert middle == pytest.approx((66, 45), abs=6)  # percent of the image


def test_outlines_are_polygons_in_percent(server):
    reply = post(server, "/predict", {"tasks": [task()], "label_config": OUTLINES, "params": keypoint(340, 230)})
    points = np.array(reply["results"][0]["result"][0]["value"]["points"])
    assert points.min() > 25
    assert points.max() < 90


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({"tasks": [task()], "label_config": "<View"}, "expected XML", id="no-xml"),
        pytest.param({"tasks": [task()], "label_config": "<View/>"}, "expected RectangleLabels", id="no-control"),
        pytest.param(
            {"tasks": [task()], "label_config": '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>'},
            "expected XML",
            id="entities",
        ),
        pytest.param({"tasks": [{"data": {}}], "label_config": BRUSH}, "expected the URL of a file", id="no-file"),
        pytest.param(
            {"tasks": [{"data": {"image": "/etc/passwd"}}], "label_config": BRUSH}, "expected a data: URL", id="path"
        ),
        pytest.param(
            {"tasks": [task()], "label_config": BRUSH, "params": {"context": {"result": [{"value": {"x": "a"}}]}}},
            "expected a region of Label Studio",
            id="no-region",
        ),
    ],
)
def test_what_is_no_request_of_label_studio_is_a_sentence(server, body, sentence):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(server, "/predict", body)
    assert refused.value.code == 400
    assert sentence in json.loads(refused.value.read())["error"]["message"]


@contextmanager
def label_studio(content: bytes) -> Iterator[tuple[str, list]]:
    """A host that gives one file to whoever has its token, and the requests that it saw."""
    seen: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(200 if self.headers["Authorization"] == "Token key" else 401)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{host.server_port}", seen
        host.shutdown()


def test_files_of_the_connected_label_studio_are_fetched_with_its_token(server, monkeypatch):
    from dataclasses import replace

    with label_studio(SCENE.read_bytes()) as (url, seen):
        settings = replace(server.service.settings, label_studio_url=url, label_studio_key="key")
        monkeypatch.setattr(server.service, "settings", settings)
        body = {"tasks": [{"data": {"image": "/data/upload/1/a b.png"}}], "label_config": BRUSH}
        reply = post(server, "/predict", body | {"params": keypoint(340, 230)})
    assert reply["results"][0]["result"]
    assert seen == [("/data/upload/1/a%20b.png", "Token key")]


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(np.zeros((3, 5), bool), id="nothing"),
        pytest.param(np.ones((300, 400), bool), id="long-runs"),
        pytest.param(np.indices((9, 7)).sum(0) % 2 == 0, id="chessboard"),
        pytest.param(np.add.outer(np.arange(-20, 20) ** 2, np.arange(-30, 30) ** 2) < 200, id="disc"),
    ],
)
def test_brush_masks_are_packed_and_unpacked(mask):
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)
    with pytest.raises(ValueError, match="rle: expected"):
        decode(encode(mask), mask.shape[0] + 1, mask.shape[1])


def test_the_code_of_a_brush_mask_is_that_of_label_studio():
    # One transparent and one opaque pixel: 8 bytes, words of 8 bits, lengths of 3, 4, 8 and 16 bits, two runs of four.
    bits = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + f"1{0:02b}{3:03b}{0:08b}" + f"1{0:02b}{3:03b}{255:08b}"
    bits += "0" * (-len(bits) % 8)
    assert encode(np.array([[False, True]])) == [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_drawn_regions_are_in_percent_and_come_back_so():
    rectangle = {"type": "rectanglelabels", "value": {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0}}
    region = drawn_region(rectangle, IMAGE)
    assert region == Region(box=(128, 256, 384, 384))
    (control,) = read_controls(BOXES)
    (result,) = region_results(region, control, "Car", IMAGE)
    assert result["value"] == rectangle["value"] | {"rectanglelabels": ["Car"]}
    with pytest.raises(RequestError, match="expected a region of Label Studio"):
        drawn_region({"type": "brushlabels", "value": {"rle": [1, 2, 3]}}, IMAGE)


def test_sounds_have_spans():
    config = '<View><Audio name="a" value="$sound"/><Labels name="l" toName="a"><Label value="bell"/></Labels></View>'
    (control,) = read_controls(config)
    sound = Extent("audio", duration_s=4.0)
    (result,) = region_results(Region(span=(1.0, 2.5)), control, "bell", sound)
    assert (result["type"], result["value"]) == ("labels", {"start": 1.0, "end": 2.5, "channel": 0, "labels": ["bell"]})
    assert drawn_region(result, sound) == Region(span=(1.0, 2.5))
