"""The command line, thin: one file per verb, and one place where errors become sentences.

Knows the other rooms only inside its functions, so that `deixis --help` answers at once.
"""

from deixis.cli.app import main

__all__ = ["main"]
