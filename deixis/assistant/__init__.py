"""What a person calls: load a model, ask about files, keep a conversation, get answers that point back."""

from deixis.assistant.answer import Answer, AnswerPhrase, Marked
from deixis.assistant.chat import Chat
from deixis.assistant.model import Model, Question, load

__all__ = ["Answer", "AnswerPhrase", "Chat", "Marked", "Model", "Question", "load"]
