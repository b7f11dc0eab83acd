"""`Preset`: a whole configuration by name."""

from collections.abc import Callable
from dataclasses import dataclass

from deixis.checkpoints.terms import TERMS, Terms
from deixis.model import DeixisConfig
from deixis.model.tokenizers.pointmlp import PointMLPConfig


@dataclass(frozen=True)
class Preset:
    """system: a key of `TERMS`. config: makes the configuration. stands_on: the models it is made of."""

    system: str
    config: Callable[[], DeixisConfig | PointMLPConfig]
    stands_on: str

    @property
    def terms(self) -> Terms:
        return TERMS[self.system]
