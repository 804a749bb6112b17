"""`rebalance`: balance snapshot, plan, stored (SPEC §2.5, §4). The 15-minute job uses its parts."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.adapters.batch import Batch
from common.adapters.documents import from_redis
from common.adapters.journal_source import note
from common.adapters.keys import CacheKeys, Keys
from common.adapters.mexc import Answer
from common.adapters.order_records import activity_document, intent_document, order_report
from common.adapters.records import (
    Document,
    check_documents,
    held_document,
    plan_document,
    price_in,
    rules_document,
    rules_of,
)
from common.adapters.store import Read
from common.adapters.wave import Wave, together
from common.domain.decimals import ZERO
from common.domain.instrument import Instrument, TradingRules
from common.domain.ledger import net_quantity
from common.domain.order_book import OrderBook
from common.domain.orders import Fill, Order, OrderIntent, is_ours
from common.domain.portfolio import Holdings
from common.domain.rebalancing import Check, Rebalance, decide
from common.domain.risk import Activity, Facts, fresh, review
from common.errors import ExchangeError
from common.jobs import cost, orders, resolution
from common.jobs.balance import store_account
from common.jobs.run import NO_KEYS, Job, Outcome, Run, View, age_seconds, keep_raw, skipped

log = logging.getLogger(__name__)
REFERENCE_SECONDS = 3600
"""How old the price job's price may be to be held against this run's."""


def reads(keys: Keys, cache: CacheKeys) -> Mapping[str, Read]:
    return {
        **cost.reads(keys, cache),
        **orders.reads(keys),
        "price_latest": ("GET", keys.price_latest),
        "plan_last": ("TEXT", keys.plan_last),
        "rules": ("CACHED", cache.full(cache.rules(Instrument.from_symbol(keys.symbol).pair))),
    }


def containers(keys: Keys) -> Mapping[str, str]:
    endpoints = ("account_info", "depth", "exchange_info", "trade_fee", "self_symbols", "default_symbols")
    return {
        **cost.containers(keys),
        **orders.containers(keys),
        keys.plan_history: "list",
        keys.position: "hash",
        **{keys.raw_history(name): "zset" for name in endpoints},
    }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one plan rests on, all read in one wave; `book` and `open_orders` are None when unreadable."""

    holdings: Holdings
    can_trade: bool
    mark_price: Decimal
    price_as_of: datetime
    rules: TradingRules
    book: OrderBook | None
    open_orders: tuple[Order, ...] | None


def calls(run: Run) -> dict[str, Callable[[], Any]]:
    """The wave of the rebalance leg; the pair's rules only when the cache does not have them."""
    wanted: dict[str, Callable[[], Any]] = {
        "account": run.exchange.account,
        "price": run.exchange.ticker_price,
        "depth": run.exchange.depth,
        "open_orders": run.exchange.open_orders,
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
    if (step := run.settings.quantity_increment) is not None:
        rules = replace(rules, size_increment=max(rules.size_increment, step))
    as_of = account.reply.received_at
    return Snapshot(
        holdings=account.value.holdings(run.instrument, as_of),
        can_trade=account.value.can_trade,
        mark_price=price.value,
        price_as_of=price.reply.received_at,
        rules=rules,
        book=wave.get("depth").value if wave.error("depth") is None else None,
        open_orders=tuple(wave.get("open_orders").value) if wave.error("open_orders") is None else None,
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


@dataclass(frozen=True, slots=True)
class Planned:
    """The stored plan, and the order it asks for: None when it holds, or when a guard refuses."""

    document: Document
    intent: OrderIntent | None
    activity: Activity


def plan(
    run: Run,
    batch: Batch,
    seen: Snapshot,
    *,
    total_pnl: Decimal | None,
    ledger_known: bool,
    hold: str | None = None,
) -> Planned:
    """Decide, hold the decision against every guard, and queue the plan.

    `hold` is a reason not to trade whatever the mix. Where orders are possible (test, live) a refusal makes
    the plan a HOLD; in plan mode the plan says what the mix asks for, and `refusals` what would stop it.
    """
    settings, instrument = run.settings, run.instrument
    activity = orders.current_activity(run).on(run.now, total_pnl)
    batch.document(run.keys.activity, activity_document(activity))
    decided = decide(seen.holdings, seen.mark_price, settings.policy, seen.rules, instrument)
    document = plan_document(decided, instrument, run.now, run.slot.name, settings.execution_mode)
    document |= {"refusals": [], "intended_order": None}
    intent = None
    if isinstance(decided.decision, Rebalance):
        facts = _facts(run, seen, activity, total_pnl, ledger_known)
        reviewed = review(
            decided.decision, facts, settings.limits, settings.policy, settings.order_style, instrument
        )
        document["checks"] += check_documents(reviewed.checks)
        document["refusals"] = list(reviewed.refusals)
        intent = reviewed.intent
        document["intended_order"] = intent_document(intent) if intent else None
        if reviewed.refusals and settings.execution_mode != "plan":
            hold = hold or f"Order refused: {reviewed.refusals[0]}"
    ages = _ages(run, seen)
    document["checks"] += check_documents(ages)
    hold = hold or next((f"Stale data: {age.explanation}" for age in ages if not age.passed), None)
    if hold:
        document, intent = held_document(document, hold, instrument), None
    batch.plan(document)
    note("plan", {"plan": document})
    return Planned(document, intent, activity)


def _facts(run: Run, seen: Snapshot, activity: Activity, total_pnl: Decimal | None, ledger_known: bool) -> Facts:
    seen_open = seen.open_orders
    ours = None if seen_open is None else sum(1 for order in seen_open if is_ours(order.client_order_id))
    return Facts(
        now=run.now,
        slot=run.slot.at,
        holdings=seen.holdings,
        mark_price=seen.mark_price,
        reference_price=_reference_price(run),
        book=seen.book,
        rules=seen.rules,
        can_trade=seen.can_trade,
        pause=orders.current_pause(run),
        activity=activity,
        total_pnl=total_pnl,
        ledger_known=ledger_known,
        open_orders=ours,
    )


def _reference_price(run: Run) -> Decimal | None:
    """The last price known before this run: the price job's when it is fresh, else the last plan's."""
    latest, last, key = run.values["price_latest"], run.values["plan_last"], run.keys.plan_last
    if latest is not None:
        price = price_in(latest, run.keys.price_latest)
        age = age_seconds(latest.get("timestamp"), run.now)
        if age is not None and age <= REFERENCE_SECONDS:
            return price
    return price_in(from_redis(last, key), key) if last is not None else None


def trade(run: Run, seen: Snapshot, planned: Planned, books: cost.Books) -> Document | None:
    """Execute what was planned, as the mode allows; the report of the order, None when there is none.

    After an order its fills go into the books and the balances are read again.
    """
    intent, mode = planned.intent, run.settings.execution_mode
    if intent is None or mode == "plan":
        return None
    if mode == "test":
        return orders.try_out(run, intent)
    entry = orders.execute(run, intent, planned.activity)
    if entry.filled_quantity <= 0:
        return order_report(entry, run.instrument, balances_agree=None)
    try:
        fills = orders.fills_of(run, entry)
        holdings, agree = _balances_after(run, seen, fills)
    except ExchangeError as error:
        # What became of the order is known and must be stored; the rest is for the next run to read.
        log.error("after order %s its fills or the balances could not be read: %s", intent.client_order_id, error)
        return order_report(entry, run.instrument, fills=None, balances_agree=None)
    cost.absorb(run, books, seen.mark_price, holdings, fills)
    return order_report(entry, run.instrument, fills=len(fills), balances_agree=agree)


def _balances_after(run: Run, seen: Snapshot, fills: tuple[Fill, ...]) -> tuple[Holdings, bool]:
    """The account read again, a few times if need be, until it shows the fills; and whether it does."""
    moved = sum((net_quantity(fill, run.instrument) for fill in fills), ZERO)
    expected = seen.holdings.base.total + moved
    for pause in (0.5, 1.0, 0.0):
        answer = run.exchange.account()
        holdings = answer.value.holdings(run.instrument, answer.reply.received_at)
        agree = holdings.base.total == expected
        if agree or not pause or run.deadline.remaining < 3:
            break
        run.clock.sleep(pause)
    run.batch.raw(answer.reply)
    store_account(run, answer.value)
    if not agree:
        log.warning("the account does not show the order's fills yet")
    return holdings, agree


def _ages(run: Run, seen: Snapshot) -> tuple[Check, ...]:
    """Whether the snapshot is fresh enough to decide on."""
    now, settings = run.clock.now(), run.settings
    return (
        fresh("balance", seen.holdings.as_of, now, settings.max_balance_age_seconds),
        fresh("price", seen.price_as_of, now, settings.max_price_age_seconds),
    )


def logged(document: Document, order: Document | None, run: Run) -> Document:
    """What job.finished tells of a plan and its order."""
    deviation = document["deviation"]
    return {
        "order_status": order["status"] if order else None,
        "orders_today": orders.current_activity(run).on(run.now, None).orders + _newly_sent(order, run),
        "rebalance_action": document["action"],
        "rebalance_reason": document["reason"],
        "rebalance_notional_usdt": document[f"notional_{run.instrument.quote.lower()}"],
        "weight_drift": abs(deviation) if deviation is not None else None,
    }


def _newly_sent(order: Document | None, run: Run) -> int:
    """1 when this run has sent the order, 0 when there is none or it was found."""
    found = {entry.intent.client_order_id for entry in run.recovered}
    return int(order is not None and order.get("sent_at") is not None and order["client_order_id"] not in found)


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    books = cost.Books.of(run)
    with run.stage("gather"):
        resolved = resolution.resolve(run)
        wave = together(run.pool, calls(run))
        keep_raw(run.batch, wave)
        seen = snapshot(run, wave, run.batch)
    with run.stage("decide"):
        doubt = resolution.adopt(run, resolved, books.tail, seen.open_orders or ())
        pnl = cost.stored_pnl(run, books, seen.mark_price)
        planned = plan(
            run,
            run.batch,
            seen,
            total_pnl=pnl,
            ledger_known=books.ledger is not None,
            hold=resolved.unresolved or doubt,
        )
    with run.stage("execute"):
        order = trade(run, seen, planned, books)
    return Outcome(
        body={"rebalance": planned.document, "order": order}, logged=logged(planned.document, order, run)
    )


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
