"""Classifiers by name; the libraries that they come from are imported when they are asked for."""

from rather.models.by_name import load

__all__ = ["load"]
