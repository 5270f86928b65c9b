"""What `as_published()` gives, field by field, and where it is said which settings ran."""

from dataclasses import fields
from inspect import signature
from typing import Any

import pytest

from rather import explainers
from rather.explainers import (
    Bbmp,
    Fido,
    IntegratedGradients,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    Rise,
    Slic,
)
from rather.infillers import Blur, KeptMean, MeanColour
from rather.report.words import settings
from rather.spec import build

KNOWN = {name: getattr(explainers, name) for name in explainers.__all__}
KNOWN |= {"KeptMean": KeptMean}
PUBLISHED: list[tuple[Any, dict[str, Any]]] = [
    (
        Fido.as_published(KeptMean(), "sdr"),
        {
            "infiller": KeptMean(),
            "objective": "sdr",
            "cell": 4,
            "levels": 1,
            "steps": 300,
            "rate": 0.05,
            "samples": 8,
            "temperature": 0.1,
            "area": pytest.approx(1e-3 * 224 * 224),
            "smooth": 0.0,
            "warmup": 30,
            "noise": "pixel",
            "align_corners": True,
            "map_from": "logit",
            "antithetic": False,
            "refresh": 1,
            "tolerance": 0.0,
            "seed": 1,
        },
    ),
    (
        Bbmp.as_published(KeptMean(), "sdr"),
        {
            "infiller": KeptMean(),
            "objective": "sdr",
            "cell": 4,
            "steps": 300,
            "rate": 0.05,
            "area": pytest.approx(5e-3 * 224 * 224),
            "smooth": 0.0,
            "seen_at": 1.0,
            "explore": False,
        },
    ),
    (
        MeaningfulPerturbation.as_published(),
        {
            "infiller": Blur(sigma=10.0),
            "cells": 28,
            "upsample": "nearest",
            "init": "random",
            "steps": 300,
            "rate": 0.1,
            "area": pytest.approx(1e-4 * 28 * 28),
            "fraction": None,
            "smooth": 0.01,
            "exponent": 3.0,
            "jitter": 4,
            "jitter_keep": False,
            "binary": False,
            "threshold": "midrange",
            "output": "probability",
            "seed": 0,
        },
    ),
    (MeaningfulPerturbation.as_published(KeptMean()), {"binary": True, "infiller": KeptMean()}),
    (
        Lime.as_published(),
        {
            "infiller": MeanColour(),
            "segmenter": Slic(50, compactness=30.0, sigma=3.0),
            "samples": 500,
            "antithetic": False,
            "kernel_width": 0.25,
            "ridge": 1.0,
            "output": "probability",
            "draws": 1,
            "seeds": 1,
            "seed": 0,
        },
    ),
    (
        Rise.as_published(),
        {
            "infiller": MeanColour(),
            "samples": 4000,
            "cells": 7,
            "share": 0.5,
            "centred": False,
            "output": "probability",
            "draws": 1,
        },
    ),
    (
        Occlusion.as_published(),
        {
            "infiller": MeanColour(),
            "size": 29,
            "stride": 3,
            "place": "stretch",
            "output": "probability",
        },
    ),
]


@pytest.mark.parametrize(("method", "values"), PUBLISHED, ids=lambda one: type(one).__name__)
def test_every_value_is_the_published_one(method: Any, values: dict[str, Any]) -> None:
    assert {name: getattr(method, name) for name in values} == values


def test_a_report_can_say_of_every_method_whose_settings_it_has() -> None:
    for name in explainers.__all__:
        make = getattr(KNOWN[name], "as_published", None)
        if make is None:
            continue
        asked = {key: f"some {key}" for key in signature(make).parameters if key == "weights"}
        assert settings(make(**asked)) == "as published", name
        own = {field.name for field in fields(KNOWN[name])}
        assert own >= set(signature(make).parameters), name
    assert settings(Fido(seed=1)) == "the library's own, not the paper's"
    assert settings(Fido.as_published(KeptMean(), "joint")) == "as published"
    assert settings(KeptMean()) is None


def test_published_settings_can_be_asked_for_in_words() -> None:
    assert build("Fido.as_published()", KNOWN) == Fido.as_published()
    asked = build('Fido.as_published(KeptMean(), objective="sdr")', KNOWN)
    assert asked == Fido.as_published(KeptMean(), "sdr")
    dapi = IntegratedGradients.as_in_dapi()
    assert build("IntegratedGradients.as_in_dapi()", KNOWN) == dapi
    with pytest.raises(ValueError, match=r"called 'as_in_papi'; did you mean 'as_in_dapi'\?"):
        build("IntegratedGradients.as_in_papi()", KNOWN)
    with pytest.raises(ValueError, match="KeptMean has no settings of a paper"):
        build("KeptMean.as_published()", KNOWN)
    with pytest.raises(ValueError, match=r"no field of Fido\.as_published is called 'steps'"):
        build("Fido.as_published(steps=3)", KNOWN)
    with pytest.raises(ValueError, match=r"'Fido\.mro' is neither a literal nor"):
        build("Fido.mro()", KNOWN)
    with pytest.raises(ValueError, match=r"'Fido\.as_published' is neither a literal nor"):
        build("Fido.as_published", KNOWN)
