"""The simulated exchange as a program of its own: started, told the time, asked what it holds."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parent.parent
CREDENTIALS = {"MEXC_API_KEY": "mx0simulated", "MEXC_SECRET_KEY": "simulated-secret"}


class Simulation:
    """The control side of a running simulated exchange (see local/exchange/control.py)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def set_time(self, moment: datetime) -> None:
        self.tell("clock", {"now_ms": round(moment.timestamp() * 1000)})

    def tell(self, what: str, spec: Mapping[str, Any]) -> Any:
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
        self.tell("fills", {"fills": [fill | {"commission": "0", "commissionAsset": "USDT"}]})


@contextmanager
def simulated_exchange(arguments: Sequence[str]) -> Iterator[Simulation]:
    """Run `python -m local.exchange` on a free port until the block ends."""
    command = [sys.executable, "-m", "local.exchange", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("listening on "):
                raise RuntimeError("the simulated exchange did not start")
            yield Simulation(line.removeprefix("listening on ").strip())
        finally:
            process.terminate()
