"""Load a model, ask about files, hold a conversation, get answers that point back."""

from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.generation_options import GenerationOptions
from deixis.inference.model import Chat, Model, load
from deixis.inference.stream import StreamEvent
from deixis.inference.teacher_forcing import Scored

__all__ = ["Answer", "AnswerPhrase", "Chat", "GenerationOptions", "Model", "Scored", "StreamEvent", "load"]
