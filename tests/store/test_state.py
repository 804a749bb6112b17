"""What a run reads first: every part understood, and one that cannot be named."""

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from common.decimal_json import from_redis, to_redis
from common.domain.instrument import Side
from common.domain.ledger.quarantine import Quarantine
from common.domain.orders.order import OrderStyle
from common.domain.orders.program import Program
from common.errors import StoreCorrupt
from common.store.codec import to_document
from common.store.keys import RAW_ENDPOINTS, CacheKeys
from common.store.state import PARTS, TRADING, State, containers, every_container, reads
from tests.builders import KEYS, d
from tests.fakes import NOON
from tests.store.test_written import DAY, FILLED, INCEPTION, LOTS, PAUSE, WRITTEN, ledger, read_back

PROGRAM = Program(Side.SELL, d("0.02"), OrderStyle.IOC, NOON, 2)
VALUES: dict[str, Any] = {
    "holdings": WRITTEN["position"],
    "ledger": read_back("ledger"),
    "lots": read_back("lots"),
    "inception": read_back("inception"),
    "open_intents": {"rb1": WRITTEN["entry"]},
    "journal": {"rb1": WRITTEN["entry"]},
    "recent_intents": {"rb1": WRITTEN["entry"]},
    "journal_size": 1,
    "day_start": read_back("activity"),
    "continuity": read_back("continuity"),
    "pause": read_back("pause"),
    "program": from_redis(to_redis(to_document(PROGRAM)), "key"),
    "last_price": {"price": "0.02", "volume": "5", "timestamp": "2026-01-02T12:00:00+00:00"},
    "earlier_reports": [{"slot": "20260102T1145Z", "order": {"filled_quantity": "0"}}],
    "last_plan": WRITTEN["plan"],
    "rules": WRITTEN["rules"],
}
NOTHING: dict[str, Any] = {name: {"HGETALL": {}, "LRANGE": []}.get(part.command) for name, part in PARTS.items()}


def test_there_is_a_part_for_every_field_and_a_field_for_every_part() -> None:
    assert {field.name for field in dataclasses.fields(State)} - {"faults"} == PARTS.keys()


def test_every_part_is_understood() -> None:
    state = State.of(VALUES, KEYS)
    assert state.fault is None
    assert state.ledger is not None
    assert state.last_price is not None
    assert (state.ledger, state.lots, state.inception) == (replace(ledger(), order_rule=1), LOTS, INCEPTION)
    assert (state.open_intents, state.recent_intents, state.day_start, state.pause) == (
        (FILLED,),
        (FILLED,),
        DAY,
        PAUSE,
    )
    assert str(state.last_price.price) == "0.02"


def test_what_is_not_stored_yet_is_none_or_empty() -> None:
    state = State.of(NOTHING, KEYS)
    assert state.fault is None
    assert [name for name in PARTS if getattr(state, name) not in (None, (), Quarantine())] == []


def test_a_part_that_cannot_be_understood_is_an_error_for_who_asks_and_a_fault_that_names_its_key() -> None:
    strange = {"HGETALL": {"x": "[]"}, "GET": {"x": 1}}
    keys = {name: part.key(KEYS, CacheKeys("qrl")) for name, part in PARTS.items()}
    wrong = []
    for name, part in PARTS.items():
        if part.command not in strange:  # kept as it stands
            continue
        state = State.of(VALUES | {name: strange[part.command]}, KEYS)
        if not (state.fault or "").startswith(f"{keys[name]} cannot be read"):
            wrong.append((name, state.fault))
        with pytest.raises(StoreCorrupt, match=keys[name]):
            getattr(state, name)
    assert wrong == []


def test_a_part_that_the_job_did_not_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="does not read pause"):
        assert State.of({"lots": None}, KEYS).pause


def test_the_first_trip_reads_each_part_by_its_key() -> None:
    wanted = reads(TRADING, KEYS, CacheKeys("qrl"))
    assert wanted["pause"] == ("GET", "bot:QRLUSDT:pause")
    assert wanted["open_intents"] == ("HGETALL", "bot:QRLUSDT:orders:open")
    assert list(wanted) == list(TRADING)


def test_containers_are_those_of_the_groups_alone() -> None:
    assert containers(["price"], KEYS) == {
        "bot:QRLUSDT:price:history": "zset",
        "mexc:raw:ticker_24hr:history": "zset",
    }
    assert containers(["account", "commands"], KEYS) == {
        "bot:QRLUSDT:position": "hash",
        "mexc:raw:account_info:history": "zset",
        "bot:QRLUSDT:ops:commands": "list",
    }


def test_every_raw_history_that_is_shown_is_known_by_its_type() -> None:
    known = every_container(KEYS)
    assert [name for name in RAW_ENDPOINTS if known.get(KEYS.raw_history(name)) != "zset"] == []
