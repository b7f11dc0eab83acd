"""What a person calls: load a model, ask about files, keep a conversation, get answers that point back."""

from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.chat import Chat
from deixis.inference.model import Model, load
from deixis.inference.question import Decoding, Question
from deixis.inference.stream import Piece
from deixis.inference.teacher_forcing import Scored

__all__ = ["Answer", "AnswerPhrase", "Chat", "Decoding", "Model", "Piece", "Question", "Scored", "load"]
