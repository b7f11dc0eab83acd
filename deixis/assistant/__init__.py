"""What a person calls: load a model, ask about files, keep a conversation, get answers that point back."""

from deixis.assistant.answer import Answer, AnswerPhrase, Marked
from deixis.assistant.chat import Chat
from deixis.assistant.model import Model, load
from deixis.assistant.question import Decoding, Question
from deixis.assistant.scoring import Scored
from deixis.assistant.stream import Piece

__all__ = ["Answer", "AnswerPhrase", "Chat", "Decoding", "Marked", "Model", "Piece", "Question", "Scored", "load"]
