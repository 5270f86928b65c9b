import pytest
from torch import nn

from rather import Classifier
from rather.data.classes import resolve
from rather.models.imagenet import ids, synonyms
from rather.view import View


def classifier(names: tuple[str, ...] = (), known: tuple[str, ...] = ()) -> Classifier:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 5)).eval()
    return Classifier(net, names=names, ids=known, view=View(2, 2), name="small")


IMAGENET = classifier(synonyms(), ids())


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("281", 281),
        ("n02123045", 281),
        ("N02123045", 281),
        ("tabby", 281),
        ("tabby, tabby cat", 281),
        ("  Tabby   CAT ", 281),
        ("Egyptian cat", 285),
        ("egypt", 285),
        ("golden", 207),
        ("tiger", 292),  # all of a synonym goes before "tiger cat"
        ("maillot, tank suit", 639),
        ("999", 999),
    ],
)
def test_a_class_is_found_by_index_identifier_and_name(text: str, index: int) -> None:
    assert resolve(text, IMAGENET) == index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crane", r"2 classes: 134: crane; 517: crane. Give the index"),
        ("cardigan", r"264: Cardigan, Cardigan Welsh corgi; 474: cardigan"),
        ("retriever", r"5 classes: 205: .*; 209: Chesapeake Bay retriever"),
        ("dog", r"; and 2 more"),
        ("tabbby", r"near to it are 281: tabby"),
        ("xqzw", r"nothing is near to it"),
        ("n00000000", r"called 'n00000000'"),
        ("1000", r"no class 1000: small knows 1000, numbered 0 to 999"),
        ("-1", r"no class -1"),
        (" ", r"no class is given"),
        ("(", r"no class of small is called '\('"),
    ],
)
def test_what_names_no_class_or_several_says_so(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(text, IMAGENET)


def test_without_names_only_an_index_counts_and_the_network_tells_its_range() -> None:
    assert resolve("4", classifier()) == 4
    with pytest.raises(ValueError, match="small knows 5, numbered 0 to 4"):
        resolve("5", classifier())
    with pytest.raises(ValueError, match="no class names, so 'tabby' says nothing; give an index"):
        resolve("tabby", classifier())


def test_a_number_that_is_also_a_name_is_not_guessed() -> None:
    digits = classifier(tuple("01234"))
    assert [resolve(str(digit), digits) for digit in range(5)] == [0, 1, 2, 3, 4]
    from_one = classifier(tuple("12345"))
    assert resolve("0", from_one) == 0
    assert resolve("5", from_one) == 4
    with pytest.raises(ValueError, match="'1' may mean 2 classes: 0: 1; 1: 2"):
        resolve("1", from_one)
