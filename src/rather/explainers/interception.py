"""Methods that reach into a network: what keeps them from it is found out, and said.

They bend gradients by hooks on modules. Where a network writes in place, runs a module twice, or
uses functions or modules that a method has no rule for, the heatmap would be something else.
"""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import torch
from torch import nn

from rather.classifier import Classifier
from rather.types import Images, PerImage

RELU = ("GuidedBackprop", "Deconvolution", "GuidedGradCam")
IDLE = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "DropPath")  # as it answers
SLACK = 0.05  # of the score's change that may be missing from a heatmap that must sum to it


def untied(classifier: Classifier) -> Classifier:
    """A copy on torch in which no module writes in place, as backward hooks need."""
    copied = copy.deepcopy(classifier)
    for module in copied.modules():
        if getattr(module, "inplace", False):
            vars(module).update(inplace=False)
    return copied


def check_relus(method: str, classifier: Classifier) -> None:
    """Raise a `ValueError` where a method that bends the gradients of ReLUs would find none."""
    if method in RELU and not any(isinstance(each, nn.ReLU) for each in classifier.modules()):
        raise ValueError(
            f"captum's {method} bends the gradient of nn.ReLU modules, and {classifier.name} has "
            "none (ReLU6, SiLU and functions do not count): it would be the plain gradient"
        )


def run_twice(classifier: Classifier, image: Images) -> list[str]:
    """The names of the modules that run more than once in a pass."""
    names = {module: name for name, module in classifier.net.named_modules()}
    calls: Counter[nn.Module] = Counter()
    handles = [each.register_forward_hook(lambda each, *_: calls.update([each])) for each in names]
    try:
        with torch.no_grad():
            classifier.through_net(image)
    finally:
        for handle in handles:
            handle.remove()
    return [names[module] for module, count in calls.items() if count > 1]


def check_sums(
    method: str, classifier: Classifier, sums: PerImage, changes: PerImage, slack: float = SLACK
) -> None:
    """Raise a `ValueError` where heatmaps must sum to the score's change and do not.

    Args:
        method: what it is called.
        classifier: what was explained.
        sums: of the heatmaps.
        changes: of the score, from baseline to image.
        slack: share of the larger of the two that may be missing.
    """
    allowed = slack * torch.maximum(sums.abs(), changes.abs()) + 1e-4
    off = ((sums - changes).abs() > allowed).nonzero()[:, 0].tolist()
    if not off:
        return
    total, change = float(sums[off[0]]), float(changes[off[0]])
    raise ValueError(
        f"{method} must sum to {change:.4g} and sums to {total:.4g}: it lost its "
        f"way in {classifier.name}, which has functions (as attention is) or modules that it has "
        f"no rule for; its modules without parameters are "
        f"{', '.join(without_parameters(classifier))}; IntegratedGradients needs no rules"
    )


def without_parameters(classifier: Classifier) -> list[str]:
    """The types of the modules that may be non-linear, each with the name of the first."""
    firsts: dict[str, str] = {}
    for name, module in classifier.net.named_modules():
        if not list(module.children()) and not module.state_dict():
            firsts.setdefault(type(module).__name__, name)
    return [f"{kind} ({name!r})" for kind, name in firsts.items() if kind not in IDLE]


def with_rule(
    classifier: Classifier, rules: Mapping[Collection[str], Callable[[nn.Module], nn.Module]]
) -> Classifier:
    """A copy in which modules of certain types, by name, are wrapped by a rule of their own."""
    copied = untied(classifier)
    for parent in list(copied.net.modules()):
        for name, child in parent._modules.items():
            for kinds, rule in rules.items():
                if child is not None and type(child).__name__ in kinds:
                    parent._modules[name] = rule(child)
    return copied
