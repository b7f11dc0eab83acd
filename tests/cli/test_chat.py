"""`deixis chat`: lines in, answers out; regions gather for the next question; mistakes end nothing."""

import io

import pytest

from deixis.cli.chat import Conversation
from deixis.inference import Model
from tests.toy import toy_network


@pytest.fixture
def talk(command, monkeypatch):
    """Runs `deixis chat FILES` on lines as if piped in; returns (exit code, stdout, stderr)."""

    def run(files, *lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return command("chat", *files)

    return run


@pytest.fixture
def conversation(bundled, scene, sound):
    return Conversation(bundled.chat(scene, sound))


def test_a_conversation_remembers_its_turns(talk, scene):
    code, out, err = talk([scene], "/box 33,329,143,434", "What is {0}?", "", "What colour is it?", "/quit", "never")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "{0} is box 33,329,143,434"
    assert len(out.splitlines()) >= 3


@pytest.mark.parametrize("word", ["quit", "exit", "Quit", "/quit", "/exit", "/EXIT"])
def test_words_that_end_it(talk, scene, word):
    assert talk([scene], word, "/never") == (0, "", "")


def test_the_end_of_the_input_is_quiet(talk, scene):
    assert talk([scene]) == (0, "", "")


def test_mistakes_are_one_sentence_and_end_nothing(talk, scene, tmp_path):
    lines = ["/box 1,2,3", "/fly", "/draw", f"/draw {tmp_path / 'a.png'}", "What is {3}?", "/box 1,2,9,9", "/regions"]
    code, out, err = talk([scene], *lines)
    assert (code, out) == (0, "{0} is box 1,2,9,9\n" * 2)
    said = err.splitlines()
    assert len(said) == 5
    assert all(line.startswith("deixis: ") for line in said)
    for part, line in zip(
        ["/box 1,2,3: expected", "/fly: unknown command", "name of an image", "no answer to draw yet", "{3}"],
        said,
        strict=True,
    ):
        assert part in line


def test_an_answer_is_drawn(talk, scene, tmp_path):
    code, out, _ = talk([scene], "Find the orange car.", f"/draw {tmp_path / 'a.png'}")
    assert code == 0
    assert out.splitlines()[-1] == f"drawn in {tmp_path / 'a.png'}"
    assert (tmp_path / "a.png").is_file()


def test_regions_are_kept_until_they_are_used(conversation):
    assert conversation.reply("/point 5,5") == ("{0} is point 5,5",)
    assert conversation.reply("/span 1,2") == ("{1} is span 1,2",)
    assert conversation.reply("/regions") == ["{0} is point 5,5 on scene.png", "{1} is span 1,2 on sound.wav"]
    with pytest.raises(ValueError, match="some of its regions"):
        conversation.reply("What is {0}?")
    assert len(conversation.regions) == 2
    conversation.reply("What is this?")
    assert conversation.regions == []
    assert conversation.chat.answers[0].question == "What is this {0} and {1}?"


def test_a_region_that_the_model_does_not_take_is_refused_at_once(toy, scene):
    network, processor = toy_network(toy[1].tokenizer, sampler={"type": None})
    chat = Conversation(Model(network, processor, "toy").chat(scene))
    with pytest.raises(ValueError, match="this model takes no regions; Ferret's models"):
        chat.reply("/box 1,2,9,9")
    assert chat.regions == []
    assert chat.reply("What?")  # the conversation continues


def test_regions_can_be_forgotten(conversation):
    conversation.reply("/point 5,5")
    assert conversation.reply("/clear") == ()
    assert conversation.reply("/regions") == ("no regions, see /help",)


def test_help_names_every_way_to_point(conversation):
    text = "\n".join(conversation.reply("/help"))
    assert all(f"/{name} " in text for name in ("point", "box", "scribble", "mask", "span", "box3d", "draw", "quit"))
    assert conversation.reply("/files")[1].startswith("@1  sound.wav, 6.9")


def test_interrupts_end_quietly(command, scene, monkeypatch):
    class Interrupted(io.StringIO):
        def readline(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert command("chat", scene) == (0, "", "")


def test_a_chat_about_nothing_is_refused(refused):
    assert "at least one file" in refused("chat")


def test_a_chat_about_a_missing_file_is_refused(refused):
    assert "no such file" in refused("chat", "none.png")


def test_on_a_terminal_the_text_comes_before_the_reply(bundled, scene, capsys):
    waits, streams = (Conversation(bundled.chat(scene), streams=streams) for streams in (False, True))
    for question in ("Mark the orange car.", "What is this?"):
        text, *regions = waits.reply(question)
        assert streams.reply(question) == regions
        assert capsys.readouterr().out == f"{text}\n"
    assert [a.raw for a in waits.chat.answers] == [a.raw for a in streams.chat.answers]
