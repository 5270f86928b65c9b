"""Every method by name: what the command line and records can build."""

from inspect import signature
from types import ModuleType
from typing import Any

from rather import editors, explainers, infillers, metrics


def _methods(home: ModuleType) -> dict[str, Any]:
    every = {name: getattr(home, name) for name in home.__all__}
    return {name: method for name, method in every.items() if isinstance(method, type)}


def _asking_for(argument: str, home: ModuleType) -> dict[str, Any]:
    """The methods of a folder whose call has such an argument; the others are parts of them."""
    found = _methods(home)
    calls = {name: signature(method.__call__) for name, method in found.items()}
    return {name: found[name] for name, call in calls.items() if argument in call.parameters}


EXPLAINERS = _asking_for("question", explainers)
INFILLERS = _asking_for("keep", infillers)
EDITORS = _asking_for("target", editors)
METRICS = {
    name: method
    for name, method in _methods(metrics).items()
    if hasattr(method, "higher_is_better")
}
METHODS = {
    name: method
    for home in (infillers, editors, explainers, metrics)
    for name, method in _methods(home).items()
}
PARTS = {
    name: method
    for name, method in METHODS.items()
    if not any(name in kind for kind in (EXPLAINERS, INFILLERS, EDITORS, METRICS))
}
