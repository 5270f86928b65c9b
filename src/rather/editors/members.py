"""Which images of a bank belong to a class: by the classifier's own answer, or by their labels."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from rather.classifier import Classifier
from rather.infillers.bank import Bank
from rather.types import Labels

ANSWERS: WeakKeyDictionary[Classifier, dict[str, Labels]] = WeakKeyDictionary()
PROBES = 4  # bank images by whose logits a classifier that was changed in place is noticed


def members(classifier: Classifier, bank: Bank, label: int, labels: Labels | None) -> Tensor:
    """Rows of the bank that are of a class.

    Raises:
        ValueError: there are none.
    """
    known = answers(classifier, bank) if labels is None else labels
    rows = (known == label).nonzero()[:, 0]
    if not len(rows):
        counts = ", ".join(map(str, known.unique().tolist()))
        raise ValueError(
            f"none of the {len(bank)} images of the bank is of class {label}, only of {counts}; "
            "give a bank that holds the class that is wanted"
        )
    return rows


def answers(classifier: Classifier, bank: Bank) -> Labels:
    """What a classifier says of every image of a bank; asked once for each pair of the two."""
    rows = torch.arange(min(PROBES, len(bank)))
    key = f"{bank!r} {_logits(classifier, bank, rows).tolist()}"
    known = ANSWERS.setdefault(classifier, {})
    if key not in known:
        parts = torch.arange(len(bank)).split(classifier.batch)
        said = [_logits(classifier, bank, part).argmax(1).cpu() for part in parts]
        known.clear()
        known[key] = torch.cat(said)
    return known[key]


@torch.no_grad()
def _logits(classifier: Classifier, bank: Bank, rows: Tensor) -> Tensor:
    return classifier(
        bank.at(rows, torch.empty(0, *bank.images.shape[1:], device=classifier.device))
    )
