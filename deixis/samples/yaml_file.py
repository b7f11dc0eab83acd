"""A YAML file as plain values; what is wrong with it is said with its line. It knows no recipe."""

from pathlib import Path
from typing import Any

import yaml

from deixis.errors import ConfigError


def read_yaml(path: str | Path) -> Any:
    """The values in a YAML file. Raises ConfigError, one sentence with file and line, for a file that is no YAML."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise ConfigError(f"{path}{line}: expected YAML; {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected YAML; {str(error).splitlines()[0]}") from None
