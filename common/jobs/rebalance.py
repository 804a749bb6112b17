"""`rebalance`: balance snapshot, plan, stored (SPEC §2.5, §4). The 15-minute job uses its parts."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.adapters.keys import CacheKeys, Keys
from common.adapters.logs import event
from common.adapters.mexc import Answer
from common.adapters.records import Document, held_document, plan_document, rules_document, rules_of
from common.adapters.store import Batch, Read
from common.adapters.wave import Wave, together
from common.domain.instrument import Instrument, TradingRules
from common.domain.order_book import OrderBook
from common.domain.portfolio import Holdings
from common.domain.rebalancing import decide
from common.jobs.run import NO_KEYS, Job, Outcome, Run, View, keep_raw, skipped

log = logging.getLogger(__name__)


def reads(keys: Keys, cache: CacheKeys) -> Mapping[str, Read]:
    return {"rules": ("GET", cache.full(cache.rules(Instrument.from_symbol(keys.symbol).pair)))}


def containers(keys: Keys) -> Mapping[str, str]:
    endpoints = (
        "account_info",
        "ticker_price",
        "depth",
        "exchange_info",
        "trade_fee",
        "self_symbols",
        "default_symbols",
    )
    return {keys.plan_history: "list", **{keys.raw_history(name): "zset" for name in endpoints}}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one plan rests on, all read in one wave; `book` is None when it could not be read."""

    holdings: Holdings
    can_trade: bool
    mark_price: Decimal
    price_as_of: datetime
    rules: TradingRules
    book: OrderBook | None


def calls(run: Run) -> dict[str, Callable[[], Any]]:
    """The wave of the rebalance leg; the pair's rules only when the cache does not have them."""
    wanted: dict[str, Callable[[], Any]] = {
        "account": run.exchange.account,
        "price": run.exchange.ticker_price,
        "depth": run.exchange.depth,
    }
    if cached_rules(run) is None:
        wanted |= {
            "rules": run.exchange.exchange_info,
            "fees": run.exchange.trade_fee,
            "symbols": run.exchange.self_symbols,
        }
    return wanted


def cached_rules(run: Run) -> TradingRules | None:
    return rules_of(run.values["rules"])


def snapshot(run: Run, wave: Wave, batch: Batch) -> Snapshot:
    """The snapshot out of a wave; raises the error of the first call it cannot do without."""
    account, price = wave.get("account"), wave.get("price")
    rules = cached_rules(run)
    if rules is None:
        rules = _fresh_rules(run, wave, batch)
        text = run.cache.encode(rules_document(rules))
        if text:
            batch.set(
                run.cache.full_key(CacheKeys.rules(run.instrument.pair)),
                text,
                seconds=run.cache.ttl("rules"),
            )
    as_of = account.reply.received_at
    return Snapshot(
        holdings=account.value.holdings(run.instrument, as_of),
        can_trade=account.value.can_trade,
        mark_price=price.value,
        price_as_of=price.reply.received_at,
        rules=rules,
        book=wave.get("depth").value if wave.error("depth") is None else None,
    )


def _fresh_rules(run: Run, wave: Wave, batch: Batch) -> TradingRules:
    """The published rules, with this account's own fees and whether this key may trade the symbol.

    Fees that cannot be read leave the published ones; a list of symbols that cannot be read is asked of
    the public one instead (mexc-api.md 4.7).
    """
    published: Answer[TradingRules] = wave.get("rules")
    rules = published.value
    if (error := wave.error("fees")) is None:
        maker, taker = wave.get("fees").value
        rules = replace(rules, maker_fee=maker, taker_fee=taker)
    else:
        log.warning("the account's own fees cannot be read, the published ones stand: %s", error)
    if (error := wave.error("symbols")) is None:
        symbols, source = wave.get("symbols").value, "the symbols this key may trade (selfSymbols)"
    else:
        log.warning("selfSymbols cannot be read, the public list is asked: %s", error)
        public = run.exchange.default_symbols()
        batch.raw(public.reply)
        symbols, source = public.value, "the symbols the API may trade (defaultSymbols)"
    if run.instrument.symbol not in symbols:
        rules = replace(rules, closed=(*rules.closed, f"{run.instrument.symbol} is not in {source}"))
    return rules


def plan(run: Run, batch: Batch, seen: Snapshot, hold: str | None = None) -> Document:
    """Decide, queue the plan, and answer it; `hold` is a reason not to trade whatever the mix."""
    settings = run.settings
    decided = decide(seen.holdings, seen.mark_price, settings.policy, seen.rules, run.instrument)
    document = plan_document(decided, run.instrument, run.now, run.slot.name, settings.execution_mode)
    hold = hold or stale(run, seen)
    if hold:
        document = held_document(document, hold, run.instrument)
    batch.plan(document)
    event("journal.plan", {"plan": document})
    return document


def stale(run: Run, seen: Snapshot) -> str | None:
    """Why the snapshot is too old to decide on; None when it is fresh."""
    now = run.clock.now()
    for name, as_of, limit in (
        ("balance", seen.holdings.as_of, run.settings.max_balance_age_seconds),
        ("price", seen.price_as_of, run.settings.max_price_age_seconds),
    ):
        age = (now - as_of).total_seconds()
        if age > limit:
            return f"Stale data: {name} is {age:.0f} s old, at most {limit} s"
    return None


def logged(document: Document | None, run: Run) -> Document:
    """What job.finished tells of a plan."""
    if document is None:
        return {}
    deviation = document["deviation"]
    return {
        "rebalance_action": document["action"],
        "rebalance_reason": document["reason"],
        "rebalance_notional_usdt": document[f"notional_{run.instrument.quote.lower()}"],
        "weight_drift": abs(deviation) if deviation is not None else None,
    }


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    with run.stage("gather"):
        wave = together(run.pool, calls(run))
        seen = snapshot(run, wave, run.batch)
    keep_raw(run.batch, wave)
    with run.stage("decide"):
        document = plan(run, run.batch, seen)
    return Outcome(body={"rebalance": document, "order": None}, logged=logged(document, run))


def show(view: View) -> Mapping[str, Any] | None:
    """The last plan; with `limit`, the last so many, newest first."""
    wanted: dict[str, Read] = {"last": ("GET", view.keys.plan_last)}
    if view.limit is not None:
        wanted["history"] = ("LRANGE", view.keys.plan_history, "0", str(view.limit - 1))
    found = view.store.read(wanted, view.meter)
    if found["last"] is None:
        return None
    history = {"history": found["history"]} if "history" in found else {}
    return {"rebalance": found["last"], **history}


JOB = Job(
    name="rebalance",
    task="rebalance",
    scope="account",
    reads=reads,
    containers=containers,
    run=run,
    show=show,
)
