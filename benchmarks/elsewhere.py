"""Jobs in a process of their own, so that they run with malloc as it comes, as users have it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from rather.memory import ENVIRONMENT

DONE = "done"


class Elsewhere:
    """A script that does the jobs it is told by name: one that calls `serve`.

    Args:
        script: what is run.
        arguments: its command line.
    """

    def __init__(self, script: Path, arguments: list[str]) -> None:
        usual = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=usual,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def job(self, name: str) -> Callable[[], None]:
        """Does it there, and returns when it is done."""
        return lambda: self.do(name)

    def do(self, name: str) -> None:
        """Raises `ChildProcessError` where the other process ended instead of answering."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != DONE:
            raise ChildProcessError(f"the process that should do {name!r} ended; see above")


def serve(jobs: Mapping[str, Callable[[], object]]) -> None:
    """Do what is asked for, line by line, until there is no more."""
    for line in sys.stdin:
        jobs[line.strip()]()
        print(DONE, flush=True)
