"""Every method by name: what the command line and records can build."""

from typing import Any

from rather import editors, explainers, infillers, metrics

METHODS: dict[str, Any] = {
    name: getattr(folder, name)
    for folder in (infillers, editors, explainers, metrics)
    for name in folder.__all__
    if isinstance(getattr(folder, name), type)
}
