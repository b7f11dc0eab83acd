"""Hard negatives of names: by a language model, by the table, by siblings."""

import json

import pytest

from deixis.synthesis.annotator_types import Annotators
from deixis.synthesis.text import hard_negative_names as hard_negative_names
from tests.language.language_server import language_server
from tests.synthesis.parts.written_parts import tools_for


def test_look_alikes_are_asked_for_and_those_that_may_be_the_thing_are_left_out(tmp_path):
    says = {
        "mug": ["Mugs", "coffee mug", "glass", "vase", 7, "a thing of many words here", "glass"],
        "traffic light": ["light"],
    }
    with language_server(lambda request, n: json.dumps({"look_alikes": says})) as server:
        found = hard_negative_names.hard_negatives_for(["mug", "traffic light", "mug"], tools_for(server.url, tmp_path))
    assert found["mug"] == ["glass", "vase"]
    assert found["traffic light"] == hard_negative_names.known_hard_negatives("traffic light")
    assert server.requests[0]["messages"][-1]["content"] == "mug\ntraffic light"


@pytest.mark.parametrize("text", [pytest.param("no", id="prose"), pytest.param('{"look_alikes": []}', id="a_list")])
def test_where_the_model_fails_the_known_ones_serve(text, tmp_path):
    with language_server(lambda request, n: text) as server:
        annotators = tools_for(server.url, tmp_path)
        assert hard_negative_names.hard_negatives_for(["dog"], annotators) == hard_negative_names.hard_negatives_for(
            ["dog"], Annotators()
        )
    assert len(server.requests) == 2


def test_without_a_model_the_table_and_siblings_serve():
    found = hard_negative_names.hard_negatives_for(["tennis racket", "badminton racket", "racket", "zzz"], Annotators())
    assert "badminton racket" in found["tennis racket"]
    assert "racket" not in found["tennis racket"]
    assert found["zzz"] == []
    assert found["racket"] == hard_negative_names.known_hard_negatives("racket")
