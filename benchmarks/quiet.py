"""Times that can be trusted: samples taken while other processes work are taken again."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Sample:
    """One run of a job: wall and processor seconds, and how many cores others kept busy."""

    wall: float
    cpu: float
    others: float


def busy() -> float:
    """Seconds that all processors together have worked since the machine started."""
    if not STAT.exists():
        return float("nan")
    ticks = [int(each) for each in STAT.read_text(encoding="utf-8").split("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def worked() -> float:
    """Seconds that this process and those that it started have worked."""
    started = Path(f"/proc/self/task/{os.getpid()}/children")
    pids = started.read_text(encoding="utf-8").split() if started.exists() else []
    stats = [Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") for pid in pids]
    ticks = [int(tick) for stat in stats for tick in stat.rpartition(")")[2].split()[11:13]]
    return time.process_time() + sum(ticks) / os.sysconf("SC_CLK_TCK")


def sample(job: Callable[[], object], least: float) -> Sample:
    """Run a job as often as it takes for `least` seconds, and say what one run took."""
    everyone, own, start, runs = busy(), worked(), time.perf_counter(), 0
    while not runs or time.perf_counter() - start < least:
        job()
        runs += 1
    wall, cpu = time.perf_counter() - start, worked() - own
    return Sample(wall / runs, cpu / runs, (busy() - everyone - cpu) / wall)


def in_turn(
    jobs: Mapping[str, Callable[[], object]],
    rounds: int,
    least: float = 0.5,
    quiet: float = 0.1,
    tries: int = 3,
) -> dict[str, list[Sample]]:
    """Samples of each job, taken in turn; one with others at work is retaken up to `tries` times.

    Args:
        jobs: what is timed.
        rounds: samples of each.
        least: seconds that a sample takes at least, as the kernel counts in hundredths.
        quiet: how many cores others may keep busy.
        tries: after so many the quietest sample stands, and its `others` tells.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            taken = [sample(job, least)]
            while taken[-1].others > quiet and len(taken) < tries:
                taken.append(sample(job, least))
            samples[name].append(min(taken, key=lambda each: each.others))
    return samples
