"""Optional packages: imported where they are needed, with the remedy where they are missing."""

import importlib
from typing import Any


def need(module: str, extra: str, what: str) -> Any:
    """Import a package of one of rather's extras.

    Raises:
        ImportError: it is not installed; the message holds the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what} needs the package {module.split('.')[0]!r}, which is not installed: "
            f"pip install 'rather[{extra}]'"
        ) from error
