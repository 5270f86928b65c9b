"""`Within`: any editor, confined to a region.

Source: the option of Sobieski et al., arXiv:2410.12591; their diffusion bridge is not built.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rather.classifier import Classifier
from rather.editor import Editor
from rather.infillers.bank import digest
from rather.types import Images, Keep, Labels


@dataclass(frozen=True, eq=False, repr=False)
class Within:
    """Edits, and puts the kept pixels of the original back.

    That may undo the flip, which `edit` then shows. Editors that work step by step and have a
    field `keep` stay inside at every step.

    Args:
        editor: what edits.
        keep: 1 where the original stays, one mask an image or one for all.
    """

    editor: Editor
    keep: Keep

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        keep = self.keep.to(images).expand(len(images), -1, *images.shape[2:])
        editor: Any = self.editor
        if "keep" in getattr(editor, "__dataclass_fields__", {}):
            inner = torch.zeros_like(keep) if editor.keep is None else editor.keep.to(keep)
            editor = replace(editor, keep=torch.maximum(inner, keep))
        made = torch.lerp(editor(classifier, images, target), images, keep)
        return torch.where(keep == 1, images, made)

    def __repr__(self) -> str:
        return f"Within({self.editor!r}, {self._label})"

    @cached_property
    def _label(self) -> str:
        return f"<{len(self.keep)} masks sha256:{digest(self.keep)}>"

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        return {"keep": self.keep}
