"""The cases, what must hold after each, and the table of what came of them."""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from common.jobs import fifteen_min_job
from common.ops.views import VIEWS
from common.store.keys import CacheKeys, Keys
from common.store.state import reads
from tests.builders import told
from tests.fakes import NOON, Call
from tests.faults.mutations import MISSING, MUTATIONS, NEVER_BELIEVED, Path, mutated, paths
from tests.faults.world import Kept, Venue, World

ASKED = {
    "price": ("ticker/24hr",),
    "balance": ("account",),
    "cost": ("ticker/price", "myTrades"),
    "fifteen_min_job": (
        *("account", "ticker/price", "depth", "openOrders", "exchangeInfo", "tradeFee", "selfSymbols"),
        *("myTrades", "order"),
    ),
}
"""What each job reads of the exchange."""
START = NOON - timedelta(minutes=30)


@dataclass(frozen=True)
class Case:
    """One field of one input, spoilt in one way; `where` is an endpoint, or a key and its field."""

    job: str
    where: tuple[str, ...]
    path: Path
    mutation: str

    def __str__(self) -> str:
        place = ".".join(map(str, self.path)) or "the whole"
        return f"{' '.join(filter(None, self.where))}: {place} {self.mutation}, {self.job}"


@dataclass(frozen=True)
class Result:
    case: Case
    outcome: str
    problems: tuple[str, ...]


@cache
def earlier() -> World:
    """A bot that has sold once, a quarter of an hour ago."""
    world = World(START, Venue("0.02"))
    for job in ("price", "balance", "cost"):
        assert told(world.call(job))["status"] == "success", told(world.call(job))
    world.next_slot()
    answer = told(world.call("fifteen_min_job"))
    assert answer["status"] == "success", answer
    assert world.venue.orders, "the first slot was to sell"
    return world


@cache
def base() -> Kept:
    """What it has stored."""
    return Kept(earlier().redis)


def world(kept: Kept) -> World:
    """The next slot, at a price that asks for another sale."""
    venue = Venue("0.022")
    venue.orders = [dict(order) for order in earlier().venue.orders]
    return World(NOON, venue, kept)


def sent(world: World) -> list[tuple[str, str, str]]:
    """The orders of this slot: side, quantity, price."""
    new = world.venue.orders[len(earlier().venue.orders) :]
    return [(order["side"], order["quantity"], order.get("price", "")) for order in new]


@cache
def planned() -> tuple[tuple[str, str, str], ...]:
    """The order of this slot when nothing is spoilt."""
    sound = world(base())
    assert told(sound.call("fifteen_min_job"))["status"] == "success"
    assert sent(sound), "the second slot was to sell"
    return tuple(sent(sound))


# The cases


def payload_cases() -> Iterator[Case]:
    sound = world(base())
    for job in ASKED:
        for endpoint in ASKED[job]:
            payload = _payload(sound, endpoint)
            for path in ((), *paths(payload)):
                yield from (Case(job, (endpoint,), path, mutation) for mutation in MUTATIONS)


def _payload(sound: World, endpoint: str) -> Any:
    """What the venue answers there."""
    call = object.__new__(Call)
    call.method, call.path = "GET", endpoint
    start = int((NOON - timedelta(days=2)).timestamp() * 1000)
    order = sound.venue.orders[0]
    call.params = {"startTime": str(start), "endTime": str(start * 2), "orderId": order["orderId"]}
    if endpoint == "myTrades":
        del call.params["orderId"]
    answer = sound.venue.answers[endpoint]
    return answer(call)


def document_cases() -> Iterator[Case]:
    """Every document that a run reads, under that run; what is only shown, under the operator's look at it."""
    read = _read_by_runs()
    for (key, name), document in base().documents().items():
        if key.startswith("mexc:raw:") and key not in read:
            continue  # kept as evidence, read by nobody
        job = "fifteen_min_job" if key in read else "ops"
        for path in ((), *paths(document, rows=1)):
            yield from (Case(job, (key, name), path, mutation) for mutation in MUTATIONS)


def _read_by_runs() -> set[str]:
    keys = Keys("", "QRLUSDT")
    first = {read[1] for read in reads(fifteen_min_job.JOB.reads, keys, CacheKeys("")).values()}
    return first | {keys.ledger_fills, keys.orders_known, keys.audit_log_head, keys.shadows}


# What must hold


def play(case: Case) -> Result | None:
    """Run the case; None when the mutation does not apply."""
    return _with_document(case) if len(case.where) == 2 else _with_payload(case)


def play_quietly(case: Case) -> Result | None:
    """The same in a process of its own, without a log."""
    logging.disable(logging.CRITICAL)
    return play(case)


def _changed(document: Any, case: Case) -> Any:
    if case.path:
        return mutated(document, case.path, case.mutation)
    whole = mutated({"all": document}, ("all",), case.mutation)
    return MISSING if whole is MISSING or "all" not in whole else whole["all"]


def _with_payload(case: Case) -> Result | None:
    (endpoint,) = case.where
    spoilt = world(base())
    if _changed(_payload(spoilt, endpoint), case) is MISSING:
        return None

    def spoil(payload: Any) -> Any:
        try:
            new = _changed(payload, case)
        except (KeyError, IndexError, TypeError):
            return payload  # an answer without that row
        if new is MISSING:
            return payload
        return (200, json.dumps(new)) if isinstance(new, str) else new

    spoilt.venue.spoil = {endpoint: spoil}
    outcome, problems = _judged(spoilt, case, endpoint.rpartition("/")[2])
    spoilt.venue.spoil = {}
    spoilt.next_slot()
    after = told(spoilt.call(case.job))
    if after["status"] not in ("success", "skipped"):
        problems.append(f"lasts: {after.get('error') or after}")
    return Result(case, outcome, tuple(problems))


def _with_document(case: Case) -> Result | None:
    key, name = case.where
    document = base().documents()[key, name]
    new = _changed(document, case)
    if new is MISSING:
        return None
    text = new if isinstance(new, str) and isinstance(document, str) else json.dumps(new)
    if text == "\ud800":
        text = "\udcff"  # as the client reads a byte that is no text
    spoilt = world(base().with_piece(key, name, text))
    looks = {view: spoilt.look(view) for view in VIEWS}
    outcome, problems = "shown", list[str]()
    if case.job != "ops":
        outcome, problems = _judged(spoilt, case, key)
        spoilt.redis.delete(key)
        base().put_into(spoilt.redis, key)
        spoilt.next_slot()
        after = told(spoilt.call(case.job))
        if after["status"] != "success":
            problems.append(f"lasts after the key is put right: {list(_errors(after))}")
    elif looks[""].status_code == 200 and key in told(looks[""])["data"].get("unreadable", [""])[0]:
        outcome = "named"
    closed = [f"/{view}" for view, look in looks.items() if look.status_code != 200]
    if closed:
        problems.append(f"ops does not open: {', '.join(closed)}")
    return Result(case, outcome, tuple(problems))


def _judged(spoilt: World, case: Case, name: str) -> tuple[str, list[str]]:
    problems = []
    response = spoilt.call(case.job)
    answer = told(response)
    errors = list(_errors(answer))
    if response.status_code not in (200, 500, 502, 503):
        problems.append(f"HTTP {response.status_code}")
    for error in errors:
        if error["code"] == "internal":
            problems.append("internal error")
        elif error["code"] in ("exchange_payload_unreadable", "redis_value_corrupt") and not _named(
            name, error["message"]
        ):
            problems.append(f"names neither endpoint nor key: {error['message']}")
    if spoilt.leases:
        problems.append(f"the lease stays: {spoilt.leases}")
    orders = sent(spoilt)
    if not _believable(case) and orders and tuple(orders) != planned():
        problems.append(f"an order on what cannot be read: {orders}, planned {planned()}")
    if len(orders) > 1:
        problems.append(f"{len(orders)} orders")
    return _outcome(answer, errors, orders), problems


def _believable(case: Case) -> bool:
    """Whether another order may follow: from a value that could be, or from a list with a row less."""
    a_row_less = case.mutation == "missing" and case.path and isinstance(case.path[-1], int)
    return case.mutation not in NEVER_BELIEVED or bool(a_row_less)


def _named(name: str, message: str) -> bool:
    """Whether the message tells where: an endpoint in either of its spellings, or the key."""
    return name.replace("_", "").lower() in message.replace("_", "").lower()


def _errors(answer: Any) -> Iterator[Any]:
    for part in (answer, answer.get("cost_update"), answer.get("rebalance")):
        if isinstance(part, dict) and isinstance(part.get("error"), dict):
            yield part["error"]


def _outcome(answer: Any, errors: Sequence[Any], orders: Sequence[Any]) -> str:
    if errors:
        return "refused" if answer["status"] == "error" else "one leg refused"
    if orders:
        return "ordered as planned" if tuple(orders) == planned() else "another order"
    plan = answer.get("rebalance")
    return "held" if isinstance(plan, dict) and plan.get("action") == "HOLD" else "went on"


# The table


def table(results: Sequence[Result]) -> str:
    """By input and mutation, how often each outcome came."""
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for result in results:
        where = result.case.where[0]
        rows[where, result.case.mutation][result.outcome] += 1
    names = list(dict.fromkeys(where for where, _ in rows))
    lines = ["| input | " + " | ".join(MUTATIONS) + " |", "|---|" + "---|" * len(MUTATIONS)]
    for where in names:
        cells = [_cell(rows[where, mutation]) for mutation in MUTATIONS]
        lines.append(f"| `{where}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


SHORT = {
    "refused": "R",
    "one leg refused": "L",
    "held": "H",
    "ordered as planned": "O",
    "another order": "A",
    "went on": "·",
    "shown": "s",
    "named": "N",
}


def _cell(counts: Counter[str]) -> str:
    return " ".join(f"{counts[name]}{sign}" for name, sign in SHORT.items() if counts[name])
