"""A process that runs the bot: it can end at any step, and all it knew is gone then."""

from datetime import datetime
from typing import Protocol

from common.service import Bot
from tests.simulation.faults import Fault, Side, Step, When
from tests.simulation.timeline import Timeline


class Crash(BaseException):
    """The process has ended; nothing in the bot catches it, and what its `finally` does reaches nobody."""


class Surroundings(Protocol):
    """What a process lives in (world.py)."""

    timeline: Timeline

    def new_step(self, process: str, side: Side, name: str) -> Step: ...

    def meet(self, process: "Process", step: Step, when: When) -> Fault | None: ...

    def frozen(self, process: "Process") -> float: ...


class Process:
    """One instance of one function; runs that overlap in it share its bot, and its end."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.alive = True
        self.bot: Bot
        self._surroundings = surroundings

    def end(self) -> None:
        self.alive = False

    def check(self) -> None:
        if not self.alive:
            raise Crash(self.name)

    def wait(self, seconds: float) -> None:
        self._surroundings.timeline.wait(seconds)
        self.check()

    def step(self, side: Side, name: str) -> Step:
        self.check()
        return self._surroundings.new_step(self.name, side, name)

    def meet(self, step: Step, when: When) -> Fault | None:
        """What goes wrong there for this side to carry out; what befalls the process itself has happened then."""
        fault = self._surroundings.meet(self, step, when)
        self.check()
        return fault

    def freeze(self) -> None:
        """Stand still before the clock is read, if that is what is to happen."""
        self.check()
        seconds = self._surroundings.frozen(self)
        if seconds:
            self.wait(seconds)


class ProcessClock:
    """The simulated time as one process sees it."""

    def __init__(self, process: Process, timeline: Timeline) -> None:
        self._process = process
        self._timeline = timeline
        self._start = timeline.now

    def now(self) -> datetime:
        self._process.freeze()
        return self._timeline.now

    def monotonic(self) -> float:
        self._process.freeze()
        return (self._timeline.now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self._process.wait(seconds)
