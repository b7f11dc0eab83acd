"""Questions that a model does not support are refused in one sentence that names the models that do."""

import pytest

from deixis.conversation import question_sample
from deixis.geometry import Box
from deixis.inference import Model
from deixis.inference.abilities import check_abilities
from deixis.signals import open_signal
from deixis.systems import NOTATIONS
from tests.toy import toy_audio, toy_config, toy_image, toy_network, toy_tokenizer

PICTURE, SOUND = open_signal(toy_image()), open_signal(toy_audio())
BOX = (Box(1, 2, 20, 20),)


TOKENIZER = toy_tokenizer()
NOWHERE, NO_MASKS = {"type": None}, {"backbone": None}
LISA = toy_config(TOKENIZER, notation=NOTATIONS["lisa"], sampler=NOWHERE)
ONELLM = toy_config(TOKENIZER, notation=NOTATIONS["onellm"], sampler=NOWHERE, pointing=NO_MASKS)
PICTURES = toy_config(TOKENIZER, audio=None, point_cloud=None)
ALONE = toy_config(TOKENIZER, notation={"region_token": "", "region_coordinates": True}, sampler=NOWHERE)
FERRET = toy_config(TOKENIZER, notation=NOTATIONS["ferret"], pointing=NO_MASKS)


@pytest.mark.parametrize(
    ("model", "question", "sentence"),
    [
        pytest.param(LISA, question_sample("{0}?", (PICTURE,), BOX), "takes no regions; Ferret", id="region_to_lisa"),
        pytest.param(
            ONELLM,
            question_sample("{0}?", (PICTURE,), BOX),
            "takes no regions; Ferret",
            id="region_to_onellm",
        ),
        pytest.param(PICTURES, question_sample("?", (PICTURE, SOUND)), "takes image; got audio.*OneLLM", id="sound"),
        pytest.param(
            FERRET, question_sample("?", (PICTURE,), want="mask"), "with no mask; LISA", id="mask_from_ferret"
        ),
        pytest.param(ONELLM, question_sample("?", (PICTURE,), want="box"), "with no box; Ferret", id="box_from_onellm"),
        pytest.param(
            FERRET, question_sample("?", (PICTURE,), want="film"), "expected one of text, box, mask", id="unknown"
        ),
    ],
)
def test_what_a_model_lacks(model, question, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        check_abilities(question, model.abilities)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("model", "question"),
    [
        pytest.param(LISA, question_sample("?", (PICTURE,), want="mask"), id="mask_from_lisa"),
        pytest.param(FERRET, question_sample("{0}?", (PICTURE,), BOX, want="box"), id="box_from_ferret"),
        pytest.param(ALONE, question_sample("{0}?", (PICTURE,), BOX), id="a_region_by_its_coordinates"),
        pytest.param(ONELLM, question_sample("?", (PICTURE,), want="text"), id="text_from_any"),
    ],
)
def test_what_a_model_can(model, question):
    check_abilities(question, model.abilities)


def test_a_network_without_regions_refuses_them_before_it_looks():
    network, processor = toy_network(toy_tokenizer(), sampler=NOWHERE, pointing=NO_MASKS)
    model = Model(network, processor, "toy")
    with pytest.raises(ValueError, match="this model takes no regions"):
        model.ask("What is {0}?", toy_image(), regions=BOX)
    with pytest.raises(ValueError, match="with no mask"):
        model.ask("Where?", toy_image(), want="mask")
    assert len(model.engine.cache) == 0
    assert model.ask("What?", toy_image(), max_new_tokens=4).masks == []
