"""The scheduler: many clients at once have the answers of `Model.ask`, and whatever ends one job ends it alone."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from deixis.conversation import question_sample
from deixis.errors import UnsupportedError
from deixis.inference import GenerationOptions, Model, load
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.serving.refusals import DeadlineExceeded, QueueFull, ShuttingDown
from deixis.serving.scheduler import Scheduler
from deixis.signals import open_signal
from deixis.systems.pointmlp.classifier import CloudClassifier
from tests.checkpoints.checkpoints import POINTMLP_CONFIG
from tests.inference.conftest import EXAMPLES
from tests.inference.test_batches import same_or_tied
from tests.toy import toy_audio, toy_image

LONG = GenerationOptions(max_new_tokens=200)  # a toy network never ends an answer
SHORT = GenerationOptions(max_new_tokens=5)


@pytest.fixture(scope="module")
def bundled():
    return load(device="cpu")


@pytest.fixture
def model(toy):
    return Model(*toy, "toy")


@contextmanager
def scheduling(model, **limits):
    scheduler = Scheduler(model, **limits)
    try:
        yield scheduler
    finally:
        scheduler.close()


@contextmanager
def held(model):
    """Within the block, the model waits after its next step until the event that is given is set."""
    release, reached = threading.Event(), threading.Event()

    def wait(*_):
        reached.set()
        release.wait(30)

    hook = model.network.get_output_embeddings().register_forward_hook(wait)
    try:
        yield reached, release
    finally:
        release.set()
        hook.remove()


def asked(text="What is it?", *signals, **more):
    return question_sample(text, tuple(map(open_signal, signals or (toy_image(),))), **more)


async def all_of(job):
    return [event async for event in job]


async def outcome(job):
    """Its last answer, or the error that it raised, or None."""
    try:
        events = await all_of(job)
    except Exception as error:
        return error
    return events[-1].answer if events else None


def test_clients_at_once_have_the_answers_of_ask(bundled):
    """Twelve mixed questions, two of them in a form that the model would not choose, against each of them alone."""
    picture, sound, cloud = (open_signal(EXAMPLES / name) for name in ("scene.png", "sound.wav", "cloud.ply"))
    questions = [
        question_sample("Where is the orange car?", (picture,), want="mask"),
        question_sample("Mark the orange car.", (picture,), want="box"),
        question_sample("Mark the orange car.", (picture,)),
        question_sample("Find everything.", (picture,)),
        question_sample("When do you hear the bell?", (sound,)),
        question_sample("Mark the table.", (cloud,)),
    ]
    options = GenerationOptions()
    bundled.clear_cache()
    alone = [bundled.answer([question], **vars(options))[0] for question in questions]
    bundled.clear_cache()

    async def ask(scheduler):
        jobs = [scheduler.submit(question, options, stream=n < 6) for n, question in enumerate(questions * 2)]
        return jobs, await asyncio.gather(*map(all_of, jobs))

    with scheduling(bundled, batch_rows=5) as scheduler:
        jobs, events = asyncio.run(ask(scheduler))
        stats = scheduler.stats()
    for question, other, job, own in zip(questions * 2, alone * 2, jobs, events, strict=True):
        answer = own[-1].answer
        assert "".join(event.text for event in own if event.kind == "text") == answer.text
        assert [event.region for event in own if event.kind == "region"] == list(answer.regions)
        if answer.raw != other.raw:
            assert same_or_tied(bundled, question, answer, other)
        else:
            assert [replace(r, score=None) for r in answer.regions] == [replace(r, score=None) for r in other.regions]
        assert job.finish_reason == "stop"
        assert job.usage.completion_tokens > 1
        assert job.usage.prompt_tokens > bundled.processor.token_counts[question.signals[0].modality]
        assert 0 < job.first_token_s < job.seconds
    assert {region.form for region in events[0][-1].answer.regions} == {"mask"}
    assert {region.form for region in events[1][-1].answer.regions} == {"box"}
    assert stats.requests == {
        "stop": 12, "length": 0, "cancelled": 0, "deadline": 0, "error": 0, "refused": 0
    }  # fmt: skip
    assert stats.answers == stats.first_tokens == 12
    assert stats.generated_tokens >= sum(job.usage.completion_tokens for job in jobs)
    assert stats.prompt_tokens == sum(job.usage.prompt_tokens for job in jobs)
    assert stats.tokens_per_second > 0
    assert (stats.queue_length, stats.active_rows) == (0, 0)


def test_text_comes_while_the_answer_is_generated(bundled):
    sample = question_sample("Find everything.", (open_signal(EXAMPLES / "scene.png"),))

    async def ask(scheduler):
        job = scheduler.submit(sample, GenerationOptions(max_new_tokens=60))
        return [(event.kind, job.finish_reason) async for event in job]

    with scheduling(bundled) as scheduler:
        events = asyncio.run(ask(scheduler))
    assert events[0] == ("text", None)
    assert events[-1][0] == "answer"


def test_an_answer_that_reaches_its_limit_says_so(model):
    async def ask(scheduler):
        job = scheduler.submit(asked(), SHORT)
        return job, await outcome(job), await all_of(job)

    with scheduling(model) as scheduler:
        job, answer, more = asyncio.run(ask(scheduler))
    assert answer.raw == model.answer([asked()], 5)[0].raw
    assert (job.finish_reason, job.usage.completion_tokens) == ("length", 5)
    assert more == []  # an iteration that has ended stays ended


def test_what_one_question_raises_ends_it_alone(model):
    """A file that the model does not take, one that its encoder fails on, and two good questions beside them."""
    strange = asked("What is it?", toy_audio(seed=5))
    encode = model.network.encode_inputs

    def fail(inputs):
        if "audio" in inputs["signals"] and len(inputs["signals"]["audio"]):
            raise RuntimeError("the encoder failed")
        return encode(inputs)

    depth = question_sample("What is it?", (open_signal(np.ones((8, 8), np.float32), "depth"),))
    samples = [asked(), depth, strange, asked("Where?", toy_image(seed=2))]

    async def ask(scheduler):
        jobs = [scheduler.submit(sample, SHORT) for sample in samples]
        return await asyncio.gather(*map(outcome, jobs))

    with pytest.MonkeyPatch.context() as patch, scheduling(model) as scheduler:
        patch.setattr(model.network, "encode_inputs", fail)
        first, second, third, fourth = asyncio.run(ask(scheduler))
        stats = scheduler.stats()
    assert first.raw == model.answer([samples[0]], 5)[0].raw
    assert isinstance(second, UnsupportedError)
    assert str(third) == "the encoder failed"
    assert fourth.raw == model.answer([samples[3]], 5)[0].raw
    assert (stats.requests["length"], stats.requests["error"]) == (2, 2)


def test_a_step_that_fails_ends_the_batch_and_not_the_scheduler(model):
    async def ask(scheduler):
        with held(model) as (reached, release):
            job = scheduler.submit(asked(), LONG)
            await asyncio.to_thread(reached.wait)
            hook = model.network.language_model.register_forward_hook(_fail)
            decoder = model.network.language_model.get_decoder().register_forward_hook(_fail)
            release.set()
            failed = await outcome(job)
            hook.remove()
            decoder.remove()
        return failed, await outcome(scheduler.submit(asked(), SHORT))

    def _fail(*_):
        raise torch.OutOfMemoryError("no memory")

    with scheduling(model) as scheduler:
        failed, answer = asyncio.run(ask(scheduler))
    assert isinstance(failed, torch.OutOfMemoryError)
    assert answer.raw == model.answer([asked()], 5)[0].raw


def test_a_cancelled_question_leaves_and_the_others_stay(model):
    async def ask(scheduler):
        jobs = [scheduler.submit(asked(), LONG), scheduler.submit(asked("Where?"), replace(LONG, max_new_tokens=60))]
        waiting = scheduler.submit(asked("A mug?"), LONG)
        async for _ in jobs[0]:
            break
        jobs[0].cancel()
        waiting.cancel()
        waiting.cancel()
        return jobs, await asyncio.gather(outcome(jobs[0]), outcome(jobs[1]), outcome(waiting))

    with scheduling(model, batch_rows=2) as scheduler:
        jobs, (first, second, third) = asyncio.run(ask(scheduler))
        stats = scheduler.stats()
    assert first is third is None
    assert jobs[0].finish_reason is None
    assert 1 <= jobs[0].usage.completion_tokens < 200
    assert second.raw == model.answer([asked("Where?")], 60)[0].raw
    assert stats.requests["cancelled"] == 2


def test_a_full_queue_refuses_and_says_when_to_come_again(model):
    async def ask(scheduler):
        with held(model) as (reached, release):
            jobs = [scheduler.submit(asked(), SHORT)]
            await asyncio.to_thread(reached.wait)
            jobs += [scheduler.submit(asked(), SHORT) for _ in range(2)]
            with pytest.raises(QueueFull, match="at most 2 requests to wait") as caught:
                scheduler.submit(asked(), SHORT)
            release.set()
        return caught.value, await asyncio.gather(*map(outcome, jobs))

    with scheduling(model, queue_size=2, batch_rows=1) as scheduler:
        full, answers = asyncio.run(ask(scheduler))
        stats = scheduler.stats()
    assert full.retry_after_s >= 1
    assert len({answer.raw for answer in answers}) == 1
    assert (stats.requests["refused"], stats.requests["length"]) == (1, 3)


def test_a_question_past_its_deadline_ends(model):
    """One while it is answered, one while it waits."""

    async def ask(scheduler):
        with held(model) as (reached, release):
            jobs = [scheduler.submit(asked(), LONG, deadline_s=0.05) for _ in range(2)]
            await asyncio.to_thread(reached.wait)
            await asyncio.sleep(0.06)
            release.set()
        return await asyncio.gather(*map(outcome, jobs))

    with scheduling(model, batch_rows=1) as scheduler:
        errors = asyncio.run(ask(scheduler))
        assert scheduler.stats().requests["deadline"] == 2
    assert all(isinstance(error, DeadlineExceeded) for error in errors)


def test_tokens_of_a_batch_are_bounded(model):
    """Each question may need 72 tokens or so, and two of them more than 100."""
    seen = []

    async def ask(scheduler):
        jobs = [scheduler.submit(asked(), replace(SHORT, max_new_tokens=60)) for _ in range(3)]
        while any(job.seconds is None for job in jobs):
            seen.append(scheduler.stats().active_rows)
            await asyncio.sleep(0.001)
        return await asyncio.gather(*map(outcome, jobs))

    with scheduling(model, batch_tokens=100) as scheduler:
        answers = asyncio.run(ask(scheduler))
        assert max(seen) == 1
        big = asyncio.run(_alone(scheduler))
    assert len({answer.raw for answer in answers}) == 1
    assert big.raw == model.answer([asked()], 200)[0].raw


async def _alone(scheduler):
    return await outcome(scheduler.submit(asked(), LONG))  # more than the batch may hold: alone


def test_draining_finishes_what_was_accepted(model):
    async def ask(scheduler):
        jobs = [scheduler.submit(asked(), replace(SHORT, max_new_tokens=30)) for _ in range(3)]
        drained = asyncio.create_task(asyncio.to_thread(scheduler.drain, 60))
        while not scheduler._is_draining:
            await asyncio.sleep(0.001)
        with pytest.raises(ShuttingDown, match="shutting down"):
            scheduler.submit(asked(), SHORT)
        return await drained, [await outcome(job) for job in jobs]

    with scheduling(model, batch_rows=2) as scheduler:
        drained, answers = asyncio.run(ask(scheduler))
    assert drained
    assert all(answer is not None for answer in answers)


def test_closing_ends_what_is_not_answered(model):
    async def ask(scheduler):
        with held(model) as (reached, release):
            jobs = [scheduler.submit(asked(), LONG) for _ in range(2)]
            await asyncio.to_thread(reached.wait)
            assert not scheduler.drain(0.01)
            release.set()
            scheduler.close()
        return await asyncio.gather(*map(outcome, jobs))

    with scheduling(model, batch_rows=1) as scheduler:
        assert asyncio.run(ask(scheduler)) == [None, None]
        assert not scheduler._thread.is_alive()


def test_a_client_that_is_gone_disturbs_nobody(model):
    """Its event loop is closed while it is answered."""

    async def leave(scheduler):
        scheduler.submit(asked(), replace(LONG, max_new_tokens=20))

    with scheduling(model) as scheduler:
        asyncio.run(leave(scheduler))
        assert asyncio.run(_alone(scheduler)).raw == model.answer([asked()], 200)[0].raw


def test_a_classifier_is_scheduled_too(tmp_path):
    CloudClassifier(PointMLP(PointMLPConfig.of(POINTMLP_CONFIG)), tuple("abcde")).save(tmp_path / "model")
    classifier = load(tmp_path / "model", "cpu")
    cloud = question_sample("What is it?", (open_signal(EXAMPLES / "cloud.ply"),))

    async def ask(scheduler):
        jobs = [scheduler.submit(cloud, SHORT), scheduler.submit(asked(), SHORT)]
        return await asyncio.gather(*map(outcome, jobs))

    with scheduling(classifier) as scheduler:
        answer, refused = asyncio.run(ask(scheduler))
    assert answer.text == classifier.answer([cloud])[0].text
    assert isinstance(refused, UnsupportedError)
