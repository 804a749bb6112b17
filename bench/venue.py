"""The simulated exchange with many symbols: `python -m bench.venue C00XUSDT C01XUSDT …`, one account for all."""

import signal
import sys
import threading
from decimal import Decimal

from local.exchange import ExchangeConfig, ExchangeServer, RateLimit, Rules, SimulatedExchange
from local.exchange.clock import DAY_MS
from local.exchange.market import Market
from local.exchange.market_data import MarketData
from local.exchange.price_path import RandomWalk


def with_symbols(symbols: list[str]) -> SimulatedExchange:
    bases = {symbol: symbol.removesuffix("USDT") for symbol in symbols}
    balances = {base: Decimal(1_000) for base in bases.values()} | {"USDT": Decimal(100_000)}
    exchange = SimulatedExchange(ExchangeConfig(balances=balances, rate_limit=RateLimit(weight=None)))
    engine = exchange.engine
    start = exchange.clock.now_ms() // DAY_MS * DAY_MS
    for seed, (symbol, base) in enumerate(bases.items(), 1):
        path = RandomWalk(seed=seed, name=symbol, start_price=Decimal("0.02"), start_ms=start)
        engine.markets[symbol] = Market(Rules(base_asset=base), path, exchange.config.book, seed)
        engine.data[symbol] = MarketData(engine.markets[symbol])
    engine.key_symbols = frozenset(symbols)
    return exchange


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExchangeServer(with_symbols(sys.argv[1:])) as handle:
        print(f"listening on {handle.url}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
