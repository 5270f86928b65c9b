"""Going on from a network that saw fewer inputs: it is kept, and what is new starts silent."""

from torch import Tensor, nn
from torch.nn import functional as F

from rather.networks.weights import located, read


def grown(net: nn.Module, weights: str) -> None:
    """Overwrite a fresh network by trained weights, as far as those go.

    Inputs that are new come behind the old ones, and count nothing until they are trained.

    Args:
        net: is changed; its layers may have more inputs than those in the file, and it may have
            layers that the file lacks, which stay as they are.
        weights: a shipped name, or the path of a safetensors file that `fit` wrote.

    Raises:
        ValueError: the file holds a tensor that the network lacks, or has in another shape.
    """
    tensors, _ = read(located(weights))
    state = net.state_dict()
    for name, old in tensors.items():
        if name not in state or not _fits(old, state[name]):
            raise ValueError(
                f"{weights} has a {name} of shape {tuple(old.shape)}, for which this network has "
                "no place; give the settings of the network that is gone on from"
            )
        state[name] = _padded(old, state[name])
    net.load_state_dict(state)


def _fits(old: Tensor, new: Tensor) -> bool:
    inputs, rest = (slice(1, 2), slice(2, None))
    same = old.shape[:1] == new.shape[:1] and old.shape[rest] == new.shape[rest]
    return same and old.shape[inputs] <= new.shape[inputs]


def _padded(old: Tensor, like: Tensor) -> Tensor:
    if old.shape == like.shape:
        return old.to(like.dtype)
    pad = (0, 0) * (old.ndim - 2) + (0, like.shape[1] - old.shape[1])
    return F.pad(old.to(like.dtype), pad)
