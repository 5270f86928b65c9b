"""`Edited`: what the image would look like as the foil, as an in-fill.

Source: the baseline of Shih, Tien and Karnin, GANMEX, ICML 2021, arXiv:2011.06015, and of Eckstein,
Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals, 2021, arXiv:2109.13412.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from torch import Generator

from rather.classifier import Classifier
from rather.editor import Counterfactual, Editor, edit
from rather.infiller import Infiller
from rather.infillers.paste import Paste, Pastes
from rather.question import Question
from rather.settling import rebuilt, reseeded
from rather.types import Images, Keep

Method = TypeVar("Method")


@dataclass(frozen=True)
class Edited:
    """The image, edited until the classifier should answer the question's foil.

    It stands in a field of an explainer, such as `IntegratedGradients(baseline=Edited(editor))`;
    `explain` makes the edit, and `Paste(pair.edited)` takes its place.

    Args:
        editor: what edits.
        samples: edits of each image, from seed to seed, for editors that have one; several
            baselines show what belongs to the question and what to a single edit.
    """

    editor: Editor
    samples: int = 1

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; an edit is made at least once")

    def settled(
        self, classifier: Classifier, images: Images, question: Question
    ) -> tuple[Infiller, Counterfactual]:
        """The edits, and the first of them as a counterfactual."""
        if question.foil is None:
            raise ValueError(
                f"{self} edits towards the foil, and the question has none; ask "
                "Question(target, foil), or on the command line --rather-than CLASS"
            )
        editors = reseeded(self.editor, self.samples)
        pairs = [edit(editor, classifier, images, question.foil) for editor in editors]
        if len(pairs) == 1:
            return Paste(pairs[0].edited), pairs[0]
        return Pastes(tuple(pair.edited for pair in pairs)), pairs[0]

    def __call__(self, images: Images, keep: Keep, generator: Generator) -> Images:
        raise ValueError(
            f"{self} fills nothing before it knows the classifier and the foil: give it to an "
            "explainer and call explain(...), or paste an edit, Paste(edit(...).edited)"
        )


def pasted(method: Method, pair: Counterfactual) -> Method:
    """The method with a counterfactual in place of its edits, as it ran where there was but one."""

    def change(part: Any) -> Any:
        return Paste(pair.edited) if isinstance(part, Edited) and part.samples == 1 else part

    return rebuilt(method, change)
