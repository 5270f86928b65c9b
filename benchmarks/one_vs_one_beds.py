"""Held-out images, each asked why its own class rather than another one, and where maps begin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from beds import Renumbered, balanced, heard
from claims_ledger import made_by
from harness import DATA, digest
from torch import Tensor
from train_counterfactuals import BREEDS, pasted

from rather import Batch, Classifier, Counterfactual, Editor, Question, edit
from rather.data.labelled import Arrays, ClassFolders
from rather.data.squares import squares
from rather.data.synthetic import disc_missing
from rather.editors import Ganmex, NearestSample
from rather.infiller import Infiller
from rather.infillers import Blur, Constant, Edited, Harmonic, Paste
from rather.infillers.bank import Bank
from rather.infillers.bank import digest as values
from rather.models import load
from rather.networks.weights import located
from rather.settling import rebuilt


@dataclass(frozen=True, eq=False)
class Bed:
    """What is explained, and what it is explained against.

    Args:
        classifier: who is explained.
        images: held-out ones that it answers right.
        question: of each, why its own class rather than another.
        bank: real images that were trained on, for nearest samples and for expected gradients.
        generator: the counterfactuals' name, as `Ganmex` takes it.
        patch: side of the squares of occlusion, in pixels; the stride is half of it.
        sigma: of the blur, in pixels.
        limit: most steps of integrated gradients.
        steps: of the curves of deletion.
        weights: names of all weights files, so that another training is noticed.
        labels: the classes as the generator numbers them, where the classifier does otherwise.
    """

    classifier: Classifier
    images: Batch
    question: Question
    bank: Bank
    generator: str
    patch: int
    sigma: float
    limit: int = 288
    steps: int = 20
    weights: Sequence[str] = ()
    labels: tuple[int, ...] = ()
    edits: dict[str, Counterfactual] = field(default_factory=dict)

    @property
    def editors(self) -> dict[str, Editor]:
        made: Editor = Ganmex(self.generator)
        made = Renumbered(made, self.labels) if self.labels else made
        return {"MDTS": NearestSample(self.bank), "GANMEX": made}

    @property
    def baselines(self) -> dict[str, Infiller]:
        """Where maps begin; edits are still to be made."""
        edits = {name: Edited(editor) for name, editor in self.editors.items()}
        return {"zero": Constant(0.0), "blur": Blur(self.sigma), **edits}

    @property
    def fills(self) -> dict[str, Infiller]:
        """What deletion fills with, whoever made the map."""
        plain = {"zero": Constant(0.0), "grey": Constant(0.5), "blur": Blur(self.sigma)}
        return {**plain, "harmonic": Harmonic()}

    @cached_property
    def about(self) -> str:
        """A digest of images, questions and weights."""
        asked = torch.stack([self.question.target, *self.foils])
        files = [digest(located(name)) for name in self.weights]
        return made_by(values(self.images.images), values(asked), files)

    @property
    def foils(self) -> list[Tensor]:
        return [] if self.question.foil is None else [self.question.foil]

    def pair(self, name: str) -> Counterfactual:
        """The edits of all images towards their foils, made once."""
        if name not in self.edits:
            task = (self.classifier, self.images.images, self.foils[0])
            self.edits[name] = edit(self.editors[name], *task)
        return self.edits[name]

    def ready(self, method: Any) -> Any:
        """The method with edits pasted, so that none is made twice."""
        names = {repr(editor): name for name, editor in self.editors.items()}

        def change(part: Any) -> Any:
            known = isinstance(part, Edited) and repr(part.editor) in names
            return Paste(self.pair(names[repr(part.editor)]).edited) if known else part

        return rebuilt(method, change)


def asked(
    classifier: Classifier, batch: Batch, classes: Sequence[int], each: int
) -> tuple[Batch, Question]:
    """The first images of each class that are told from the others, and each other class in turn.

    Args:
        classifier: who is asked.
        batch: labels are places in `classes`.
        classes: as the classifier numbers them.
        each: images of a class.
    """
    with torch.no_grad():
        parts = batch.images.split(classifier.batch)
        said = torch.cat([classifier(part)[:, list(classes)].argmax(1) for part in parts])
    right = balanced(batch.at((said == batch.labels).nonzero()[:, 0]), each)
    turns = [torch.arange(int((right.labels == k).sum())) for k in right.labels.unique()]
    foil = (right.labels + 1 + torch.cat(turns) % (len(classes) - 1)) % len(classes)
    numbers = torch.tensor(classes)
    own = Batch(right.images, numbers[right.labels], right.names, right.regions)
    return own, Question(own.labels, numbers[foil])


def mnist(each: int = 18) -> Bed:
    classifier, bank = load("mnist"), Arrays.from_npz(DATA / "mnist.npz", "train")
    test = balanced(Arrays.from_npz(DATA / "mnist.npz", "test").all(), each + 9)
    task = asked(classifier, test, range(10), each)
    weights = ("mnist", "ganmex-mnist")
    return Bed(classifier, *task, coloured(bank), "mnist", 4, 4.0, weights=weights)


def disc(each: int = 40) -> Bed:
    """Images of seed 0 were trained on, of seed 1 not."""
    classifier, bank = load("disc").prepare(), Arrays.of(disc_missing(3000, 48, seed=0).batch)
    task = asked(classifier, disc_missing(4 * each, 48, seed=1).batch, range(3), each)
    weights = ("disc", "ganmex-disc")
    return Bed(classifier, *task, coloured(bank), "disc", 6, 6.0, weights=weights)


def dogs(each: int = 50) -> Bed:
    """Photos at 128 px (the generator saw 224), as each costs thousands of passes."""
    labels = (207, 258)
    classifier = heard("efficientnet-lite0", labels)
    source = ClassFolders((str(DATA / "imagewoof_144.zip"),), BREEDS, held="val")
    task = asked(classifier, squares(source, 128, True, count=2 * each), range(2), each)
    bank = coloured(Arrays.of(squares(source, 128)))
    settings: dict[str, Any] = {"limit": 96, "steps": 10, "weights": ("ganmex-dogs",)}
    return Bed(classifier, *task, bank, "dogs", 24, 10.0, labels=labels, **settings)


def coloured(bank: Arrays) -> Bank:
    """The same images as donors."""
    rows = tuple(map(str, range(len(bank))))
    return Bank(bank.images.expand(-1, 3, -1, -1), rows)


def composite(each: int = 30) -> dict[str, Bed]:
    """Dogs on scenes: each image asked about the other scene, and about the other dog."""
    classifier, held = load("composite").prepare(), pasted(8 * each, True)
    bank = coloured(Arrays.of(pasted(3000)))
    own, _ = asked(classifier, held, range(4), each)
    foils = {"scenes": own.labels ^ 1, "objects": own.labels ^ 2}
    weights = ("composite", "ganmex-composite")
    return {
        f"composite, {name}": Bed(
            classifier, own, Question(own.labels, foil), bank, "composite", 8, 8.0, weights=weights
        )
        for name, foil in foils.items()
    }


DELETED: Mapping[str, Callable[..., Bed]] = {"mnist": mnist, "disc": disc, "dogs": dogs}
