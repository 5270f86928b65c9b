"""Several questions about the same variants of the same images, for the passes of one.

A study asks why the target rather than the foil, and why either of them alone. A method that only
looks at answers, as those that remove do, sees the same variants each time: what it is told of them
is kept for the other questions while it hears of it for the first.
"""

from collections.abc import Generator, Hashable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from rather.question import Question
from rather.types import Images

Values = Float[Tensor, "questions variants"]
_OPEN: ContextVar["Together | None"] = ContextVar("together", default=None)


class Same:
    """A thing that equals itself alone, and stays as long as this is kept."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def known_as(method: object) -> Hashable:
    """A method by its type and fields: numbers and words by value, in-fills and the like as such.

    Two that are written alike need not be: functions and networks do not say what they hold.
    """
    plain = (int, float, str, type(None))
    fields = vars(method).items()
    return type(method), *(
        (name, value if isinstance(value, plain) else Same(value)) for name, value in fields
    )


@dataclass(eq=False)
class Together:
    """Questions that are asked of the same images, and what is known of each variant by now."""

    questions: Sequence[Question]
    known: dict[Hashable, tuple[Images, Values]] = field(default_factory=dict)

    def values(self, key: Hashable, images: Images) -> Values | None:
        """What was kept under that name of these very images."""
        kept, values = self.known.get((key, id(images)), (None, None))
        return values if kept is images else None

    def keep(self, key: Hashable, images: Images, values: Values) -> None:
        self.known[key, id(images)] = images, values

    def index(self, question: Question) -> int:
        """Which of the questions that is."""
        return next(place for place, one in enumerate(self.questions) if one is question)


@contextmanager
def together(questions: Sequence[Question]) -> Generator[None]:
    """Let methods know, inside the block, which questions will be asked of the same images."""
    token = _OPEN.set(Together(questions))
    try:
        yield
    finally:
        _OPEN.reset(token)


def asked_with(question: Question) -> Together:
    """The questions that are asked together with this one; itself alone, if there are none."""
    found = _OPEN.get()
    if found is None or all(one is not question for one in found.questions):
        return Together((question,))
    return found
