"""Reading sentencepiece models: the same pieces as the library, and one sentence for other files."""

import pytest
import sentencepiece

from deixis.checkpoints.pieces import BPE, BYTE, NORMAL, read_pieces
from tests.checkpoints.checkpoints import sentencepiece_model


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello, I am text\n", id="text"),
        pytest.param(b"\x0a\xff\xff\xff\xff\x7f", id="length_past_the_end"),
        pytest.param(b"\x80" * 40, id="number_without_end"),
        pytest.param(b"\x0a\x03\x15\x00\x00", id="piece_without_text"),
        pytest.param(b'{"model": {}}', id="json"),
    ],
)
def test_other_files_are_one_sentence(tmp_path, content):
    file = tmp_path / "tokenizer.model"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer '.*': expected a sentencepiece model, got a file that is none"):
        read_pieces(file)


def test_the_pieces_are_those_of_the_library(tmp_path):
    file = tmp_path / "tokenizer.model"
    file.write_bytes(sentencepiece_model())
    model, library = read_pieces(file), sentencepiece.SentencePieceProcessor(str(file))
    assert list(model.texts) == [library.id_to_piece(n) for n in range(len(library))]
    assert list(model.scores) == [library.get_score(n) for n in range(len(library))]
    assert [n for n, kind in enumerate(model.types) if kind == BYTE] == [
        n for n in range(len(library)) if library.is_byte(n)
    ]
    assert (model.unk_id, model.bos_id, model.eos_id) == (0, 1, 2)
    assert (model.algorithm, model.byte_fallback, model.plain) == (BPE, True, True)
    assert NORMAL in model.types
