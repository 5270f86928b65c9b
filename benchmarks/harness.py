"""What every benchmark shares: a table on the screen, a JSON file beside it, honest intervals."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from rather.explainer import versions

ROOT = Path(__file__).resolve().parent
DATA = Path(os.environ.get("RATHER_DATA", ROOT.parent.parent / "shared" / "data"))


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table."""
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console(width=160).print(table)


def record(
    name: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    folder: Path = ROOT / "results",
    **also: Any,
) -> Path:
    """Print rows as a table and write them to `FOLDER/NAME.json` with all that made them."""
    show(title, rows)
    path = folder / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    found = {
        "title": title,
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "settings": dict(settings),
        "versions": versions(),
        "machine": machine(),
        "rows": list(rows),
        **also,
    }
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def machine() -> dict[str, Any]:
    """Facts about the processor and the thread settings that speeds depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    flags = next((line for line in lines if line.startswith("flags")), "")
    return {
        "system": platform.platform(),
        "processor": model or platform.processor(),
        "avx512": "avx512f" in flags,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "malloc": {key: os.environ[key] for key in os.environ if key.startswith("MALLOC_")},
    }


def bootstrap(
    values: Sequence[float], seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """Mean of the finite values and the ends of its 95 % interval over resampled images."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return float("nan"), float("nan"), float("nan")
    rows = np.random.default_rng(seed).integers(0, len(finite), (resamples, len(finite)))
    low, high = np.quantile(finite[rows].mean(1), (0.025, 0.975))
    return float(finite.mean()), float(low), float(high)


def side_by_side(
    jobs: Mapping[str, Callable[[], object]], rounds: int = 5, warm_up: int = 1, long: float = 2.0
) -> dict[str, list[float]]:
    """Seconds of each job, run in turn for several rounds, so that noise hits all alike.

    A job that takes `long` seconds or more is run once, and its time stands for every round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(warm_up + rounds):
        for name, job in jobs.items():
            if max(seconds[name], default=0.0) >= long:
                seconds[name].append(seconds[name][0])
                continue
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    return {name: every[warm_up:] for name, every in seconds.items()}


def placeless(method: object) -> str:
    """What made something, in words, without the place where this machine keeps the data."""
    return repr(method).replace(str(DATA), "DATA")


def digest(path: Path) -> str:
    """The first 12 digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
