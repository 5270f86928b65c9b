"""Train the classifiers and the counterfactual generators that are shipped, by name.

    .venv/bin/python benchmarks/train_counterfactuals.py mnist mnist-judge --out RUN --ship

Each may be killed and started again; the same command goes on. `--ship` copies the weights into
the package. Test images are never looked at here.
"""

from functools import cache
from typing import Any

import torch
from harness import DATA
from training_jobs import Job, command

from rather import Batch
from rather.data.composite import composite
from rather.data.squares import squares
from rather.data.synthetic import disc_missing
from rather.fitting import (
    Arrays,
    ClassFolders,
    ClassifierRecipe,
    Crop,
    CycleGanRecipe,
    GanmexRecipe,
    Plan,
)
from rather.fitting.recipe import Source

DIGITS = tuple("0123456789")


def mnist() -> Source:
    return Arrays.from_npz(DATA / "mnist.npz", held=0.05)


@cache
def discs() -> Source:
    """The set of the missing shape, smaller than published so that a core can learn it."""
    return Arrays.of(disc_missing(12_000, 48, seed=0).batch, held=0.05)


def threes_and_eights() -> Source:
    return among(Arrays.from_npz(DATA / "mnist.npz"), (3, 8), held=0.05)


def among(data: Arrays, labels: tuple[int, ...], held: float = 0.0) -> Arrays:
    """The images of some classes, which are numbered anew."""
    places = torch.tensor(labels)
    rows = torch.isin(data.labels, places).nonzero()[:, 0]
    found = (data.labels[rows][:, None] == places).long().argmax(1)
    return Arrays(data.images[rows], found, held=held)


@cache
def dogs() -> Source:
    """Whole squares of golden retrievers and Samoyeds; `val` stays for the benchmark."""
    photos = ClassFolders((str(DATA / "imagewoof_144.zip"),), BREEDS, held="val")
    return Arrays.of(squares(photos, 250), held=0.05)


@cache
def fruits() -> Source:
    photos = ClassFolders((str(DATA / "orange2lemon_64.zip"),), ("orange", "lemon"), held="val")
    return Arrays.of(squares(photos, 250), held=0.05)  # of 64 px, enlarged


def pasted(count: int, held_out: bool = False) -> Batch:
    """Dogs cut out of photos, on skies and churches; train and val photos are kept apart."""
    kennel = ClassFolders((str(DATA / "imagewoof_144.zip"),), BREEDS, held="val")
    outdoors = ClassFolders((str(DATA / "imagenette_144.zip"),), SCENES, held="val")
    masks = DATA / "imagewoof_dogmasks_pseudo.zip"
    whole = squares(kennel, 64, held_out, masks)
    share = (whole.regions if whole.regions is not None else whole.images[:, 0]).float()
    share = share.mean((1, 2))  # scraps and whole frames have no outline
    cut = whole.at(((share > 0.15) & (share < 0.85)).nonzero()[:, 0])
    return composite(cut, squares(outdoors, 64, held_out), count, seed=int(held_out))


@cache
def dogs_on_scenes() -> Source:
    return Arrays.of(pasted(8000), held=0.05)


BREEDS = ("n02099601", "n02111889")
SCENES = ("n03888257", "n03028079")
PASTED = tuple(
    f"{dog} on {scene}" for dog in ("retriever", "Samoyed") for scene in ("sky", "church")
)
SHAPES = ("no disc", "no square", "no triangle")
# Smaller and quicker than published; the classifier's opinion weighs less, what changes more.
SMALL: dict[str, Any] = {"blocks": 3, "critic_width": 32, "class_weight": 10.0, "similarity": 20.0}
SMALL |= {"cycle": 10.0, "rate": 2e-4, "critic_rate": 2e-4, "momentum": 0.5}
SMALL["revised"] = False  # at 28 and 48 px the published generator hears the class at the borders
# A little doubt is cheaper than a wisp of noise; and shapes must look right before they are near.
CALM = {"class_weight": 5.0, "target_probability": 0.95}
# Photos are changed coarsely and judged while they are shaken; a quicker rate runs wild.
ON_PHOTOS = {**CALM, "class_weight": 20.0, "similarity": 10.0, "cycle": 5.0, "own_share": 0.2}
ON_PHOTOS |= {"rate": 1e-4, "critic_rate": 4e-4, "critic_steps": 2, "revised": True, "shaken": 0.1}
# A small classifier is deceived by little: it looks at shaken images, and the critic has more say.
REAL = {"class_weight": 4.0, "target_probability": 0.9, "similarity": 5.0, "cycle": 5.0}
REAL |= {"critic_steps": 3, "rate": 2e-4, "revised": True, "shaken": 0.1, "own_share": 0.2}
SHAPED = {**CALM, "similarity": 5.0, "cycle": 5.0, "critic_steps": 3}
FREE = {"similarity": 10.0, "cycle": 5.0}  # real before near
DIGITS_AS = tuple(range(10))
MIRRORED = Crop(size=48, zoom=1.0, rare_zoom=1.0)
WHOLE = Crop(size=224, zoom=1.12, rare_zoom=1.12)
STILL = Crop(size=28, zoom=1.0, rare_zoom=1.0, flip=False)
MOVED = Crop(size=28, zoom=1.15, rare_zoom=1.25, flip=False)
LEARN = Plan(steps=4000, batch=100, clip=5.0, held=3000, validate_every=500)

JOBS = {
    "mnist": Job(ClassifierRecipe(DIGITS), mnist, LEARN, MOVED),
    "mnist-judge": Job(
        ClassifierRecipe(DIGITS, "vgg", widths=(12, 24, 48, 48), shrink=(2, 2, 1, 2), hidden=128),
        mnist,
        Plan(steps=1500, batch=100, seed=1, clip=5.0, held=3000, validate_every=500),
        MOVED,
    ),
    "ganmex-mnist": Job(
        GanmexRecipe("mnist", DIGITS_AS, channels=1, width=24, **{**SMALL, **FREE}),
        mnist,
        Plan(steps=3600, batch=30, warmup=50, clip=100.0, held=100, validate_every=200),
        STILL,
    ),
    "ganmex-mnist-near": Job(
        GanmexRecipe("mnist", DIGITS_AS, channels=1, width=24, drawn_at=28, **SMALL),
        mnist,
        Plan(steps=1200, batch=30, warmup=50, clip=100.0, held=100, validate_every=200),
        STILL,
    ),
    "cyclegan-mnist-3-8": Job(
        CycleGanRecipe("mnist", (3, 8), 28, channels=1, width=24, blocks=4, critic_width=32),
        threes_and_eights,
        Plan(steps=1000, batch=8, warmup=50, clip=100.0, held=100, validate_every=200),
        STILL,
    ),
    "disc": Job(
        ClassifierRecipe(SHAPES, "vgg", 48, shrink=(2, 2, 2, 2), widths=(12, 24, 48, 96)),
        discs,
        Plan(steps=900, batch=60, clip=5.0, held=600, validate_every=300),
        MIRRORED,
    ),
    "disc-judge": Job(
        ClassifierRecipe(SHAPES, "vgg", 48, shrink=(2, 2, 3), widths=(16, 32, 64)),
        discs,
        Plan(steps=600, batch=60, seed=1, clip=5.0, held=600, validate_every=300),
        MIRRORED,
    ),
    "ganmex-disc": Job(
        GanmexRecipe(
            "disc", (0, 1, 2), side=48, channels=1, width=24, drawn_at=48, **{**SMALL, **SHAPED}
        ),
        discs,
        Plan(steps=1000, batch=15, warmup=50, clip=100.0, held=60, validate_every=200),
        MIRRORED,
    ),
    "ganmex-dogs": Job(
        GanmexRecipe(
            "efficientnet-lite0",
            (207, 258),
            224,
            width=24,
            drawn_at=56,
            **{**SMALL, **ON_PHOTOS},
        ),
        dogs,
        Plan(steps=2400, batch=8, warmup=200, clip=100.0, held=40, validate_every=100),
        WHOLE,
        then=(3400, 60.0),
    ),
    "composite": Job(
        ClassifierRecipe(
            PASTED, "vgg", 64, 3, widths=(16, 32, 64, 96), shrink=(2, 2, 2, 2), decay=0.05
        ),
        dogs_on_scenes,
        Plan(steps=1500, batch=32, clip=5.0, held=200, validate_every=300),
        Crop(size=64, zoom=1.12, rare_zoom=1.12),
    ),
    "ganmex-composite": Job(
        GanmexRecipe("composite", (0, 1, 2, 3), 64, width=24, drawn_at=32, **{**SMALL, **REAL}),
        dogs_on_scenes,
        Plan(steps=2000, batch=12, warmup=50, clip=100.0, held=80, validate_every=200),
        Crop(size=64, zoom=1.12, rare_zoom=1.12),
    ),
    "ganmex-fruits": Job(
        GanmexRecipe(
            "efficientnet-lite0",
            (950, 951),
            224,
            width=24,
            drawn_at=32,
            **{**SMALL, **ON_PHOTOS},
        ),
        fruits,
        Plan(steps=1000, batch=8, warmup=200, clip=100.0, held=40, validate_every=100),
        WHOLE,
        then=(1700, 60.0),
    ),
}


if __name__ == "__main__":
    command(JOBS, __doc__)
