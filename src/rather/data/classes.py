"""Classes from what people write: an index, an identifier such as a WordNet id, or a name."""

import re
from difflib import get_close_matches

import torch

from rather.classifier import Classifier

LISTED = 12  # candidates that an error names


def resolve(text: str, classifier: Classifier) -> int:
    """Find the one class that is meant.

    A number is an index. Otherwise the first of these that fits decides: an identifier, a synonym,
    whole words of a synonym, the start of a word. Upper and lower case are one.

    Raises:
        ValueError: none is meant, and near names are told; or several, and all are told.
    """
    wanted = " ".join(text.split()).casefold()
    if not wanted:
        raise ValueError("no class is given; write an index, an identifier or a name")
    exact = _exact(wanted, classifier)
    if re.fullmatch(r"[+-]?[0-9]+", wanted) and not exact:
        return _in_range(int(wanted), classifier)
    stages = exact, _where(rf"\b{re.escape(wanted)}\b", classifier), _starting(wanted, classifier)
    found = next((stage for stage in stages if stage), [])
    if not found:
        raise ValueError(_unknown(text, wanted, classifier))
    if len(found) > 1:
        raise ValueError(_ambiguous(text, found, classifier))
    return found[0]


def synonyms(names: str) -> list[str]:
    """The names of one class, comparable: parted at commas, without case."""
    return [" ".join(name.split()).casefold() for name in names.split(",") if name.strip()]


def _exact(wanted: str, classifier: Classifier) -> list[int]:
    """Classes that an identifier, all of a synonym, or a number that is also a name, may mean."""
    by_id = [row for row, known in enumerate(classifier.ids) if known.casefold() == wanted]
    whole = ", ".join(synonyms(wanted)) if "," in wanted else ""
    by_name = [
        row
        for row, names in enumerate(classifier.names)
        if wanted in synonyms(names) or (whole and whole == ", ".join(synonyms(names)))
    ]
    also = [int(wanted)] if re.fullmatch(r"[0-9]+", wanted) and (by_id or by_name) else []
    rows = [row for row in also if row < len(classifier.names)]
    return sorted({*by_id, *by_name, *rows})


def _starting(wanted: str, classifier: Classifier) -> list[int]:
    return _where(rf"\b{re.escape(wanted)}", classifier)


def _where(pattern: str, classifier: Classifier) -> list[int]:
    look = re.compile(pattern)
    every = enumerate(classifier.names)
    return [row for row, names in every if any(look.search(name) for name in synonyms(names))]


def _in_range(index: int, classifier: Classifier) -> int:
    count = len(classifier.names) or len(classifier.ids) or _count(classifier)
    if not 0 <= index < count:
        raise ValueError(
            f"there is no class {index}: {classifier.name} knows {count}, numbered 0 to {count - 1}"
        )
    return index


def _count(classifier: Classifier) -> int:
    side = classifier.view.crop
    with torch.no_grad():
        return classifier(torch.full((1, 3, side, side), 0.5, device=classifier.device)).shape[1]


def _ambiguous(text: str, found: list[int], classifier: Classifier) -> str:
    listed = "; ".join(f"{row}: {classifier.names[row]}" for row in found[:LISTED])
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"{text!r} may mean {len(found)} classes: {listed}{more}. Give the index"


def _unknown(text: str, wanted: str, classifier: Classifier) -> str:
    if not classifier.names:
        return f"{classifier.name} has no class names, so {text!r} says nothing; give an index"
    rows = {name: row for row, names in enumerate(classifier.names) for name in synonyms(names)}
    near = [f"{rows[name]}: {name}" for name in get_close_matches(wanted, rows, 5, 0.5)]
    hint = f"near to it are {'; '.join(near)}" if near else "nothing is near to it"
    return f"no class of {classifier.name} is called {text!r}; {hint}. Give a name or an index"
