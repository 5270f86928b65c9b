"""Several edits of one image, from editors that draw at random."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from rather.classifier import Classifier
from rather.editor import Editor
from rather.settling import reseeded
from rather.types import Images, Labels


@dataclass(frozen=True)
class Tries:
    """The first edit that flips, or else the one that comes nearest to it.

    Args:
        editor: it must have a field `seed`.
        count: edits at most; each costs an edit and a pass of the images not flipped yet.
    """

    editor: Editor
    count: int = 10

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; give at least 1 try")

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        best, chance = images.clone(), torch.full_like(target, -1, dtype=torch.float32)
        left = torch.arange(len(images), device=images.device)
        for one in _draws(self.editor, self.count):
            made = one(classifier, images[left], target[left])
            logits, wanted = classifier(made), target[left]
            new = logits.softmax(1).gather(1, wanted[:, None])[:, 0]
            flipped = logits.argmax(1) == wanted
            better = flipped | (new > chance[left])
            best[left[better]], chance[left[better]] = made[better], new[better]
            left = left[~flipped]
            if not len(left):
                break
        return best


def samples(
    editor: Editor, classifier: Classifier, images: Images, target: Labels, k: int
) -> Iterator[Images]:
    """Yield k edits of the same images; editors without a seed give one."""
    for one in _draws(editor, k):
        yield one(classifier, images, target).clamp(0, 1)


def _draws(editor: Editor, count: int) -> list[Editor]:
    return reseeded(editor, count if hasattr(editor, "seed") else 1)
