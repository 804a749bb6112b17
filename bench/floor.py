"""The floor: a bare program that makes just the calls a job cannot avoid, on the same libraries.

`python -m bench.floor <exchange-url> <redis-host:port>`, then job names on standard input; each is run once and
answered by the milliseconds it took. One wave of exchange reads, one trip to Redis before it (mark, lease and
what earlier runs left) and one after it (all that is kept, in one MULTI). No plan, no ledger, no check.
"""

import hashlib
import hmac
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
import requests

from local.simulation import CREDENTIALS

SYMBOL = "symbol=QRLUSDT"
READS: dict[str, tuple[str, ...]] = {
    "balance": ("account",),
    "price": ("ticker/24hr",),
    "cost": ("myTrades", "ticker/price"),
    "rebalance": ("account", "depth", "openOrders", "ticker/price"),
    "fifteen_min_job": ("account", "depth", "myTrades", "openOrders", "ticker/price"),
}
SIGNED = ("account", "myTrades", "openOrders")


class Floor:
    def __init__(self, exchange_url: str, redis_address: str) -> None:
        host, _, port = redis_address.rpartition(":")
        options: dict[str, Any] = {"protocol": 2, "driver_info": None, "decode_responses": True}
        self._redis = redis.Redis(host=host, port=int(port), **options)
        self._url = exchange_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Content-Type"] = "application/json"
        self._pool = ThreadPoolExecutor(max_workers=8)

    def run(self, job: str) -> float:
        """Milliseconds of one run."""
        start = time.perf_counter()
        keys = [f"floor:{job}:{name}" for name in ("ledger", "position", "last", "rules", "pause", "mark")]
        pipe = self._redis.pipeline(transaction=True)
        pipe.set("floor:lease", job, nx=True, px=60_000)
        for key in keys:
            pipe.get(key)
        pipe.execute()
        *others, last = READS[job]
        waiting = [self._pool.submit(self._read, path) for path in others]
        texts = [self._read(last), *(each.result() for each in waiting)]
        pipe = self._redis.pipeline(transaction=True)
        for number, text in enumerate(texts):
            pipe.set(f"floor:{job}:{number}:latest", text)
            pipe.zadd(f"floor:{job}:{number}:history", {text: time.time()})
            pipe.zremrangebyrank(f"floor:{job}:{number}:history", 0, -1001)
        pipe.set(keys[-1], "done", ex=60)
        pipe.delete("floor:lease")
        pipe.execute()
        return 1000 * (time.perf_counter() - start)

    def _read(self, path: str) -> str:
        query = "" if path == "account" else SYMBOL
        headers = {}
        if path in SIGNED:
            now = time.time_ns() // 1_000_000
            query = f"{query}&" if query else ""
            query += f"startTime={now - 3_600_000}&" if path == "myTrades" else ""
            query += f"timestamp={now}"
            signature = hmac.new(CREDENTIALS["MEXC_SECRET_KEY"].encode(), query.encode(), hashlib.sha256)
            query += f"&signature={signature.hexdigest()}"
            headers["X-MEXC-APIKEY"] = CREDENTIALS["MEXC_API_KEY"]
        response = self._session.get(f"{self._url}/api/v3/{path}?{query}", headers=headers, timeout=10)
        response.raise_for_status()
        response.json()
        return response.text


def main() -> None:
    floor = Floor(*sys.argv[1:])
    for line in sys.stdin:
        print(floor.run(line.strip()), flush=True)


if __name__ == "__main__":
    main()
