"""The lease: one run at a time, fenced by Redis itself, on the embedded Redis and on a real one."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import redis

from common.errors import LeaseLost, StoreCorrupt
from common.meter import Meter
from common.store.batch import Batch
from common.store.keys import Keys
from common.store.lease import Lease
from common.store.store import Begun, Store
from tests.builders import KEYS
from tests.fakes import FakeClock

LEASE_KEY = "bot:QRLUSDT:lease:account"
MARK = "bot:QRLUSDT:run:balance:20260102T1200Z"
SECONDS = 55


@pytest.fixture
def store(any_redis: "redis.Redis", clock: FakeClock) -> Store:
    return Store(any_redis, KEYS, clock)


def begin(store: Store, token: str = "run-1", scope: str = "account", mark: str | None = None) -> Begun:
    return store.begin(scope, token, SECONDS, mark, {}, {}, Meter())


def acquire(store: Store, token: str = "run-1") -> Lease:
    begun = begin(store, token)
    assert begun.acquired
    return store.lease("account", begun, Meter())


def writing(text: str) -> Batch:
    """A batch that leaves `text` under the key `x`."""
    batch = Batch(KEYS, "run-1", "sync-balance")
    batch.set("x", text)
    return batch


def let_time_pass(client: "redis.Redis", milliseconds: int) -> None:
    """Wait until Redis' own clock has moved, without touching a key."""

    def now() -> int:
        seconds, micros = client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    end = now() + milliseconds
    while now() < end:
        pass


# Exclusive


def test_a_run_takes_the_lease_with_its_own_token_and_an_expiry(store: Store, any_redis: "redis.Redis") -> None:
    assert begin(store, "run-1").acquired
    assert any_redis.get(LEASE_KEY) == "run-1"
    ttl: Any = any_redis.pttl(LEASE_KEY)
    assert SECONDS * 1000 - 2_000 < ttl <= SECONDS * 1000


def test_a_lease_may_be_shorter_than_a_second(store: Store, any_redis: "redis.Redis") -> None:
    store.begin("account", "run-1", 0.5, None, {}, {}, Meter())
    ttl: Any = any_redis.pttl(LEASE_KEY)
    assert 0 < ttl <= 500


def test_a_second_run_does_not_get_it_and_does_not_lengthen_it(store: Store, any_redis: "redis.Redis") -> None:
    begin(store, "run-1")
    any_redis.pexpire(LEASE_KEY, 10_000)
    assert not begin(store, "run-2").acquired
    assert any_redis.get(LEASE_KEY) == "run-1"
    ttl: Any = any_redis.pttl(LEASE_KEY)
    assert ttl <= 10_000


def test_a_lease_that_ran_out_can_be_taken_by_another(store: Store, any_redis: "redis.Redis") -> None:
    begin(store, "run-1")
    any_redis.pexpire(LEASE_KEY, 1)
    let_time_pass(any_redis, 3)
    assert begin(store, "run-2").acquired


def test_leases_of_other_scopes_pairs_and_stages_do_not_matter(any_redis: "redis.Redis", clock: FakeClock) -> None:
    store = Store(any_redis, KEYS, clock)
    assert begin(store, scope="account").acquired
    assert begin(store, scope="price").acquired
    assert begin(Store(any_redis, Keys("", "BTCUSDT"), clock)).acquired
    assert begin(Store(any_redis, Keys("dev:", "QRLUSDT"), clock)).acquired
    assert not begin(store, "run-2", scope="price").acquired


def test_of_many_runs_that_begin_at_once_exactly_one_gets_the_lease(store: Store, any_redis: "redis.Redis") -> None:
    threads = 8
    for _ in range(20):
        barrier, acquired = Barrier(threads), list[str]()

        def race(token: str, barrier: Barrier = barrier, acquired: list[str] = acquired) -> None:
            barrier.wait()
            if begin(store, token).acquired:
                acquired.append(token)

        runners = [Thread(target=race, args=(f"run-{number}",)) for number in range(threads)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        assert acquired == [any_redis.get(LEASE_KEY)]
        any_redis.delete(LEASE_KEY)


# Released with what is stored


def test_the_lease_is_given_back_together_with_what_is_stored(store: Store, any_redis: "redis.Redis") -> None:
    acquire(store).commit(writing("stored"))
    assert any_redis.get("x") == "stored"
    assert any_redis.exists(LEASE_KEY) == 0
    assert begin(store, "run-2").acquired


def test_a_run_that_stores_nothing_gives_the_lease_back_too(store: Store, any_redis: "redis.Redis") -> None:
    acquire(store).commit(Batch(KEYS, "run-1", "sync-balance"))
    assert any_redis.exists(LEASE_KEY) == 0


def test_a_run_can_store_in_the_middle_and_keep_the_lease(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    lease.commit(writing("first"), release=False)
    assert any_redis.get("x") == "first"
    assert any_redis.get(LEASE_KEY) == "run-1"
    assert not begin(store, "run-2").acquired
    lease.commit(writing("second"))
    assert any_redis.get("x") == "second"
    assert any_redis.exists(LEASE_KEY) == 0


def test_a_run_that_ends_without_a_commit_gives_the_lease_back(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    lease.close()
    assert any_redis.exists(LEASE_KEY) == 0
    assert begin(store, "run-2").acquired
    lease.close()
    assert any_redis.get(LEASE_KEY) == "run-2", "closed once is closed for good"


def test_a_run_that_ends_after_its_lease_passed_to_another_leaves_that_alone(
    store: Store, any_redis: "redis.Redis"
) -> None:
    lease = acquire(store)
    taken_over(any_redis)
    lease.close()
    assert any_redis.get(LEASE_KEY) == "run-2"


def test_a_run_that_does_not_get_the_lease_is_told_who_has_it_and_for_how_long(
    store: Store, any_redis: "redis.Redis"
) -> None:
    assert SECONDS - 2 < begin(store, "cost:20260102T1200Z:1").left <= SECONDS
    any_redis.pexpire(LEASE_KEY, 7_000)
    begun = begin(store, "run-2")
    assert (begun.acquired, begun.token) == (False, "cost:20260102T1200Z:1")
    assert 5 < begun.left <= 7


def test_a_lease_that_was_closed_writes_nothing_more(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    lease.close()
    with pytest.raises(LeaseLost):
        lease.commit(writing("stored"))
    assert any_redis.exists("x") == 0


def test_a_lease_that_was_given_back_writes_nothing_more(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    lease.commit(writing("stored"))
    with pytest.raises(LeaseLost):
        lease.commit(writing("again"))
    assert any_redis.get("x") == "stored"


def test_the_watched_connection_is_used_again_without_its_watch(store: Store, any_redis: "redis.Redis") -> None:
    for number in range(40):
        lease = acquire(store, f"run-{number}")
        if number % 2:
            lease.close()
            any_redis.delete(LEASE_KEY)
        else:
            lease.commit(writing(str(number)))
    assert any_redis.get("x") == "38"


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_run_that_ends_early_leaves_no_watch_on_the_connection_of_the_next(
    store: Store, any_redis: "redis.Redis", checkpoint: bool
) -> None:
    """A watch left behind would make the next run's first MULTI fail for no reason."""
    lease = acquire(store)
    if checkpoint:
        lease.commit(writing("first"), release=False)
    lease.close()
    any_redis.delete(LEASE_KEY)
    lease = acquire(store, "run-2")
    lease.commit(writing("second"))
    assert any_redis.get("x") == "second"


# Fenced

Losing = Callable[["redis.Redis"], object]


def deleted(client: "redis.Redis") -> None:
    client.delete(LEASE_KEY)


def expired(client: "redis.Redis") -> None:
    client.pexpire(LEASE_KEY, 1)
    let_time_pass(client, 3)


def expired_and_taken(client: "redis.Redis") -> None:
    expired(client)
    assert client.set(LEASE_KEY, "run-2", nx=True, px=SECONDS * 1000)


def taken_over(client: "redis.Redis") -> None:
    client.set(LEASE_KEY, "run-2", px=SECONDS * 1000)


def taken_and_given_back(client: "redis.Redis") -> None:
    expired_and_taken(client)
    client.delete(LEASE_KEY)


LOSSES = [deleted, expired, expired_and_taken, taken_over, taken_and_given_back]


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize("lose", LOSSES)
def test_a_run_that_lost_its_lease_stores_nothing(
    store: Store, any_redis: "redis.Redis", lose: Losing, release: bool
) -> None:
    lease = acquire(store)
    lose(any_redis)
    before = any_redis.get(LEASE_KEY)
    with pytest.raises(LeaseLost, match="nothing was stored"):
        lease.commit(writing("stored"), release=release)
    assert any_redis.exists("x") == 0
    assert any_redis.get(LEASE_KEY) == before, "the lease of the other run is left alone"


@pytest.mark.parametrize("lose", LOSSES)
def test_a_run_that_loses_its_lease_after_storing_once_stores_no_more(
    store: Store, any_redis: "redis.Redis", lose: Losing
) -> None:
    lease = acquire(store)
    lease.commit(writing("first"), release=False)
    lose(any_redis)
    with pytest.raises(LeaseLost):
        lease.commit(writing("second"))
    assert any_redis.get("x") == "first"


def test_a_run_that_lost_its_lease_cannot_try_again(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    taken_over(any_redis)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            lease.commit(writing("stored"))
    assert any_redis.exists("x") == 0


@pytest.mark.parametrize("taken", [True, False])
def test_a_process_that_froze_between_begin_and_watch_does_not_write_under_the_lease_of_another(
    store: Store, any_redis: "redis.Redis", clock: FakeClock, taken: bool
) -> None:
    begun = begin(store)
    clock.move(SECONDS)
    taken_over(any_redis) if taken else deleted(any_redis)
    with pytest.raises(LeaseLost):
        store.lease("account", begun, Meter())
    assert any_redis.get(LEASE_KEY) == ("run-2" if taken else None)


def test_a_process_that_froze_after_a_checkpoint_does_not_write_under_the_lease_of_another(
    store: Store, any_redis: "redis.Redis", clock: FakeClock
) -> None:
    """The write in the middle went through in time; the lease passed before it was watched again."""
    lease = acquire(store)
    batch = writing("first")
    batch.writes.append(lambda pipe: clock.move(SECONDS))
    with pytest.raises(LeaseLost):
        lease.commit(batch, release=False)
    with pytest.raises(LeaseLost):
        lease.commit(writing("second"))
    assert any_redis.get("x") == "first"


def test_the_life_of_a_lease_counts_from_before_it_was_asked_for(store: Store, clock: FakeClock) -> None:
    start = clock.monotonic()
    assert begin(store).expires == start + SECONDS


def test_a_lease_just_inside_its_life_is_good(store: Store, any_redis: "redis.Redis", clock: FakeClock) -> None:
    begun = begin(store)
    clock.move(SECONDS - 0.001)
    store.lease("account", begun, Meter()).commit(writing("stored"))
    assert any_redis.get("x") == "stored"


def test_other_writes_to_redis_do_not_disturb_a_run(store: Store, any_redis: "redis.Redis") -> None:
    lease = acquire(store)
    any_redis.set("x", "before")
    begin(store, scope="price")
    assert not begin(store, "run-2").acquired
    lease.commit(writing("stored"))
    assert any_redis.get("x") == "stored"


# A slot that was answered


def test_a_slot_that_was_answered_gives_that_answer_and_leaves_no_lease(
    store: Store, any_redis: "redis.Redis"
) -> None:
    any_redis.set(MARK, '{"status":"success"}', ex=60)
    begun = begin(store, "run-2", mark=MARK)
    assert begun.answer == '{"status":"success"}'
    assert any_redis.exists(LEASE_KEY) == 0


def test_a_slot_that_was_answered_is_answered_while_another_run_is_under_way(
    store: Store, any_redis: "redis.Redis"
) -> None:
    any_redis.set(MARK, '{"status":"success"}', ex=60)
    begin(store, "run-1")
    begun = begin(store, "run-2", mark=MARK)
    assert (begun.acquired, begun.answer) == (False, '{"status":"success"}')
    assert any_redis.get(LEASE_KEY) == "run-1"


def test_a_slot_that_was_not_answered_has_no_answer(store: Store) -> None:
    begun = begin(store, mark=MARK)
    assert (begun.acquired, begun.answer) == (True, None)


def test_the_answer_is_the_text_that_was_given_to_the_byte(store: Store) -> None:
    answer = '{"status":"success","price":0.10,"text":"账号 \\" "}'
    batch = Batch(KEYS, "run-1", "sync-balance")
    batch.run_mark("balance", "20260102T1200Z", answer)
    acquire(store).commit(batch)
    assert begin(store, "run-2", mark=MARK).answer == answer


class Interrupted:
    """A client to which something happens just before it gives the lease back."""

    def __init__(self, client: "redis.Redis", happens: Losing) -> None:
        self._client = client
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        pipe: Any = self._client.pipeline(*args, **kwargs)
        watch = pipe.watch

        def interrupted(*names: str) -> Any:
            self._happens(self._client)
            return watch(*names)

        pipe.watch = interrupted
        return pipe


def test_giving_back_spares_a_lease_that_passed_to_another(any_redis: "redis.Redis", clock: FakeClock) -> None:
    any_redis.set(MARK, "{}", ex=60)
    client: Any = Interrupted(any_redis, expired_and_taken)
    assert begin(Store(client, KEYS, clock), "run-1", mark=MARK).answer == "{}"
    assert any_redis.get(LEASE_KEY) == "run-2"


def test_a_lease_that_cannot_be_given_back_is_a_warning_and_no_error(
    any_redis: "redis.Redis", clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_: "redis.Redis") -> None:
        raise redis.ConnectionError("secret.host:6379")

    any_redis.set(MARK, "{}", ex=60)
    client: Any = Interrupted(any_redis, breaks)
    assert begin(Store(client, KEYS, clock), "run-1", mark=MARK).answer == "{}"
    assert any_redis.get(LEASE_KEY) == "run-1"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "secret.host" not in caplog.text


def test_a_lease_is_given_back_in_one_attempt_by_a_loading_redis(
    store_client: "redis.Redis", clock: FakeClock
) -> None:
    """A Redis that loads its data answers a WATCH, and refuses what follows."""
    watched: list[str] = []

    class Loading(Interrupted):
        def pipeline(self, *args: Any, **kwargs: Any) -> Any:
            pipe = super().pipeline(*args, **kwargs)
            if watched:
                pipe.get = loading
            return pipe

    def loading(*_: str) -> Any:
        raise redis.exceptions.BusyLoadingError("LOADING Redis is loading the dataset in memory")

    client: Any = Loading(store_client, lambda _: watched.append("lease"))
    acquire(Store(client, KEYS, clock)).close()
    assert watched == ["lease", "lease"]
    assert store_client.get(LEASE_KEY) == "run-1"


# Keys that hold what they must not


def test_a_lease_key_of_the_wrong_type_is_named_and_not_taken_for_another_run(
    store: Store, any_redis: "redis.Redis"
) -> None:
    """Otherwise every run would step back for ever, and say that all is well."""
    any_redis.lpush(LEASE_KEY, "what is this")
    with pytest.raises(StoreCorrupt, match=LEASE_KEY):
        begin(store)


def test_a_run_mark_of_the_wrong_type_is_named_and_the_lease_given_back(
    store: Store, any_redis: "redis.Redis"
) -> None:
    any_redis.lpush(MARK, "what is this")
    with pytest.raises(StoreCorrupt, match=MARK):
        begin(store, mark=MARK)
    assert any_redis.exists(LEASE_KEY) == 0
