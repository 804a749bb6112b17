"""The exclusive right to write, enforced by Redis itself: see docs/decisions/lease.md."""

from collections.abc import Callable
from typing import Any

import redis

from common.clock import Clock
from common.errors import LeaseLost, StoreError
from common.meter import Meter
from common.store.batch import Batch
from common.store.errors import redis_errors


class Lease:
    """The right to write one scope of the state, from `begin` to `commit`; `expires` by the monotonic clock.

    `give_back` compares and deletes by the run's own token, and never fails.
    """

    def __init__(
        self,
        client: "redis.Redis",
        key: str,
        clock: Clock,
        expires: float,
        meter: Meter,
        give_back: Callable[[], None],
    ) -> None:
        self._key = key
        self._clock = clock
        self._meter = meter
        self._expires = expires
        self._give_back = give_back
        self._pipe: Any = client.pipeline(transaction=True)
        self._watched = False
        self._released = False
        self._watch()

    def _watch(self) -> None:
        """Watch the lease; a reply before it expires proves that it was still ours."""
        self._meter.add("redis")
        try:
            with redis_errors():
                self._pipe.watch(self._key)
            if self._clock.monotonic() >= self._expires:
                raise LeaseLost("the lease has expired: nothing was stored")
        except StoreError:
            self.close()
            raise
        self._watched = True

    def commit(self, batch: Batch, *, release: bool = True) -> None:
        """Write the batch in one MULTI, and give the lease back with it. Raises LeaseLost, StoreError.

        Without `release` the lease is watched again when this returns, and still ours.
        """
        if not self._watched:
            raise LeaseLost("the lease is not held any more: nothing was stored")
        self._watched = False  # a MULTI without the WATCH before it would write unfenced
        self._meter.add("redis")
        with redis_errors():
            self._pipe.multi()
            for write in batch.writes:
                write(self._pipe)
            if release:
                self._pipe.delete(self._key)
            self._pipe.execute()
        if release:
            self._released = True
        else:
            self._watch()

    def close(self) -> None:
        """Give back the connection, and the lease if no commit has done so, however the run ended. Never fails.

        A connection with a watch is closed: an UNWATCH could time out. A MULTI still on its way when the lease is
        deleted stores nothing, because the key it watches has changed.
        """
        self._watched = False
        if self._pipe.connection is not None and self._pipe.watching:
            self._pipe.connection.disconnect()
            self._pipe.watching = False
        self._pipe.reset()
        if not self._released:
            self._released = True
            self._give_back()
