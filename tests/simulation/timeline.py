"""Simulated time, and the actors that live in it: threads with one baton, so that exactly one runs at a time."""

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock, Thread

Action = Callable[[], None]


class Stopped(BaseException):
    """The simulation has ended while this actor waited; nothing in the bot catches it."""


class _Actor:
    """One delivery on its way: it runs when it holds the baton, and has it back when time has come to `wake`."""

    def __init__(self, number: int, wake: datetime, work: Action) -> None:
        self.number = number
        self.wake = wake
        self.work = work
        self.baton = Lock()
        self.baton.acquire()


class Timeline:
    """Time goes on only while everybody waits: then it is what the next in line has waited for."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._due: list[tuple[datetime, int, Action]] = []
        self._planned = 0
        self._actors: list[_Actor] = []
        self._running: _Actor | None = None
        self._all_done = Lock()
        self._failure: BaseException | None = None

    @property
    def actor(self) -> int:
        """Who runs now; 0 outside of `play`."""
        return self._running.number if self._running else 0

    def at(self, moment: datetime, action: Action) -> None:
        """Have something happen by itself at that time, whoever runs then."""
        self._planned += 1
        heapq.heappush(self._due, (moment, self._planned, action))

    def wait(self, seconds: float) -> None:
        """Go on `seconds` later; others may run in between."""
        wake = self.now + timedelta(seconds=seconds)
        me = self._running
        if me is None:
            self._advance(wake)
            return
        me.wake = wake
        following = self._next()
        self._advance(following.wake)
        if following is not me:
            self._hand_over(following)
            me.baton.acquire()
        if self._failure is not None:
            raise Stopped

    def play(self, deliveries: Sequence[tuple[datetime, Action]]) -> None:
        """Run actors, each from its own time on, until all have ended. Raises what ended one of them."""
        self._actors = [_Actor(number, max(at, self.now), do) for number, (at, do) in enumerate(deliveries, 1)]
        if len(self._actors) == 1:
            self._alone(self._actors[0])
        elif self._actors:
            self._all_done.acquire()
            threads = [Thread(target=self._act, args=(actor,), daemon=True) for actor in self._actors]
            for thread in threads:
                thread.start()
            first = self._next()
            self._advance(first.wake)
            self._hand_over(first)
            self._all_done.acquire()
            self._all_done.release()
            for thread in threads:
                thread.join()
        self._running = None
        if self._failure is not None:
            raise self._failure

    def _alone(self, actor: _Actor) -> None:
        """Without others there is nobody to take turns with: no thread is needed."""
        self._advance(actor.wake)
        self._running = actor
        try:
            actor.work()
        finally:
            self._actors, self._running = [], None

    def _act(self, actor: _Actor) -> None:
        actor.baton.acquire()
        try:
            if self._failure is None:
                actor.work()
        except Stopped:
            pass
        except BaseException as failure:  # noqa: BLE001 - kept for `play`, which raises it
            self._failure = self._failure or failure
        self._actors.remove(actor)
        if not self._actors:
            self._all_done.release()
            return
        following = self._next()
        try:
            if self._failure is None:
                self._advance(following.wake)
        except BaseException as failure:  # noqa: BLE001 - likewise
            self._failure = failure
        self._hand_over(following)

    def _next(self) -> _Actor:
        return min(self._actors, key=lambda actor: (actor.wake, actor.number))

    def _hand_over(self, actor: _Actor) -> None:
        self._running = actor
        actor.baton.release()

    def _advance(self, moment: datetime) -> None:
        """Let time come to `moment`, and happen what was planned until then."""
        while self._due and self._due[0][0] <= moment:
            at, _, action = heapq.heappop(self._due)
            self.now = max(self.now, at)
            action()
        self.now = max(self.now, moment)
