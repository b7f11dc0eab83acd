"""The API as the official `openai` client and ours use it, on a real server and the bundled model."""

import base64
import json
import urllib.request
from dataclasses import replace

import numpy as np
import openai
import pytest

import deixis
from deixis.errors import InputError, UnsupportedError
from deixis.inference import Model
from deixis.signals import open_signal
from tests.serving.conftest import SCENE, serving
from tests.toy import toy_network, toy_tokenizer

MUG = [33, 329, 143, 434]


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


@pytest.fixture(scope="module")
def name(client):
    return client.models.list().data[0].id


def part(kind: str = "file", **fields) -> dict:
    return {"type": kind, **fields}


def data_url() -> str:
    return "data:image/png;base64," + base64.b64encode(SCENE.read_bytes()).decode()


def question(words: str, *parts: dict) -> list[dict]:
    return [{"role": "user", "content": [*parts, {"type": "text", "text": words}]}]


IMAGE = part("image_url", image_url={"url": data_url()})


def test_the_openai_client_asks_about_a_region_and_gets_the_answer_of_the_model(client, name, server):
    region = part("region", signal=0, box_xyxy=MUG)
    reply = client.chat.completions.create(model=name, messages=question("What is {0}?", IMAGE, region))
    expected = server.model.ask("What is {0}?", str(SCENE), regions=[deixis.Box(*MUG)])
    choice = reply.choices[0]
    assert (choice.message.content, choice.finish_reason) == (expected.text, "stop")
    assert choice.message.warnings == list(expected.warnings)
    assert reply.usage.prompt_tokens > 70
    assert 0 < reply.usage.completion_tokens < 20


def test_regions_come_back_with_unit_and_phrase(client, name, server):
    reply = client.chat.completions.create(model=name, messages=question("Where is the orange car?", IMAGE))
    message = reply.choices[0].message
    (expected,) = server.model.ask("Where is the orange car?", str(SCENE)).regions
    (region,) = message.regions
    assert region["box_xyxy"] == pytest.approx(expected.box, rel=1e-6)
    assert (region["signal"], region["unit"]) == (0, "px")
    assert message.content[region["start"] : region["end"]] == region["phrase"] == "The orange car"


def test_masks_come_back_as_run_lengths_of_the_file(client, name):
    reply = client.chat.completions.create(model=name, messages=question("Mark the orange car.", IMAGE))
    (region,) = reply.choices[0].message.regions
    assert region["mask"]["size"] == [512, 512]
    assert deixis.Region(mask=region["mask"]).mask_array.mean() > 0.01


def test_a_stream_gives_the_same_text_and_regions_piece_by_piece(client, name):
    messages = question("Describe the picture with boxes.", IMAGE)
    whole = client.chat.completions.create(model=name, messages=messages).choices[0].message
    stream = client.chat.completions.create(
        model=name, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    *events, last = list(stream)
    deltas = [event.choices[0].delta for event in events]
    texts = [delta.content for delta in deltas if delta.content]
    regions = [own for delta in deltas for own in (getattr(delta, "regions", None) or [])]
    assert "".join(texts) == whole.content
    assert len(texts) > 3
    assert regions == whole.regions
    assert events[-1].choices[0].finish_reason == "stop"
    assert last.usage.completion_tokens > len(texts)


def test_an_answer_is_sent_back_and_the_next_question_refers_to_it(client, name):
    messages = question("Where is the orange car?", IMAGE)
    reply = client.chat.completions.create(model=name, messages=messages).choices[0].message
    messages += [reply.model_dump(), {"role": "user", "content": "What colour is it?"}]
    assert client.chat.completions.create(model=name, messages=messages).choices[0].message.content == "Orange."


def test_files_are_sent_listed_read_and_deleted(client, name):
    sent = client.files.create(file=SCENE, purpose="user_data")
    assert sent.signal == {"kind": "image", "size_hw": [512, 512]}
    assert sent.id in [own.id for own in client.files.list().data]
    assert client.files.content(sent.id).read() == SCENE.read_bytes()
    asked = question("Is there a car?", part(file={"file_id": sent.id}))
    assert client.chat.completions.create(model=name, messages=asked).choices[0].message.content == "Yes."
    assert client.files.delete(sent.id).deleted
    with pytest.raises(openai.NotFoundError, match="there is none"):
        client.files.retrieve(sent.id)


@pytest.mark.parametrize(
    ("parts", "status", "sentence"),
    [
        pytest.param([part(file={"file_id": "file-x"})], 404, "there is none", id="unknown-file"),
        pytest.param([part("image_url", image_url={"url": "/etc/passwd"})], 400, "expected a data: URL", id="path"),
        pytest.param(
            [part("image_url", image_url={"url": "file:///etc/passwd"})], 400, "expected a data: URL", id="file-url"
        ),
        pytest.param(
            [part("image_url", image_url={"url": "https://127.0.0.1/a.png"})],
            400,
            "expected a data: URL",
            id="remote-url",
        ),
        pytest.param(
            [part("image_url", image_url={"url": "data:image/png;base64,AAAA"})],
            400,
            "expected an image",
            id="no-image",
        ),
        pytest.param(
            [part("image_url", image_url={"url": "data:image/png,AAAA"})], 400, "TYPE;base64,DATA", id="not-base64"
        ),
        pytest.param(
            [part(file={"file_data": "?", "filename": "a.png"})], 400, "expected a file in base64", id="bad-base64"
        ),
        pytest.param([IMAGE, part("region", box_xyxy=[0, 0, 1, 9000])], 400, "lies outside its image", id="outside"),
        pytest.param([IMAGE, part("region", span_s=[0, 1])], 400, "Span", id="span-on-an-image"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_in_both_ways_to_ask(client, name, parts, status, sentence):
    for stream in (False, True):
        with pytest.raises(openai.APIStatusError) as refused:
            client.chat.completions.create(model=name, messages=question("What is this?", *parts), stream=stream)
        assert refused.value.status_code == status
        assert sentence in refused.value.body["message"]
        assert str(SCENE.parent) not in refused.value.body["message"]


def test_too_large_and_empty_files_are_refused(client):
    with pytest.raises(openai.APIStatusError, match="expected a file of at most 3 MB") as refused:
        client.files.create(file=("a.png", b"x" * 4_000_001), purpose="user_data")
    assert refused.value.status_code == 413
    with pytest.raises(openai.BadRequestError, match="got an empty one"):
        client.files.create(file=("a.png", b""), purpose="user_data")


def test_another_model_and_an_unknown_path_are_404(client):
    with pytest.raises(openai.NotFoundError, match="model: expected 'deixis-tiny"):
        client.chat.completions.create(model="gpt", messages=question("a", IMAGE))
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.embeddings.create(model="a", input="b")


def test_health_and_readiness_and_the_document(server):
    for path, key in (("/healthz", "status"), ("/readyz", "status"), ("/openapi.json", "paths")):
        with urllib.request.urlopen(server.url + path) as reply:
            assert key in json.loads(reply.read())


SIGNALS = ("image", "audio", "point_cloud")


@pytest.mark.parametrize("modality", [pytest.param(name, id=name) for name in SIGNALS])
def test_our_client_gives_the_answers_of_the_model(server, modality):
    from deixis.geometry.markup import named_regions
    from deixis.world.generate import question_rng, sample_questions_about, world_facts

    client = deixis.Client(server.url)
    facts = world_facts("test", 3, modality)
    medium = facts.parts[0].medium
    values = (medium.values, medium.rate_hz) if modality == "audio" else medium.values
    signal = open_signal(values, modality)
    for sample in sample_questions_about(facts, question_rng("test", 3, modality), 4):
        asked, named = sample.turns[0].user, named_regions(sample.turns[0].user)
        for new, old in enumerate(named):
            asked = asked.replace(f"{{{old}}}", f"{{{new}}}")
        regions = [sample.regions[number] for number in named]
        expected, answer = server.model.ask(asked, signal, regions=regions), client.ask(asked, signal, regions=regions)
        assert (answer.text, answer.warnings) == (expected.text, expected.warnings)
        assert [own.phrase for own in answer.regions] == [own.phrase for own in expected.regions]
        for own, other in zip(answer.regions, expected.regions, strict=True):
            assert own.form == other.form
            if own.form in ("box", "span"):
                assert getattr(own, own.form) == pytest.approx(getattr(other, own.form), rel=1e-5)
            else:
                assert replace(own, score=None) == replace(other, score=None)  # scores have four decimals in JSON
                assert own.score == pytest.approx(other.score, abs=1e-4)
        *events, last = client.stream(asked, signal, regions=regions)
        assert last.answer is not None
        assert last.answer.text == "".join(event.text for event in events if event.kind == "text") == expected.text


def test_our_client_says_what_the_server_says(server):
    client = deixis.Client(server.url)
    with pytest.raises(InputError, match="lies outside its image"):
        client.ask("What is {0}?", str(SCENE), regions=[deixis.Box(0, 0, 9000, 1)])
    with (
        serving(Model(*toy_network(toy_tokenizer()), "toy")) as limited,
        pytest.raises(UnsupportedError, match="this model takes image, audio, point_cloud"),
    ):
        deixis.Client(limited.url).ask("What moves?", open_signal(np.full((8, 8, 3), 3**-0.5, np.float32), "normal"))
    with pytest.raises(ConnectionError):
        deixis.Client("http://127.0.0.1:9").ask("What?", str(SCENE))
    with pytest.raises(InputError, match="url: expected the address"):
        deixis.Client("127.0.0.1")
