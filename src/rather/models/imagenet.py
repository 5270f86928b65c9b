"""The classes of ImageNet, in the order that all its classifiers share: by WordNet id.

Source: Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, arXiv:1409.0575. The
names are those that timm ships.
"""

from collections.abc import Sequence
from functools import cache


@cache
def synonyms(subset: str = "imagenet-1k") -> tuple[str, ...]:
    """Names of each class, parted by commas; `subset` is one of timm's, such as imagenet-21k."""
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


@cache
def ids(subset: str = "imagenet-1k") -> tuple[str, ...]:
    """WordNet id of each class."""
    from timm.data.imagenet_info import ImageNetInfo

    return tuple(ImageNetInfo(subset).label_names())


def known_as(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names with all synonyms and WordNet ids, where other hands' names are ImageNet-1k in order.

    Names of other classes come back as they are, without ids.
    """
    if len(names) != len(ids()):
        return tuple(names), ()
    pairs = zip(names, synonyms(), strict=True)
    same = sum(_first(name) in _all(known) for name, known in pairs)
    return (synonyms(), ids()) if same > 0.9 * len(names) else (tuple(names), ())


def _first(name: str) -> str:
    return name.split(",")[0].strip().casefold()


def _all(names: str) -> set[str]:
    return {name.strip().casefold() for name in names.split(",")}
