"""The test stand: Redis, the simulated exchange, the delay and the staged bundles, each a process of its own."""

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import machine
from local.redis_server import free_port, redis_for_run
from local.simulation import CREDENTIALS, Simulation, simulated_exchange

ROOT = Path(__file__).parent.parent
JOBS = ("balance", "price", "cost", "rebalance", "fifteen_min_job")
FUNCTIONS = (*JOBS, "ops")
EXCHANGE_MS = 50
REDIS_MS = 1
"""Each way."""
SCHEDULER = "scheduler@bench.iam.gserviceaccount.com"
AUDIENCE = "https://bench.a.run.app"


class NotMeasurable(Exception):
    """What a section needs is not on this machine; the text names it."""


def platform_token(email: str = SCHEDULER) -> str:
    """A caller's token as Cloud Run hands it on: the signature checked and removed."""
    claims = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": email, "email_verified": True}
    claims |= {"sub": "1", "iat": int(time.time()), "exp": int(time.time()) + 86_400}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*texts, "SIGNATURE_REMOVED_BY_GOOGLE"])


def settings(redis_url: str, exchange_url: str, **more: str) -> dict[str, str]:
    """The environment of a function as it is deployed: on the platform, callers by token, JSON lines."""
    return {
        "PATH": os.environ["PATH"],
        "K_SERVICE": "bench",
        "LOG_EXECUTION_ID": "true",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "OIDC_AUDIENCE": AUDIENCE,
        "SCHEDULER_SERVICE_ACCOUNT": SCHEDULER,
        "OPERATOR_ACCOUNTS": SCHEDULER,
        "REDIS_URL": redis_url,
        "MEXC_BASE_URL": exchange_url,
        **CREDENTIALS,
        **more,
    }


def staged(names: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """The bundles as they are shipped, compiled as the platform's build compiles them."""
    bundles = {name: folder / name for name in names}
    for name, bundle in bundles.items():
        subprocess.run([str(ROOT / "deploy.sh"), "stage", name, str(bundle)], check=True)
        compiled(bundle)
    return bundles


def compiled(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)


@dataclass
class Function:
    """One function as a functions-framework process, called as Cloud Scheduler calls it."""

    target: str
    folder: Path
    env: Mapping[str, str]
    python: Path = Path(sys.executable)
    log: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    port: int = 0
    _slot: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=23))

    def start(self) -> None:
        """Start it; `call` waits until it listens."""
        self.port = free_port()
        program = str(self.python.parent / "functions-framework")
        command = [program, "--target", self.target, "--source", "main.py", "--host", "127.0.0.1"]
        with (self.log or Path(os.devnull)).open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self.folder,
                env=dict(self.env),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    @property
    def pids(self) -> list[int]:
        """gunicorn's master and its worker."""
        return machine.tree(self.process.pid) if self.process else []

    def run(self, path: str = "/") -> float:
        """A run in a slot of its own; milliseconds until the answer is there. Raises RuntimeError unless 200.

        The operators' door runs nothing without a command: there it is the state at a glance.
        """
        self._slot += timedelta(minutes=1)
        method = "GET" if self.target == "ops" else "POST"
        return self.call(method, path, {"X-CloudScheduler-ScheduleTime": self._slot.isoformat()})[0]

    def call(
        self, method: str, path: str = "/", headers: Mapping[str, str] | None = None
    ) -> tuple[float, dict[str, Any]]:
        """Milliseconds and the answer; the connection is made before the clock starts."""
        sent = {
            "Authorization": f"Bearer {platform_token()}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.sock = self._connected()
        start = time.perf_counter()
        connection.request(method, path, body=b"{}" if method == "POST" else None, headers=sent)
        response = connection.getresponse()
        body = response.read()
        elapsed = 1000 * (time.perf_counter() - start)
        connection.close()
        answer: dict[str, Any] = json.loads(body) if body[:1] == b"{" else {}
        if response.status != 200 or answer.get("status", "success") != "success":
            raise RuntimeError(f"{self.target} answered {response.status}: {body[:300].decode(errors='replace')}")
        return elapsed, answer

    def _connected(self) -> socket.socket:
        """A connection, as soon as the process listens."""
        give_up = time.monotonic() + 60
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            except OSError:
                ended = self.process is None or self.process.poll() is not None
                if ended or time.monotonic() > give_up:
                    raise RuntimeError(f"{self.target} did not start") from None
                time.sleep(0.002)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection

    def __enter__(self) -> "Function":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def real_redis() -> Iterator[str]:
    """A redis-server of our own, empty; host:port. Raises NotMeasurable where there is none."""
    if shutil.which("redis-server") is None:
        raise NotMeasurable("redis-server is not on this machine (Debian: apt-get install redis-server)")
    with redis_for_run(None) as (url, _):
        yield url.removeprefix("redis://").removesuffix("/0")


@contextmanager
def exchange(*arguments: str, latency_ms: int = 0) -> Iterator[Simulation]:
    """The simulated exchange; its account has bought the coins it holds, three days ago."""
    with simulated_exchange(["--rate-limit", "0", *arguments]) as simulation:
        simulation.bought("1000", "0.02", datetime.now(UTC) - timedelta(days=3))
        if latency_ms:
            simulation.post("faults", {"kind": "latency", "ms": latency_ms})
        yield simulation


class Child:
    """A program of the bench, spoken to line by line over its standard input and output."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, line: str | None = None) -> str:
        """The next line it writes; in answer to `line` when one is given. Raises RuntimeError when it has ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the program has no pipes")
        if line is not None:
            stdin.write(f"{line}\n")
            stdin.flush()
        answer = stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} has ended")
        return answer


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Child(process)
        finally:
            process.terminate()


class Delay:
    """The delaying proxy as a process of its own (see proxy.py)."""

    def __init__(self, process: Child, port: str) -> None:
        self._process = process
        self.address = f"127.0.0.1:{port}"

    def turns(self) -> int:
        """Round trips that have gone through so far."""
        return int(self._process.ask("turns"))


@contextmanager
def delay(address: str, milliseconds: float) -> Iterator[Delay]:
    with child("bench.proxy", address, str(milliseconds)) as process:
        yield Delay(process, process.ask().removeprefix("listening on "))


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


def read_log(path: Path, event: str = "job.finished") -> list[dict[str, Any]]:
    """The structured lines of one kind that a function has written."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]
