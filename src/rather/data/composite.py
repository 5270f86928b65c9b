"""Objects cut out of photos and pasted on scenes, with every pair of classes as a class.

An explainer that is asked about two classes with the same object should look at the scene, and the
other way round: inverse localisation.

Source: Yang and Kim, Benchmarking Attribution Methods with Relative Feature Importance (BAM),
arXiv:1907.09701. Differs: BAM pastes COCO objects on MiniPlaces, which we do not have; here any
masked photos serve, and shapes on textures where there are none.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rather.batch import Batch
from rather.data.folder import stepped
from rather.progress import track
from rather.types import Labels


def composite(
    objects: Batch,
    scenes: Batch,
    count: int,
    seed: int = 0,
    size: tuple[float, float] = (0.5, 0.75),
) -> Batch:
    """Paste objects on scenes; class = object's class * classes of scenes + scene's class.

    The classes take turns; the regions are the pasted objects.

    Args:
        objects: photos whose regions say where the object is.
        scenes: of the same size, whatever they show.
        count: number of images.
        seed: other seeds pair and place otherwise.
        size: bounds of the object's longer side, as shares of the image's.

    Raises:
        ValueError: objects have no regions, or an empty one, or scenes another size.
    """
    if objects.regions is None or objects.images.shape[1:] != scenes.images.shape[1:]:
        raise ValueError(
            f"objects {tuple(objects.images.shape)} need regions, and scenes "
            f"{tuple(scenes.images.shape)} the same size"
        )
    empty = (~objects.regions.flatten(1).any(1)).nonzero()[:, 0].tolist()
    if empty:
        raise ValueError(
            f"{len(empty)} of {len(objects)} objects have an empty region, such as "
            f"{objects.names[empty[0]]}; leave them out, `objects.at(rows)`"
        )
    kinds, places = (int(batch.labels.max()) + 1 for batch in (objects, scenes))
    images, regions, names = [], [], []
    for number in track(range(count), "composite"):
        generator, label = stepped(seed, number), number % (kinds * places)
        one = _pick(objects.labels, label // places, generator)
        under = _pick(scenes.labels, label % places, generator)
        image, region = _pasted(
            objects.images[one], objects.regions[one], scenes.images[under], size, generator
        )
        images.append(image)
        regions.append(region)
        names.append(f"{objects.names[one]} on {scenes.names[under]}")
    labels = torch.arange(count) % (kinds * places)
    return Batch(torch.stack(images), labels, tuple(names), torch.stack(regions))


def shapes_on_textures(count: int, side: int = 64, seed: int = 0) -> Batch:
    """Draw a disc or a square (class // 2) on stripes or checks (class % 2), in any colours."""
    images, regions = [], []
    line = torch.arange(side) + 0.5
    for number in range(count):
        dice = torch.rand(12, generator=stepped(seed, number))
        radius = side * (0.15 + 0.1 * float(dice[0]))
        y, x = (line - radius - (side - 2 * radius) * dice[at] for at in (1, 2))
        region = _distance(y, x, square=number % 4 // 2 == 1) < radius
        colours = torch.stack([dice[3:6] * 0.45, 0.55 + dice[6:9] * 0.45])
        scene = _texture(line, side / 8, number % 2 == 1, float(dice[9]))
        ground = torch.lerp(colours[0][:, None, None], colours[1][:, None, None], scene)
        tone = dice[9:12][:, None, None]
        images.append(torch.where(region, tone, ground))
        regions.append(region)
    names = tuple(map(str, range(count)))
    return Batch(torch.stack(images), torch.arange(count) % 4, names, torch.stack(regions))


def _distance(y: Tensor, x: Tensor, square: bool) -> Float[Tensor, "h w"]:
    y, x = y[:, None].abs(), x[None].abs()
    return torch.maximum(y, x) if square else torch.sqrt(y**2 + x**2)


def _texture(line: Tensor, period: float, checks: bool, phase: float) -> Float[Tensor, "1 h w"]:
    wave = ((line / period + phase) % 1 < 0.5).float()
    down, across = wave[:, None], wave[None]
    return ((down - across).abs() if checks else down.expand(-1, len(line)))[None]


def _pick(labels: Labels, label: int, generator: torch.Generator) -> int:
    rows = (labels == label).nonzero()[:, 0]
    return int(rows[int(torch.randint(len(rows), (1,), generator=generator))])


def _pasted(
    image: Float[Tensor, "3 h w"],
    region: Bool[Tensor, "h w"],
    scene: Float[Tensor, "3 h w"],
    size: tuple[float, float],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "3 h w"], Bool[Tensor, "h w"]]:
    """Scale an object to a part of the scene's size and paste it somewhere inside."""
    rows, columns = (region.any(axis).nonzero()[:, 0] for axis in (1, 0))
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    cut = torch.cat([image[:, *box], region[None, *box].float()])
    side, dice = scene.shape[-1], torch.rand(3, generator=generator).tolist()
    longest = side * (size[0] + dice[0] * (size[1] - size[0]))
    shape = [max(1, round(length * longest / max(cut.shape[1:]))) for length in cut.shape[1:]]
    small = F.interpolate(cut[None], shape, mode="bilinear", antialias=True)[0]
    top, left = (round(d * (side - n)) for d, n in zip(dice[1:], shape, strict=True))
    frame = F.pad(small, (left, side - left - shape[1], top, side - top - shape[0]))
    share = frame[3:].clamp(0, 1)
    return torch.lerp(scene, frame[:3], share), share[0] > 0.5
