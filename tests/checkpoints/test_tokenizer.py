"""Tokenizers of published checkpoints: the ids of the slow tokenizer they were trained with, on every text."""

import json
import random
import re

import pytest
import sentencepiece
from transformers import AutoTokenizer

from deixis.checkpoints.tokenizer import find_tokenizer, read_tokenizer
from deixis.errors import CheckpointError
from deixis.model.generated import generated_text
from tests.checkpoints.checkpoints import VOCABULARY, sentencepiece_model, write_tokenizer
from tests.parity.slow_text import published_text

ADDED = ("[SEG]", "<im_start>", "<im_end>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(path, ADDED)
    return path


def pieces(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))


def slow_ids(library, text, added, controls=("<s>", "</s>", "<unk>")):
    """Ids of transformers 4.31's slow, legacy LlamaTokenizer, from sentencepiece and its rules for added tokens."""
    parts = [part for part in re.split("(" + "|".join(map(re.escape, (*added, *controls))) + ")", text) if part]
    for place, part in enumerate(parts):
        if part in added:
            for beside, strip in ((place - 1, str.rstrip), (place + 1, str.lstrip)):
                if 0 <= beside < len(parts) and parts[beside] not in (*added, *controls):
                    parts[beside] = strip(parts[beside])
    ids = []
    for part in parts:
        if part in added:
            ids.append(added[part])
        else:
            ids += [library.piece_to_id(part)] if part in controls else library.encode(part)
    return ids


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("\u4f60".encode(), "\u4f60", id="sound"),
        pytest.param("\u4f60".encode() + b"\xff", "\u4f60\ufffd", id="a_character_before"),
        pytest.param(b"\xff" + "\u4f60".encode(), "\ufffd\u4f60", id="a_character_behind"),
        pytest.param(b"\xe4\xbd", "\ufffd\ufffd", id="cut_short"),
        pytest.param(b"\xe4\xbd\xe4\xbd\xa0", "\ufffd\ufffd\u4f60", id="cut_short_before_a_character"),
        pytest.param(b"\xed\xa0\x80\xc0\xaf", "\ufffd" * 5, id="surrogate_and_overlong"),
    ],
)
def test_bytes_are_decoded_as_the_official_code_does(folder, raw, text):
    tokenizer = read_tokenizer(folder / "tokenizer.model", ADDED, 323, ())
    library = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    ids = tokenizer.convert_tokens_to_ids([f"<0x{byte:02X}>" for byte in raw])
    assert generated_text(tokenizer, ids) == text == library.decode(ids)
    beside = [*library.encode("the red"), *ids, tokenizer.convert_tokens_to_ids("[SEG]"), *ids]
    assert generated_text(tokenizer, beside).replace("[SEG]", " [SEG] ") == published_text(tokenizer, beside)


def changed(tmp_path, folder, **files):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_text(content)
    return tmp_path / "tokenizer.model"


@pytest.mark.parametrize(
    ("files", "whole", "size", "match"),
    [
        pytest.param(
            {"added_tokens__json": "{}"},
            ("[SEG]",),
            323,
            r"expected the special token \[SEG\] among its 320, got none",
            id="without_the_special_tokens",
        ),
        pytest.param({}, (), 400, "expected 400 tokens, as many as rows of the embeddings, got 323", id="another_size"),
        pytest.param(
            {"added_tokens__json": json.dumps({"[SEG]": 320, "<im_start>": 322})},
            ("[SEG]",),
            323,
            "to follow on from 320 without a gap, got 322 for <im_start>",
            id="gap_in_the_ids",
        ),
        pytest.param({"added_tokens__json": "[1]"}, (), 323, "expected a JSON object, got something else", id="list"),
        pytest.param({"added_tokens__json": "{"}, (), 323, "expected a JSON object, got something else", id="no_json"),
    ],
)
def test_a_bad_tokenizer_is_one_sentence(tmp_path, folder, files, whole, size, match):
    with pytest.raises(ValueError, match=match) as caught:
        read_tokenizer(changed(tmp_path, folder, **files), whole, size, ())
    assert "\n" not in str(caught.value)


def as_a_piece(saved):
    """[SEG] among the pieces, which no merge makes."""
    saved["added_tokens"] = [token for token in saved["added_tokens"] if token["content"] != "[SEG]"]
    saved["model"]["vocab"]["[SEG]"] = 320


def matched_late(saved):
    """[SEG] looked for after spaces were made pieces: found behind one, and nowhere else."""
    for token in saved["added_tokens"]:
        token["normalized"] = token["content"] == "[SEG]"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(as_a_piece, r"got it split: '\[SEG\]' becomes \[\d+, ", id="letters"),
        pytest.param(matched_late, r"got it split: 'a\[SEG\]b' becomes", id="within_a_word"),
    ],
)
def test_a_tokenizer_that_splits_seg_is_refused(tmp_path, folder, change, match):
    whole = read_tokenizer(folder / "tokenizer.model", ("[SEG]",), 323, ())
    saved = json.loads(whole.backend_tokenizer.to_str())
    change(saved)
    (tmp_path / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"expected \[SEG\] as the one id 320, " + match):
        read_tokenizer(tmp_path / "tokenizer.json", ("[SEG]",), 323, ())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param("{}", "expected a tokenizer.json, got a file that cannot be read", id="empty"),
        pytest.param(
            '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', "expected LLaMA's <s>, </s>", id="family"
        ),
    ],
)
def test_another_tokenizer_json_is_refused(tmp_path, content, match):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=match):
        read_tokenizer(tmp_path / "tokenizer.json", (), 1, ())


@pytest.mark.parametrize("part", ["normalizer", "decoder"])
def test_a_tokenizer_json_that_would_fill_the_memory_is_refused(tmp_path, folder, part):
    saved = json.loads(read_tokenizer(folder / "tokenizer.model", (), 323, ()).backend_tokenizer.to_str())
    doubling = {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}
    saved[part] = {"type": "Sequence", f"{part}s": [doubling] * 40}
    (tmp_path / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(CheckpointError, match=rf"^tokenizer '.*tokenizer.json': .*{part}: expected replacements"):
        read_tokenizer(tmp_path / "tokenizer.json", (), 323, ())


def test_another_kind_of_sentencepiece_model_is_refused(tmp_path, folder):
    data = sentencepiece_model().replace(b"identity", b"nmt_nfkc")
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(ValueError, match="expected a sentencepiece model like LLaMA's"):
        read_tokenizer(tmp_path / "tokenizer.model", (), VOCABULARY, ())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" ", ["▁", "▁"], id="a_space_has_one_before_it"),
        pytest.param("[SEG].", ["[SEG]", "▁", "."], id="text_after_is_encoded_afresh"),
        pytest.param("[SEG] [SEG]", ["[SEG]", "[SEG]"], id="space_between"),
        pytest.param("[SEG]  \n ", ["[SEG]"], id="white_space_after_is_gone"),
        pytest.param("<s> [SEG]", ["<s>", "[SEG]"], id="control_then_added"),
        pytest.param("</s> </s>", ["</s>", "▁", "▁", "</s>"], id="controls_keep_spaces"),
        pytest.param("☃", ["▁", "<0xE2>", "<0x98>", "<0x83>"], id="bytes"),
    ],
)
def test_edges_of_added_tokens(folder, text, tokens):
    tokenizer = read_tokenizer(folder / "tokenizer.model", ADDED, 323, ("<image>",))
    assert pieces(tokenizer, text) == tokens
    assert tokenizer(text)["input_ids"][0] == 1


def test_thousands_of_texts_give_the_slow_tokenizers_ids(folder, tmp_path):
    library = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    added = {token: VOCABULARY + n for n, token in enumerate(ADDED)}
    read_tokenizer(folder / "tokenizer.model", ADDED, 323, ("<image>",)).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)  # as a converted folder is opened
    chance = random.Random(0)
    letters = [
        *"abcde▁  \n\t.,:[]<>SEG01é☃漢😀\u3000\u200b\x00",
        "the ",
        " quick",
        "</s>",
        "<s>",
        "<unk>",
        *ADDED,
        *ADDED,
    ]
    for _ in range(3000):
        text = "".join(chance.choices(letters, k=chance.randrange(25)))
        assert tokenizer.encode(text, add_special_tokens=False) == slow_ids(library, text, added), repr(text)


def test_described_tokens_keep_their_spaces(tmp_path, folder):
    described = {"pad_token": {"content": "<im_start>", "lstrip": False, "rstrip": False}, "unk_token": "<unk>"}
    file = changed(tmp_path, folder, special_tokens_map__json=json.dumps(described))
    tokenizer = read_tokenizer(file, ADDED, 323, ())
    assert pieces(tokenizer, "a <im_start> b") == ["▁a", "▁", "<im_start>", "▁", "▁", "b"]
    assert pieces(tokenizer, "a <unk> b") == ["▁a", "<unk>", "▁", "b"]


def test_placeholders_lie_behind_the_vocabulary(folder):
    tokenizer = read_tokenizer(folder / "tokenizer.model", ADDED, 323, ("<image>", "<audio>"))
    assert tokenizer.convert_tokens_to_ids(["<image>", "<audio>"]) == [323, 324]
    assert (tokenizer.padding_side, tokenizer.pad_token_id) == ("left", 0)


def test_the_slow_tokenizers_file_comes_first(folder, tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    assert find_tokenizer(tmp_path) == tmp_path / "tokenizer.json"
    (tmp_path / "tokenizer.model").write_bytes(b"")
    assert find_tokenizer(tmp_path) == tmp_path / "tokenizer.model"
    assert find_tokenizer(folder / "tokenizer.model") == folder / "tokenizer.model"


@pytest.mark.parametrize(
    ("name", "file", "whole"),
    [
        pytest.param("ferret_tiny", "model_cases.json", ("<region_fea>", "<im_start>", "<im_end>"), id="ferret"),
        pytest.param("lisa_tiny", "units.json", ADDED, id="lisa"),
    ],
)
def test_recorded_cases_of_the_official_tokenizer(shared_golden, name, file, whole):
    cases = json.loads((shared_golden / name / file).read_text())["tokenizer"]
    tokenizer = read_tokenizer(shared_golden / name / "tokenizer.model", whole, 603, ("<image>",))
    assert len(cases) > 10
    for case in cases:
        assert tokenizer(case["text"])["input_ids"] == case["ids"], case["text"]
