"""Weights of one kind of network, for methods that know how to use no other."""

from typing import TypeVar

from torch import Tensor, nn

from rather.networks.weights import load

Net = TypeVar("Net", bound=nn.Module)


def chosen(kind: type[Net], weights: str, like: Tensor) -> Net:
    """Load weights to a tensor's device.

    Raises:
        ValueError: there are none, or they are of another kind.
    """
    net, card = load(weights, str(like.device))
    if isinstance(net, kind):
        return net
    made = card.get("recipe", "another recipe").split("(")[0]
    raise ValueError(
        f"{weights} holds a {type(net).__name__} of {made}, but a {kind.__name__} is needed; give "
        "the file that the recipe of this method wrote"
    )
