"""Imports every module of the installed package, and reports those that fail: what a bare install must be able to do.

python scripts/import_all.py
"""

import importlib
import pkgutil
import sys

import deixis


def failures() -> dict[str, str]:
    """Module name to error, of each module that cannot be imported."""
    failed = {}
    for module in pkgutil.walk_packages(deixis.__path__, "deixis."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            failed[module.name] = f"{type(error).__name__}: {error}"
    return failed


if __name__ == "__main__":
    failed = failures()
    for name, reason in failed.items():
        print(f"{name}: {reason}")
    sys.exit(f"{len(failed)} modules cannot be imported" if failed else 0)
