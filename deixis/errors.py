"""The errors that are somebody else's to mend: each message is one sentence that says what to change.

Every class is a `ValueError` too, so `except ValueError` goes on working. Whatever else is raised is a bug of Deixis:
nothing may take it for an answer, a skipped sample or a mistake of the user.
"""


class DeixisError(ValueError):
    """One sentence naming the field, what was expected, what came, and the likely cause. The CLI exits with 2."""


class InputError(DeixisError):
    """A question, file, region or option that cannot be used."""


class DataError(DeixisError):
    """A data set, annotation file or sample that cannot be read or does not fit its signals."""


class ConfigError(DeixisError):
    """A configuration or recipe with an unknown, missing or contradictory field."""


class CheckpointError(DeixisError):
    """Weights that are missing, damaged, unsafe to load, or of another system or size."""


class UnsupportedError(DeixisError):
    """Something that this model, device or installation cannot do; the message says what can."""
