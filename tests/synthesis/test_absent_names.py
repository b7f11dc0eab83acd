"""Hard negatives of names by a language model; those of the table and of siblings are tested with the negatives."""

import json

import pytest

from deixis.synthesis.absent_names import generated_hard_negatives
from tests.language.language_server import language_server
from tests.synthesis.parts.written_parts import tools_for


def test_hard_negatives_that_may_name_the_object_are_skipped(tmp_path):
    generated = {
        "mug": ["Mugs", "coffee mug", "glass", "vase", 7, "a thing of many words here", "glass"],
        "traffic light": ["light"],
    }
    with language_server(lambda request, n: json.dumps({"look_alikes": generated})) as server:
        ask = tools_for(server.url, tmp_path).open("language", "negatives")
        assert generated_hard_negatives(["mug", "traffic light"], ask) == {"mug": ["glass", "vase"]}
    assert server.requests[0]["messages"][-1]["content"] == "mug\ntraffic light"


@pytest.mark.parametrize("text", [pytest.param("no", id="prose"), pytest.param('{"look_alikes": []}', id="a_list")])
def test_an_unusable_response_is_requested_once_more(text, tmp_path):
    with language_server(lambda request, n: text) as server:
        ask = tools_for(server.url, tmp_path).open("language", "negatives")
        assert generated_hard_negatives(["dog"], ask) == {}
    assert len(server.requests) == 2
