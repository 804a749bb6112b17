"""Queued writes: the Redis commands that store each kind of state (contract.md §3)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from common.clock import milliseconds
from common.decimal_json import to_hash, to_redis
from common.meter import Reply
from common.redact import UNSIGNED, Redact
from common.store.keys import HISTORY_LIMIT, PRICE_CACHE_SECONDS, RUN_MARK_SECONDS, Keys


def aside(key: str, at: datetime) -> str:
    """The key that what is moved away from another goes to: nothing is ever deleted."""
    return f"{key}:aside:{at:%Y%m%dT%H%M%SZ}"


class Batch:
    """Writes that go to Redis together or not at all."""

    def __init__(self, keys: Keys, run_id: str, task: str, redact: Redact = UNSIGNED) -> None:
        """`redact` removes from every text what must not be stored (common/redact.py)."""
        self.keys = keys
        self.run_id = run_id
        self._task = task
        self._redact = redact
        self.reply_count = 0
        self.writes: list[Callable[[Any], object]] = []

    def fork(self) -> "Batch":
        """An empty batch of the same run: a leg that fails is dropped with everything it queued."""
        return Batch(self.keys, f"{self.run_id}.{len(self.writes)}", self._task, self._redact)

    def next(self) -> "Batch":
        """An empty batch that continues where this one ends."""
        batch = Batch(self.keys, self.run_id, self._task, self._redact)
        batch.reply_count = self.reply_count
        return batch

    def extend(self, other: "Batch") -> None:
        self.writes += other.writes

    def raw(self, reply: Reply) -> None:
        """Store the exchange's reply unaltered, as the latest and in the history."""
        self.reply_count += 1
        stamp = milliseconds(reply.received_at)
        metadata = {"task": self._task, "source": "MEXC v3", "id": f"{self.run_id}.{self.reply_count}"}
        document = (
            f'{{"response":{reply.text},"timestamp":{stamp},'
            f'"datetime":"{reply.received_at.isoformat()}","metadata":{to_redis(metadata)}}}'
        )
        text = self._redact(document)
        self._set(self.keys.raw_latest(reply.endpoint), text)
        self._append(self.keys.raw_history(reply.endpoint), text, stamp)

    def document(self, key: str, document: Any) -> None:
        self.set(key, to_redis(document))

    def document_once(self, key: str, document: Any) -> None:
        """Store only if the key does not exist yet."""
        text = self._redact(to_redis(document))
        self.writes.append(lambda pipe: pipe.set(key, text, nx=True))

    def hash(self, key: str, fields: Mapping[str, Any]) -> None:
        texts = {name: self._redact(text) for name, text in to_hash(fields).items()}
        self.writes.append(lambda pipe: pipe.hset(key, mapping=texts))

    def hash_delete(self, key: str, field: str) -> None:
        self.writes.append(lambda pipe: pipe.hdel(key, field))

    def price(self, price: Mapping[str, Any], at: datetime) -> None:
        """Store the latest price for good, the cached one for 30 s, and a point of the history."""
        text = self._redact(to_redis(price))
        self._set(self.keys.price_latest, text)
        self._set(self.keys.price_cached, text, seconds=PRICE_CACHE_SECONDS)
        self._append(self.keys.price_history, text, milliseconds(at))

    def plan(self, plan: Mapping[str, Any]) -> None:
        self._latest(self.keys.plan_last, self.keys.plan_history, plan)

    def report(self, job: str, report: Mapping[str, Any]) -> None:
        self._latest(self.keys.report_last(job), self.keys.report_history(job), report)

    def _latest(self, key: str, history: str, document: Any) -> None:
        """Store as the last of its kind, and as the newest of a trimmed history."""
        text = self._redact(to_redis(document))
        self._set(key, text)
        self._push(history, text)

    def members(self, key: str, documents: Sequence[tuple[int, Any]]) -> None:
        """Add to a sorted set that is never trimmed; the same member twice is stored once."""
        if documents:
            scores = {self._redact(to_redis(document)): score for score, document in documents}
            self.writes.append(lambda pipe: pipe.zadd(key, scores))

    def at_score(self, key: str, document: Any, score: int) -> None:
        """Add to a sorted set with one document a time, replacing one of the same time."""
        text = self._redact(to_redis(document))
        self.writes.append(lambda pipe: pipe.zremrangebyscore(key, score, score))
        self.writes.append(lambda pipe: pipe.zadd(key, {text: score}))

    def trimmed(self, key: str) -> None:
        """Keep only the newest `HISTORY_LIMIT` members of a sorted set."""
        self.writes.append(lambda pipe: pipe.zremrangebyrank(key, 0, -HISTORY_LIMIT - 1))

    def set(self, key: str, text: str, seconds: int | None = None) -> None:
        self._set(key, self._redact(text), seconds)

    def _set(self, key: str, text: str, seconds: int | None = None) -> None:
        self.writes.append(lambda pipe: pipe.set(key, text, ex=seconds))

    def delete(self, key: str) -> None:
        self.writes.append(lambda pipe: pipe.delete(key))

    def set_aside(self, key: str, at: datetime) -> str:
        """Queue the move of a whole key that is there, and return the key that it goes to."""
        moved = aside(key, at)
        self.writes.append(lambda pipe: pipe.rename(key, moved))
        return moved

    def append(self, key: str, text: str, score: int) -> None:
        """Add to a trimmed history, a sorted set by milliseconds."""
        self._append(key, self._redact(text), score)

    def _append(self, key: str, text: str, score: int) -> None:
        self.writes.append(lambda pipe: pipe.zadd(key, {text: score}))
        self.writes.append(lambda pipe: pipe.zremrangebyrank(key, 0, -HISTORY_LIMIT - 1))

    def push_document(self, key: str, document: Any) -> None:
        """Push onto a trimmed history, a list, newest first."""
        self._push(key, self._redact(to_redis(document)))

    def _push(self, key: str, text: str) -> None:
        self.writes.append(lambda pipe: pipe.lpush(key, text))
        self.writes.append(lambda pipe: pipe.ltrim(key, 0, HISTORY_LIMIT - 1))

    def run_mark(self, job: str, slot: str, answer: str) -> None:
        self.set(self.keys.run_mark(job, slot), answer, seconds=RUN_MARK_SECONDS)
