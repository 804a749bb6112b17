"""The simulated exchange as a separate process: start it, set its time, read its state."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
import requests

from local.children import child
from local.refused import Refused

ROOT = Path(__file__).parent.parent
CREDENTIALS = {"MEXC_API_KEY": "mx0simulated", "MEXC_SECRET_KEY": "simulated-secret"}
PREFIX = "simulated:"
"""Prefix of every key of a simulation, whatever REDIS_KEY_PREFIX says: a real bot's state stays untouched."""
MARK = "simulation"
"""The key, behind the prefix, that marks the state as a simulation's."""


def settings_of_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Prefix and namespace for a bot on the simulated exchange."""
    return {
        "REDIS_KEY_PREFIX": PREFIX + environ.get("REDIS_KEY_PREFIX", ""),
        "REDIS_NAMESPACE": f"simulated.{environ.get('REDIS_NAMESPACE', 'qrl')}",
    }


def start_fresh(client: "redis.Redis", keys: Mapping[str, str]) -> None:
    """Delete what an earlier simulation left under these keys: its exchange is gone.

    Raises Refused if the keys there are not marked as a simulation's.
    """
    prefix, mark = keys["REDIS_KEY_PREFIX"], keys["REDIS_KEY_PREFIX"] + MARK
    found: list[Any] = list(client.scan_iter(match=f"{prefix}*", count=1000))
    if found and mark not in found:
        raise Refused(f"this Redis holds state of another exchange under {prefix} ({found[0]}): it is left alone")
    found += client.scan_iter(match=f"{keys['REDIS_NAMESPACE']}:*", count=1000)
    with client.pipeline() as pipe:
        if found:
            pipe.delete(*found)
        pipe.set(mark, "state of a simulated exchange; deleted when the next one starts")
        pipe.execute()


class Simulation:
    """The control side of a running simulated exchange (see local/exchange/control.py)."""

    def __init__(self, url: str, *, resumed: bool = False) -> None:
        self.url = url
        self.resumed = resumed
        self._session = requests.Session()
        self._session.trust_env = False

    def set_time(self, moment: datetime) -> None:
        self.post("clock", {"now_ms": round(moment.timestamp() * 1000)})

    def post(self, what: str, spec: Mapping[str, Any]) -> Any:
        """POST to the control API. Raises ValueError with its answer when it refuses."""
        response = self._session.post(f"{self.url}/sim/{what}", json=spec, timeout=30)
        if not response.ok:
            raise ValueError(response.text)
        return response.json()

    def state(self) -> Any:
        return self._session.get(f"{self.url}/sim/state", timeout=30).json()

    def bought(self, quantity: str, price: str, at: datetime) -> None:
        """Put a buy into the account's history; the balances stay as they are."""
        fill = {"side": "BUY", "price": price, "qty": quantity, "time": round(at.timestamp() * 1000)}
        self.post("fills", {"fills": [fill | {"commission": "0", "commissionAsset": "USDT"}]})


@contextmanager
def simulated_exchange(arguments: Sequence[str], held: tuple[int, ...] = ()) -> Iterator[Simulation]:
    """Run `python -m local.exchange` on a free port until the block ends. Raises Refused with its message.

    The process shares the descriptors `held`.
    """
    command = [sys.executable, "-m", "local.exchange", "--port", "0", *arguments]
    with child(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=held) as process:
        line = (process.stdout.readline() if process.stdout else "").strip()
        if not line.startswith("listening on "):
            raise Refused(f"the simulated exchange: {line or 'it did not start'}")
        url, _, resumed = line.removeprefix("listening on ").partition(" ")
        yield Simulation(url, resumed=bool(resumed))
