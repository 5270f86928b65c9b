"""What a layer answers, and the score's gradient there: seen through hooks that undo themselves."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.jit._script import RecursiveScriptModule
from torch.utils.hooks import RemovableHandle

from rather.classifier import Classifier
from rather.question import Question
from rather.types import Images

# Modules of a network, and which answered with the last feature map.
LAST: WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], str]] = WeakKeyDictionary()


def at_layer(
    classifier: Classifier, layer: str, images: Images, question: Question
) -> tuple[Tensor, Tensor]:
    """What a layer answers, and the gradient of the question's score with respect to it."""
    with torch.enable_grad(), cut(classifier, layer) as outputs:
        # A gradient is asked for at the image, so that the classifier knows one is to come.
        score = question.score(classifier(images.detach().requires_grad_())).sum()
        if not outputs:
            raise ValueError(
                f"layer {layer!r} never ran as a module, so nothing can be seen of it; a compiled "
                "network hides its layers: use the one it was made from, or name another layer"
            )
        if not score.requires_grad:
            raise ValueError(f"the score does not depend on layer {layer!r}; name another layer")
        (slope,) = torch.autograd.grad(score, outputs[-1], materialize_grads=True)
    return outputs[-1].detach(), slope


@contextmanager
def cut(classifier: Classifier, layer: str) -> Generator[list[Tensor]]:
    """Collect what a layer answers, as leaves of the graph; the hooks never outlive the block.

    The network goes on with a copy, so that later layers may write in place.
    """
    outputs: list[Tensor] = []

    def collect(module: nn.Module, _inputs: object, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise ValueError(f"layer {layer!r} answers {type(output).__name__}; name a part of it")
        outputs.append(output.detach().requires_grad_())
        return outputs[-1].clone()

    def start(_net: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part.detach() if isinstance(part, Tensor) else part for part in inputs)

    module = find_layer(classifier, layer)
    with hooks(
        classifier.net.register_forward_pre_hook(start), module.register_forward_hook(collect)
    ):
        yield outputs


def at_last_map(
    classifier: Classifier, images: Images, question: Question
) -> tuple[Tensor, Tensor]:
    """The same for the last feature map, found in the same pass unless it is written over.

    It is remembered while the network has the same modules: a pass that knows it is shorter.
    """
    modules = tuple(map(id, classifier.net.modules()))
    known, name = LAST.get(classifier.net, ((), ""))
    if known == modules:
        return at_layer(classifier, name, images, question)
    with torch.enable_grad(), watching(classifier, images) as last:
        score = question.score(classifier(images.detach().requires_grad_())).sum()
    name = last.map_name(classifier)
    LAST[classifier.net] = (modules, name)
    if last.output._version != last.version or not (
        score.requires_grad & last.output.requires_grad
    ):
        return at_layer(classifier, name, images, question)
    (slope,) = torch.autograd.grad(score, last.output, materialize_grads=True)
    return last.output.detach(), slope


@torch.no_grad()
def last_feature_map(classifier: Classifier, images: Images) -> str:
    """The name of the last layer that answers with a map (n, c, h, w) of the image."""
    with watching(classifier, images) as last:
        classifier.through_net(images)
    return last.map_name(classifier)


@dataclass
class Last:
    """The last answer of a layer that has more than one place: a map, or tokens."""

    name: str = ""
    output: Tensor = field(default_factory=lambda: torch.zeros(0))
    version: int = 0
    is_map: bool = False

    def map_name(self, classifier: Classifier) -> str:
        """Its layer.

        Raises:
            ValueError: there is none, or the network goes on with tokens or another layout.
        """
        if self.is_map:
            return self.name
        last = f", but layer {self.name!r} with another layout" if self.name else ""
        raise ValueError(
            f"{classifier.name} does not end in a feature map (n, c, h, w){last}; name a layer, "
            'and how it becomes a map if it is not one: GradCam(layer="...", grid=Tokens(skip=1))'
        )


@contextmanager
def watching(classifier: Classifier, images: Images) -> Generator[Last]:
    """Keep the last spread-out answer of any layer that runs in the block."""
    check_open(classifier)
    last = Last()

    def look(name: str) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: object, output: Any) -> None:
            if isinstance(output, Tensor) and is_spread(output):
                last.name, last.output, last.version = name, output, output._version
                last.is_map = is_map(output, images)

        return keep

    every = classifier.net.named_modules()
    named = [(name, module) for name, module in every if name and not no_hooks(module)]
    with hooks(*(module.register_forward_hook(look(name)) for name, module in named)):
        yield last


def is_spread(output: Tensor) -> bool:
    """Whether there is more than one place in it: a map, or tokens."""
    places = {3: output.shape[1:2], 4: output.shape[2:]}.get(output.dim(), (1,))
    return max(places) > 1


def is_map(output: Tensor, images: Images) -> bool:
    """Whether its last two dimensions are those of the images, up to scale and rounding."""
    if output.dim() != 4:
        return False
    (height, width), (rows, columns) = images.shape[2:], output.shape[2:]
    return abs(rows * width - columns * height) <= max(height, width)


@contextmanager
def hooks(*handles: RemovableHandle) -> Generator[None]:
    """Remove the hooks when the block ends, however it ends."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_open(classifier: Classifier, layer: str = "") -> None:
    """Raise a `ValueError` if the layer is inside a network that was saved as a program."""
    parts, modules = layer.split("."), dict(classifier.net.named_modules())
    around = [modules.get(".".join(parts[:depth])) for depth in range(len(parts))]
    if any(map(is_program, around)) or no_hooks(modules.get(layer)):
        raise ValueError(
            f"the layers of {classifier.name} cannot be seen: a network saved with TorchScript or "
            "torch.export hides them; load the one it was made from by 'module:function', or use "
            "Occlusion, Lime, Rise or IntegratedGradients"
        )


def is_program(net: nn.Module | None) -> bool:
    """Whether it is of TorchScript, or a graph that calls no modules but those that guard it."""
    if isinstance(net, fx.GraphModule):
        called = [str(node.target) for node in net.graph.nodes if node.op == "call_module"]
        return all(name.startswith("_") for name in called)
    return isinstance(net, torch.jit.ScriptModule)


def no_hooks(module: nn.Module | None) -> bool:
    """Whether it takes no hooks, as what TorchScript compiled or loaded."""
    return isinstance(module, RecursiveScriptModule)


def find_layer(classifier: Classifier, layer: str) -> nn.Module:
    """The layer of that name.

    Raises:
        ValueError: there is none, it cannot be seen, or `prepare` made it answer something else.
    """
    check_open(classifier, layer)
    if layer in classifier.folded:
        raise ValueError(
            f"layer {layer!r} of a prepared classifier answers what its batch norm "
            f"{classifier.folded[layer]!r} did; name that one, or use the classifier unprepared"
        )
    try:
        return classifier.net.get_submodule(layer)
    except AttributeError as error:
        names = [name for name, _ in classifier.net.named_modules() if name]
        near = get_close_matches(layer, names, 3) or names[-3:]
        known = f"it has, for example, {', '.join(near)}"
        raise ValueError(f"the network has no layer {layer!r}; {known}") from error
