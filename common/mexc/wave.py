"""Independent calls that go out together: one wave takes as long as its slowest call."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from common.errors import BotError

WIDTH = 12
"""Calls in the largest wave, so that none waits for another: a first 15-minute run asks for five windows of
fills, for account, price, order book and open orders, and makes three calls about the pair's rules."""


class Wave:
    """The outcomes of one wave by name: a value, or the error it ended in."""

    def __init__(self, outcomes: Mapping[str, Any]) -> None:
        self._outcomes = outcomes

    def __contains__(self, name: str) -> bool:
        return name in self._outcomes

    def get(self, name: str) -> Any:
        """The value of one call. Raises the BotError that the call raised."""
        outcome = self._outcomes[name]
        if isinstance(outcome, BotError):
            raise outcome
        return outcome

    def values(self) -> list[Any]:
        """The results of the calls that succeeded."""
        return [outcome for outcome in self._outcomes.values() if not isinstance(outcome, BotError)]

    def error(self, name: str) -> BotError | None:
        outcome = self._outcomes.get(name)
        return outcome if isinstance(outcome, BotError) else None


def together(pool: Executor, calls: Mapping[str, Callable[[], Any]]) -> Wave:
    """Make the calls in parallel, the last on this thread. A bug (not a BotError) is raised, not kept."""
    *others, last = calls.items()
    futures = {name: pool.submit(_outcome, call) for name, call in others}
    outcomes = {last[0]: _outcome(last[1])}
    outcomes |= {name: future.result() for name, future in futures.items()}
    return Wave(outcomes)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BotError as error:
        return error
