"""Back-tests to be measured, each in a process of its own: `python -m bench.replays TASK …` prints one JSON object.

load FILE             seconds to parse a candle file (the best of three), and to read it again from the cache
sweep BARS POLICIES   seconds for so many policies over so many minutes, of the index and of the search alone
single BARS TRIGGERS FEE    each trigger to the target, begun with 1000 of quote: orders, value, seconds
equal FILE            whether twenty policies come out the same by jumping and by looking at every slot
"""

import json
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from bench.machine import peak_mib
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import Limits, Policy
from common.domain.instrument import Instrument
from local.backtest.costs import Costs
from local.backtest.figures import Figures
from local.backtest.market import Market
from local.backtest.replay import Desk, Start
from local.backtest.strategies import Strategy
from local.backtest.sweep import undisturbed
from local.candles.files import load, read
from local.candles.series import Candles, Column

FIRST_MS = 1_672_531_200_000
YEAR = 525_600
SEED = 1
PAIR = Instrument("QRL", "USDT")
FREE = Limits(Decimal(10), Decimal("0.5"), Decimal(1), Decimal("0.5"), 10**6, timedelta(0), None, None)
"""Limits that let everything through, as those of the others do."""
USUAL = replace(FREE, max_slippage=Decimal("0.005"), max_orders_per_day=5, cooldown=timedelta(hours=1))
PLACES: tuple[Decimal | Destination, ...] = (
    Destination.TARGET,
    Destination.HALF,
    Destination.EDGE,
    Decimal("0.002"),
)


def walk(bars: int) -> Candles:
    """Minutes of a random walk with a volatility of 100 % a year, the price to six places."""
    rng, price, prices = Random(SEED), 0.05, array("d")
    for _ in range(bars):
        prices.append(price)
        price = float(f"{price * (1 + rng.gauss(0, 0.00138)):.6f}")
    closes = array("d", [*prices[1:], price])
    high, low = array("d", map(max, prices, closes)), array("d", map(min, prices, closes))
    volume = array("d", [1e9]) * bars
    times = array("q", range(FIRST_MS, FIRST_MS + bars * 60_000, 60_000))
    return Candles.of("ours", times, [Column(each) for each in (prices, high, low, closes, volume)])


def rule(trigger: Decimal, destination: Decimal | Destination, limits: Limits, least: int = 5) -> Strategy:
    policy = Policy(Decimal("0.5"), Decimal(least), (Level(trigger, destination),))
    return Strategy(f"{trigger} {destination}", policy, limits)


def policies(count: int, narrowest: int = 1) -> list[Strategy]:
    """Triggers from so many points to ten more, four destinations each."""
    steps = -(-count // len(PLACES))
    triggers = [Decimal(1000 * narrowest + 10_000 * step // steps) / 100_000 for step in range(steps)]
    return [rule(trigger, place, USUAL) for trigger in triggers for place in PLACES][:count]


def loading(path: str) -> Mapping[str, Any]:
    parse = min(_seconds(lambda: read(Path(path))) for _ in range(3))
    load(Path(path))
    return {"parse": parse, "cached": _seconds(lambda: load(Path(path))), "memory_mib": peak_mib()}


def sweeping(bars: str, count: str, narrowest: str = "1", rounds: str = "1") -> Mapping[str, Any]:
    market = Market(walk(int(bars)))
    index = _seconds(lambda: market.extremes)
    desk = Desk(market, Costs(), Start.halves(Decimal(1000), market.candles.open[0]), PAIR, Decimal("0.0001"))
    chosen = policies(int(count), int(narrowest))
    seconds, runs = inf, []
    for _ in range(int(rounds)):
        start = time.process_time()
        with undisturbed():
            runs = [desk.replay(each) for each in chosen]
        seconds = min(seconds, time.process_time() - start)
    events = sum(len(run.events) for run in runs)
    asked = [(event.number + 1, 0.98 * market.closes[event.number]) for run in runs for event in run.events]
    return {
        "seconds": seconds,
        "index": index,
        "events": events,
        "decided": sum(run.decided for run in runs),
        "search": _seconds(
            lambda: [market.extremes.first_beyond(n, len(market), low, low / 0.96) for n, low in asked]
        ),
        "memory_mib": peak_mib(),
    }


def single(bars: str, triggers: str, fee: str) -> Mapping[str, Any]:
    candles = walk(int(bars))
    market = Market(candles)
    costs = Costs(Decimal(fee), Decimal(0), Decimal(0), Decimal(10) ** 12)
    desk = Desk(market, costs, Start(Decimal(0), Decimal(1000), candles.open[0]), PAIR, Decimal(0))
    market.extremes  # noqa: B018  (made before the clock starts, as the others' data are)
    runs = []
    for text in triggers.split(","):
        strategy = rule(Decimal(text), Destination.TARGET, FREE, least=0)
        start = time.process_time()
        figures = Figures(market, desk.replay(strategy))
        orders, value = len(figures.replay.events), float(figures.final_value)
        runs.append(
            {"trigger": float(text), "orders": orders, "value": value, "seconds": time.process_time() - start}
        )
    return {"runs": runs, "memory_mib": peak_mib()}


def equal(path: str) -> Mapping[str, Any]:
    market = Market(read(Path(path)))
    desk = Desk(market, Costs(), Start.halves(Decimal(1000), market.candles.open[0]), PAIR, Decimal("0.000001"))
    chosen = policies(20)
    pairs = [(desk.replay(each), desk.replay(each, every_bar=True)) for each in chosen]
    same = [(a.events, a.base, a.quote) == (b.events, b.base, b.quote) for a, b in pairs]
    decided = (sum(run.decided for run, _ in pairs), sum(run.decided for _, run in pairs))
    return {
        "policies": len(same),
        "equal": sum(same),
        "events": sum(len(a.events) for a, _ in pairs),
        "decided": decided,
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


TASKS: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    "load": loading,
    "sweep": sweeping,
    "single": single,
    "equal": equal,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
