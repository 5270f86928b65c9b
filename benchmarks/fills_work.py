"""Who fills, who judges, which photos: and the work, block by block, on several processes."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from multiprocessing import get_context
from typing import ClassVar

import torch
from fills_judge import Judge, evaluate, judged_at
from fills_ledger import Ledger, made_by
from fills_scenes import KINDS, Scene, scene
from harness import DATA
from rich.progress import track
from torch.nn import functional as F

from rather import Batch, Infiller
from rather import infillers as fills
from rather.data.ilsvrc import Ilsvrc
from rather.models import load
from rather.types import Images, Keep, PerImage
from rather.view import View

PHOTOS = DATA / "ilsvrc_val_001-500_256.zip"
DONORS = DATA / "imagenette_144.zip"
DEFAULT = "Inpainter (default)"
# Issue 3 names the rivals; the donor is one more, and the cheats read what they replace.
RIVALS = (
    "MeanColour",
    "LocalMean",
    "Telea",
    "NavierStokes",
    "Harmonic",
    "NoisyLinear",
    "PatchMatch",
)
BESIDE = ("NearestDonor",)
SLOW = ("PatchMatch",)  # 30 to 70 classifier passes an image
CHEATS = ("Blur (cheat)", "Identity (cheat)")


class Identity:
    """The image itself: what a perfect fill, or a perfect cheat, would score."""

    reads_hidden: ClassVar[bool] = True
    uses_keep: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return images

    def __repr__(self) -> str:
        return "Identity()"


def contestants(weights: str) -> dict[str, Infiller]:
    """Every fill by its name in the tables."""
    return {
        DEFAULT: fills.Inpainter(weights) if weights else fills.default(),
        "MeanColour": fills.MeanColour(),
        "LocalMean": fills.LocalMean(),
        "Telea": fills.Telea(),
        "NavierStokes": fills.NavierStokes(),
        "Harmonic": fills.Harmonic(),
        "NoisyLinear": fills.NoisyLinear(),
        "PatchMatch": fills.PatchMatch(),
        "NearestDonor": fills.NearestDonor(str(DONORS)),
        "Blur (cheat)": fills.Blur(),
        "Identity (cheat)": Identity(),
    }


def photos(count: int, view: View, batch: int = 16) -> list[Batch]:
    """The first photos whose official box is seen, in batches."""
    parts = list(Ilsvrc(PHOTOS, view, batch=50, first=min(500, count + count // 10 + 10)))
    regions = torch.cat([part.regions for part in parts if part.regions is not None])
    whole = Batch(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        tuple(name for part in parts for name in part.names),
        regions,
    )
    rows = regions.flatten(1).any(1).nonzero()[:count, 0]
    return [whole.at(part) for part in rows.split(batch)]


def judges(side: int, engine: str) -> list[Judge]:
    """EfficientNet-Lite0, which decides, and Lite2, which confirms."""
    found = []
    for name in ("efficientnet-lite0", "efficientnet-lite2"):
        raw = judged_at(load(name), side)
        classifier = raw.prepare()
        quick = raw.prepare("openvino") if engine == "openvino" else classifier
        found.append(Judge(name.split("-")[1], classifier, quick))
    return found


@dataclass(frozen=True)
class Work:
    """All that the numbers depend on; each process builds it for itself.

    Args:
        photos: how many photos.
        weights: a file of the in-painter, or nothing for the shipped one.
        only: rivals beside the default, parted by commas; nothing takes all.
        engine: of passes without features.
        seed: draws holes, and feeds fills that draw at random.
        workers: processes with one thread each; 1 works in this process, with all its threads.
        slow: how many of the photos `SLOW` fills see, in whole batches; 0 is all. Comparisons with
            them are over these photos.
    """

    photos: int
    weights: str = ""
    only: str = ""
    engine: str = "torch"
    seed: int = 0
    workers: int = 2
    slow: int = 0

    @cached_property
    def infillers(self) -> dict[str, Infiller]:
        wanted = [DEFAULT, *self.only.split(",")]
        every = contestants(self.weights)
        return {name: one for name, one in every.items() if not self.only or name in wanted}

    @cached_property
    def panel(self) -> list[Judge]:
        return judges(224, self.engine)

    @cached_property
    def batches(self) -> list[Batch]:
        return photos(self.photos, View(224, 256))

    def scenes(self, kind: str) -> list[Scene]:
        return [scene(kind, batch, self.seed) for batch in self.batches]

    def seen(self, name: str) -> list[Batch]:
        """The photos that a fill is judged on."""
        few = -(-self.slow // len(self.batches[0].images))
        return self.batches[: few or None] if name in SLOW else self.batches

    def block(self, name: str, kind: str) -> dict[str, PerImage]:
        """Every measure of one fill for one kind of hole; NaN for photos it did not see."""
        scenes = _scenes(self, kind)[: len(self.seen(name))]
        parts = [evaluate(self.infillers[name], each, self.panel, self.seed) for each in scenes]
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        count = sum(len(batch.images) for batch in self.batches)
        return {
            name: F.pad(own, (0, count - len(own)), value=torch.nan) for name, own in whole.items()
        }


def compute(work: Work, ledger: Ledger) -> None:
    """Fill in every block that the ledger does not hold yet, the slowest fill last."""
    judged = f"lite0, lite2 by {work.engine}"
    names = sorted(work.infillers, key=lambda name: name in SLOW)
    keys = {
        (name, kind): made_by(work.infillers[name], kind, work.seen(name), judged, work.seed)
        for name in names
        for kind in KINDS
    }
    open_jobs = [job for job, key in keys.items() if not ledger.done(*job, key)]
    results = RUN[work.workers > 1](work, open_jobs)
    for job, found in track(results, "blocks", total=len(open_jobs)):
        ledger.write(*job, keys[job], found)


Job = tuple[str, str]  # fill and kind of hole
Done = tuple[Job, Mapping[str, PerImage]]


def _here(work: Work, jobs: Sequence[Job]) -> Iterator[Done]:
    for job in jobs:
        yield job, work.block(*job)


def _spread(work: Work, jobs: Sequence[Job]) -> Iterator[Done]:
    os.environ["OMP_NUM_THREADS"] = "1"  # inherited; two busy threads a core are six times slower
    with ProcessPoolExecutor(work.workers, get_context("spawn")) as pool:
        bare = replace(work)  # without what this process has loaded
        futures = {pool.submit(_block, bare, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()


RUN: dict[bool, Callable[[Work, Sequence[Job]], Iterator[Done]]] = {False: _here, True: _spread}


def _block(work: Work, job: Job) -> dict[str, PerImage]:
    torch.set_num_threads(1)
    return _mine(work).block(*job)


@lru_cache(1)
def _mine(work: Work) -> Work:
    return work  # the first copy that reaches a process stays, with all that it has loaded


@lru_cache(len(KINDS))
def _scenes(work: Work, kind: str) -> list[Scene]:
    return work.scenes(kind)
