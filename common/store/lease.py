"""The exclusive right to write, kept by Redis itself: see docs/decisions/lease.md."""

from typing import Any

import redis

from common.clock import Clock
from common.errors import LeaseLost, StoreError
from common.meter import Meter
from common.store.batch import Batch
from common.store.errors import redis_errors


class Lease:
    """The right to write one scope of the state, from `begin` to `commit`; `expires` by the monotonic clock."""

    def __init__(self, client: "redis.Redis", key: str, clock: Clock, expires: float, meter: Meter) -> None:
        self._key = key
        self._clock = clock
        self._meter = meter
        self._expires = expires
        self._client = client
        self._pipe: Any = client.pipeline(transaction=True)
        self._held = False
        self._unread = False
        self._watch()
        self._held = True

    def _watch(self) -> None:
        """Send the WATCH, and do not wait for its answer: it arrives while the exchange is asked."""
        self._meter.add("redis")
        try:
            with redis_errors():
                self._pipe.connection = self._client.connection_pool.get_connection()
                self._unread = True
                self._pipe.connection.send_command("WATCH", self._key)
            self._in_time()
        except StoreError:
            self.close()
            raise

    def _watched(self) -> None:
        """Read the answer: from here on it is certain that the lease was still ours when it was watched."""
        with redis_errors():
            self._pipe.parse_response(self._pipe.connection, "WATCH")
            self._unread = False
        self._in_time()

    def _in_time(self) -> None:
        if self._clock.monotonic() >= self._expires:
            # What is watched may already be the lease of another.
            raise LeaseLost("the lease has expired: nothing was stored")

    def commit(self, batch: Batch, *, release: bool = True) -> None:
        """Write the batch in one MULTI, and give the lease back with it. Raises LeaseLost, StoreError.

        Without `release` the lease is watched again, and certain, when this returns.
        """
        if not self._held:
            raise LeaseLost("the lease is not held any more: nothing was stored")
        self._held = False  # a MULTI without the WATCH before it would write unfenced
        if self._unread:
            self._watched()
        self._meter.add("redis")
        with redis_errors():
            self._pipe.multi()
            for write in batch.writes:
                write(self._pipe)
            if release:
                self._pipe.delete(self._key)
            self._pipe.execute()
        if not release:
            self._watch()
            self._watched()
            self._held = True

    def close(self) -> None:
        """Give the connection back; the lease itself, if still held, runs out by its expiry. Never fails.

        A connection with a watch, or an answer on its way, is closed: an UNWATCH could time out.
        """
        self._held = False
        if self._pipe.connection is not None and (self._unread or self._pipe.watching):
            self._pipe.connection.disconnect()
            self._pipe.watching = False
        self._unread = False
        self._pipe.reset()
