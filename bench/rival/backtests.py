"""One constant-mix policy on the same candles by vectorbt, backtesting.py or bt; run by their own interpreter.

    python backtests.py FRAMEWORK FOLDER TRIGGERS FEE

The rule: on the close of every 15-minute bar, when |weight − ½| ≥ trigger, order what brings the mix back to ½,
filled at the next bar's opening for the fee. All begin with 1000 of quote and nothing else. Prints one JSON object:
for each trigger the number of orders and the value at the end, the seconds of each run, the memory of the process.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np  # type: ignore[import-not-found,unused-ignore]

from bench.machine import peak_mib

CASH = 1000.0
Run = Callable[[float], tuple[int, float]]
"""From a trigger to the number of orders and the value at the end."""


def vectorbt(times: Any, opens: Any, closes: Any, fee: float) -> Run:
    import vectorbt as vbt  # type: ignore[import-not-found,unused-ignore]
    from numba import njit  # type: ignore[import-not-found,unused-ignore]
    from vectorbt.portfolio import nb  # type: ignore[import-not-found,unused-ignore]

    @njit  # type: ignore[untyped-decorator,unused-ignore]
    def order(c: Any, opens: Any, closes: Any, decides: Any, trigger: float, fee: float) -> Any:
        if c.i == 0 or not decides[c.i - 1]:
            return nb.order_nothing_nb()
        price = closes[c.i - 1]
        value = c.position_now * price + c.cash_now
        off = c.position_now * price - value * 0.5
        if abs(off) < trigger * value:
            return nb.order_nothing_nb()
        return nb.order_nb(size=-off / price, price=opens[c.i], fees=fee)

    decides = decisions(times)

    def run(trigger: float) -> tuple[int, float]:
        found = vbt.Portfolio.from_order_func(
            closes, order, opens, closes, decides, trigger, fee, init_cash=CASH, freq="1min"
        )
        return int(found.orders.count()), float(found.final_value())

    return run


def backtesting(times: Any, opens: Any, closes: Any, fee: float) -> Run:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from backtesting import Backtest, Strategy  # type: ignore[import-not-found,unused-ignore]

    unit = 1e-6
    frame = pd.DataFrame(
        {
            "Open": opens * unit,
            "High": np.maximum(opens, closes) * unit,
            "Low": np.minimum(opens, closes) * unit,
            "Close": closes * unit,
        },
        index=pd.to_datetime(times, unit="ms"),
    )
    decides = decisions(times)

    class Mix(Strategy):  # type: ignore[misc,unused-ignore]
        trigger = 0.01
        count = 0

        def init(self) -> None:
            pass

        def next(self) -> None:
            index = len(self.data) - 1
            if not decides[index] or index + 1 >= len(closes):
                return
            price, held = closes[index], self.position.size * unit
            cash = self.equity - held * price
            off = held * price - (held * price + cash) * 0.5
            if abs(off) < self.trigger * (held * price + cash):
                return
            units = int(abs(off) / price / unit)
            if units:
                Mix.count += 1
                (self.sell if off > 0 else self.buy)(size=units)

    def run(trigger: float) -> tuple[int, float]:
        Mix.count = 0
        test = Backtest(frame, Mix, cash=CASH, commission=fee, trade_on_close=False, finalize_trades=False)
        found = test.run(trigger=trigger)
        return Mix.count, float(found["Equity Final [$]"])

    return run


def bt(times: Any, opens: Any, closes: Any, fee: float) -> Run:
    import bt as framework  # type: ignore[import-not-found,unused-ignore]
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]

    prices = pd.DataFrame({"base": opens}, index=pd.to_datetime(times, unit="ms"))
    decides = decisions(times)

    class Mix(framework.Algo):  # type: ignore[misc,unused-ignore]
        def __init__(self, trigger: float) -> None:
            super().__init__()
            self.trigger, self.index = trigger, -1

        def __call__(self, target: Any) -> bool:
            self.index += 1
            before = self.index - 1
            if before < 0 or not decides[before]:
                return True
            price = closes[before]
            held = target.children["base"].position if "base" in target.children else 0.0
            value = held * price + target.capital
            off = held * price - value * 0.5
            if abs(off) >= self.trigger * value:
                target.transact(-off / price, child="base")
            return True

    def run(trigger: float) -> tuple[int, float]:
        strategy = framework.Strategy("mix", [Mix(trigger)], ["base"])
        test = framework.Backtest(
            strategy,
            prices,
            initial_capital=CASH,
            commissions=lambda quantity, price: abs(quantity) * price * fee,
            integer_positions=False,
            progress_bar=False,
        )
        test.run()
        held = test.strategy.children["base"].position
        return len(test.strategy.get_transactions()), float(held * closes[-1] + test.strategy.capital)

    return run


def decisions(times: Any) -> Any:
    """Which bars close with a slot of 15 minutes."""
    return (times + 60_000) % 900_000 == 0


def main() -> None:
    name, path, texts, fee = sys.argv[1:]
    warnings.simplefilter("ignore")  # bt and backtesting.py talk of positions left open, which is what is wanted
    kinds = {"times": np.int64, "opens": np.float64, "closes": np.float64}
    data = {column: np.fromfile(f"{path}/{column}.bin", dtype=kind) for column, kind in kinds.items()}
    triggers = [float(text) for text in texts.split(",")]
    began = time.process_time()
    run = {"vectorbt": vectorbt, "backtesting": backtesting, "bt": bt}[name](
        data["times"], data["opens"], data["closes"], float(fee)
    )
    runs = []
    for trigger in triggers:
        start = time.process_time()
        orders, value = run(trigger)
        runs.append({"trigger": trigger, "orders": orders, "value": value, "seconds": time.process_time() - start})
    print(json.dumps({"runs": runs, "memory_mib": peak_mib(), "whole": time.process_time() - began}))


if __name__ == "__main__":
    main()
