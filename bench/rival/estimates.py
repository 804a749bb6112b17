"""The same statistics by arch, empyrical-reloaded and ffn; run by their own interpreter.

Reads {"steps", "block", "resamples", "returns", "tried"} from stdin and prints what they make of it: the
bootstrap's percentile interval of the sum, the deepest fall and the Sharpe ratio, and the deflated one.
"""

import json
import sys

import empyrical  # type: ignore[import-not-found,unused-ignore]
import ffn  # type: ignore[import-not-found,unused-ignore]
import numpy as np  # type: ignore[import-not-found,unused-ignore]
import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
from arch.bootstrap import StationaryBootstrap  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    given = json.load(sys.stdin)
    steps = np.array(given["steps"])
    bootstrap = StationaryBootstrap(given["block"], steps, seed=7)
    low, high = bootstrap.conf_int(np.sum, reps=given["resamples"], method="percentile")[:, 0]
    returns = pd.Series(given["returns"], index=pd.date_range("2024-01-01", periods=len(given["returns"])))
    deflated = ffn.core.calc_deflated_sharpe_ratio(returns, given["tried"], nperiods=365, annualized_trials=False)
    told = {
        "low": float(low),
        "high": float(high),
        "max_drawdown": float(empyrical.max_drawdown(returns)),
        "sharpe": float(empyrical.sharpe_ratio(returns, annualization=1)),
        "deflated": float(deflated),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
