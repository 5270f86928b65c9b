"""Held-out images of two or more classes, who is asked about them, and who judges.

MNIST and Disc have classifiers of their own. The photo pairs are asked of EfficientNet-Lite0, which
is heard on their two classes alone, at the 224 px that it was trained for; Lite2 judges. Photos of
144 px (fruits: 64 px) are enlarged, so both see less than they could.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from harness import DATA
from torch import Tensor, nn
from train_counterfactuals import among

from rather import Batch, Classifier, Editor
from rather.data.labelled import Arrays, ClassFolders
from rather.data.squares import squares
from rather.data.synthetic import disc_missing
from rather.editors import ClassMean, CycleGan, Ganmex, NearestSample, PixelAscent
from rather.models import load
from rather.types import Images, Labels


@dataclass(frozen=True, eq=False)
class Bed:
    """Held-out images, what they are judged by, and real images that were trained on."""

    classifier: Classifier
    judge: Classifier
    images: Batch
    bank: Arrays
    editors: Mapping[str, Editor]

    @property
    def classes(self) -> int:
        return int(self.bank.labels.max()) + 1


def usual(bank: Arrays) -> dict[str, Editor]:
    """The editors that need no training."""
    images = bank.images.expand(-1, 3, -1, -1)
    return {
        "nearest sample": NearestSample(images),
        "class mean": ClassMean(images),
        "pixel ascent": PixelAscent(),
    }


def mnist(each: int) -> Bed:
    bank = Arrays.from_npz(DATA / "mnist.npz", "train")
    test = balanced(Arrays.from_npz(DATA / "mnist.npz", "test").all(), each)
    trained = {"GANMEX": Ganmex("mnist"), "GANMEX, near": Ganmex("mnist-near")}
    editors = {**trained, **usual(bank)}
    return Bed(load("mnist"), load("mnist-judge"), test, bank, editors)


def disc(each: int) -> Bed:
    """The set of the missing shape at 48 px; images of seed 0 were trained on, of seed 1 not."""
    bank = Arrays.of(disc_missing(3000, 48, seed=0).batch)
    test = disc_missing(3 * each, 48, seed=1).batch
    editors = {"GANMEX": Ganmex("disc"), **usual(bank)}
    return Bed(load("disc"), load("disc-judge"), test, bank, editors)


class Heard(nn.Module):
    """The answers of a network that are about some of its classes."""

    def __init__(self, net: nn.Module, labels: tuple[int, ...]) -> None:
        super().__init__()
        self.net, self.labels = net, list(labels)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, self.labels]


def heard(name: str, labels: tuple[int, ...]) -> Classifier:
    """A classifier that is heard on some of its classes, numbered anew."""
    whole = load(name)
    names = tuple(whole.names[label] for label in labels)
    found = Classifier(
        Heard(whole.net, labels).eval(),
        mean=whole.mean.flatten().tolist(),
        std=whole.std.flatten().tolist(),
        names=names,
        view=whole.view,
        name=f"{name}, {' or '.join(names)}",
    )
    return found.requires_grad_(False).prepare()


@dataclass(frozen=True)
class Renumbered:
    """An editor that knows classes by their numbers in the whole classifier."""

    editor: Editor
    labels: tuple[int, ...]

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        return self.editor(classifier, images, torch.tensor(self.labels)[target])


def threes(each: int) -> Bed:
    """Threes and eights of MNIST, for which there is a CycleGAN, too."""
    digits = (3, 8)
    bank = among(Arrays.from_npz(DATA / "mnist.npz", "train"), digits)
    test = balanced(among(Arrays.from_npz(DATA / "mnist.npz", "test"), digits).all(), each)
    trained = {"GANMEX": Ganmex("mnist"), "CycleGAN": CycleGan("mnist-3-8")}
    editors = {name: Renumbered(editor, digits) for name, editor in trained.items()}
    asked, judge = (heard(name, digits) for name in ("mnist", "mnist-judge"))
    return Bed(asked, judge, test, bank, {**editors, **usual(bank)})


def photos(
    each: int, file: str, classes: tuple[str, str], labels: tuple[int, int], weights: str
) -> Bed:
    """Two classes of photos; `val` was not trained on."""
    source, side = ClassFolders((str(DATA / file),), classes, held="val"), 224
    bank = Arrays.of(squares(source, side, count=max(2 * each, 200)))
    test = squares(source, side, held_out=True, count=each)
    editors = {"GANMEX": Renumbered(Ganmex(weights), labels), **usual(bank)}
    asked, judge = (heard(f"efficientnet-lite{size}", labels) for size in (0, 2))
    return Bed(asked, judge, test, bank, editors)


def dogs(each: int) -> Bed:
    """Golden retrievers and Samoyeds."""
    return photos(each, "imagewoof_144.zip", ("n02099601", "n02111889"), (207, 258), "dogs")


def fruits(each: int) -> Bed:
    """Oranges and lemons."""
    return photos(each, "orange2lemon_64.zip", ("orange", "lemon"), (950, 951), "fruits")


BEDS: dict[str, Callable[[int], Bed]] = {
    "mnist": mnist,
    "threes": threes,
    "disc": disc,
    "dogs": dogs,
    "fruits": fruits,
}


def balanced(batch: Batch, each: int) -> Batch:
    """The first images of each class, class by class."""
    rows = [(batch.labels == label).nonzero()[:each, 0] for label in batch.labels.unique()]
    return batch.at(torch.cat(rows))
