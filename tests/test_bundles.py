"""What ships is what is tested: each bundle staged, started as a process of its own, and called over HTTP."""

import compileall
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import requests

from local.exchange import ExchangeConfig, ExchangeServer, RateLimit, SimulatedExchange
from local.redis_server import redis_for_run
from tests.builders import platform_token
from tests.conftest import FUNCTIONS, ROOT

FRAMEWORK = str(Path(sys.executable).with_name("functions-framework"))
AUDIENCE, SCHEDULER, OPERATOR = "https://bot.run.app", "scheduler@project.iam", "ann@example.com"
PLATFORM = {
    "AUTH_MODE": "platform",
    "K_SERVICE": "a-function",
    "LOG_EXECUTION_ID": "true",
    "LOG_LEVEL": "DEBUG",
    "OIDC_AUDIENCE": AUDIENCE,
    "SCHEDULER_SERVICE_ACCOUNT": SCHEDULER,
    "OPERATOR_ACCOUNTS": OPERATOR,
    "GOOGLE_CLOUD_PROJECT": "my-project",
}


@dataclass
class Running:
    """A function as a process: where it answers, and what it has written so far."""

    url: str
    output: Path

    def call(self, method: str = "POST", path: str = "/", **headers: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"{self.url}{path}", headers=headers, timeout=60)

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()


@contextmanager
def running(folder: Path, output: Path, *arguments: str, **env: str) -> Iterator[Running]:
    """functions-framework in `folder` on a free port; nothing of our own environment reaches it."""
    clean = {"PATH": os.environ["PATH"], "GUNICORN_LOG_LEVEL": "info", "THREADS": "4"}
    command = [FRAMEWORK, "--host", "127.0.0.1", "--port", "0", *arguments]
    with output.open("w") as stdout:
        process = subprocess.Popen(
            command, cwd=folder, env=clean | env, stdout=stdout, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr
        try:
            yield Running(_listening(process), output)
        finally:
            process.terminate()
            process.wait(30)
            process.stderr.close()


def _listening(process: "subprocess.Popen[str]") -> str:
    assert process.stderr
    told = []
    for line in process.stderr:
        told.append(line)
        if found := re.search(r"Listening at: (http://\S+)", line):
            return found.group(1)
    raise AssertionError("".join(told))


def stage(job: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(ROOT / "deploy.sh"), "stage", job, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeServer]:
    """The simulated exchange in real time, and fast enough for anybody."""
    config = ExchangeConfig(rate_limit=RateLimit(weight=None))
    with ExchangeServer(SimulatedExchange(config)) as handle:
        yield handle


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_for_run(None) as (url, _):
        yield url


@pytest.fixture
def env(exchange: ExchangeServer, redis_url: str) -> dict[str, str]:
    """What every function needs to know; its Redis is empty."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return {
        "REDIS_URL": redis_url,
        "MEXC_BASE_URL": exchange.url,
        "MEXC_API_KEY": exchange.exchange.config.api_key,
        "MEXC_SECRET_KEY": exchange.exchange.config.secret_key,
    }


def token(email: str) -> str:
    """An Authorization header as the platform hands it on."""
    return f"Bearer {platform_token(email, aud=AUDIENCE, exp=int(time.time()) + 3600)}"


# What is staged


@pytest.mark.parametrize("job", FUNCTIONS)
def test_a_bundle_is_the_entry_point_the_requirements_and_the_shared_code(job: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    done = stage(job, folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["common", "main.py", "requirements.txt"]
    shared = {path.relative_to(ROOT): path for path in (ROOT / "common").rglob("*.py")}
    shared |= {path.relative_to(ROOT): path for path in (ROOT / "common").rglob("py.typed")}
    expected = shared | {
        Path("main.py"): ROOT / "functions" / job / "main.py",
        Path("requirements.txt"): ROOT / "requirements.txt",
    }
    staged = {path.relative_to(folder): path for path in folder.rglob("*") if not path.is_dir()}
    assert staged.keys() == expected.keys()
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    for name, path in staged.items():
        assert path.read_bytes() == expected[name].read_bytes(), name


def test_all_that_is_shipped_compiles_as_the_build_does(tmp_path: Path) -> None:
    assert stage("balance", tmp_path / "bundle").returncode == 0
    assert compileall.compile_dir(tmp_path / "bundle", quiet=2)


def test_the_requirements_are_pinned_with_hashes_and_have_no_test_tools() -> None:
    text = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
    assert {"functions-framework", "redis", "requests", "pydantic", "google-auth"} <= set(pins)
    assert not {"pytest", "fakeredis", "hypothesis", "mypy", "ruff", "rich"} & set(pins)
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


# Each as the platform runs it


@pytest.mark.slow
def test_a_staged_job_runs_on_the_platform_for_the_schedulers_account_only(
    env: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    """One bundle as a process: all hold the same code, and tests/test_runtime.py runs every job by create_app."""
    job, task = "fifteen_min_job", "15-min-job"
    assert stage(job, tmp_path / "bundle").returncode == 0
    with running(tmp_path / "bundle", tmp_path / "out", "--target", job, **env, **PLATFORM) as function:
        assert function.call("POST").status_code == 401
        assert function.call("POST", **{"X-CloudScheduler": "true"}).status_code == 401
        forged = token(SCHEDULER).replace("SIGNATURE_REMOVED_BY_GOOGLE", "Zm9yZ2Vk")
        assert function.call("POST", Authorization=forged).status_code == 401
        assert function.call("POST", Authorization=token("eve@example.com")).status_code == 403
        assert function.call("POST", Authorization=token(OPERATOR)).status_code == 403
        refused = function.call("DELETE", Authorization=token(SCHEDULER))
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")
        run = function.call(
            "POST",
            Authorization=token(SCHEDULER),
            **{"X-Cloud-Trace-Context": "105445aa7843bc8bf206b120001000/1;o=1", "Function-Execution-Id": "run-42"},
        )
        answer = run.json()
        assert run.status_code == 200, run.text
        assert (answer["task"], answer["auth"]) == (task, "OIDC")
        assert answer["status"] == "success"
        read = function.call("GET", Authorization=token(SCHEDULER))
        assert (read.status_code, read.json()["task"]) == (200, task)
        lines = function.lines()
    events = [json.loads(line) for line in lines]
    assert all({"severity", "message"} <= set(event) for event in events)
    [finished] = [event for event in events if event.get("event") == "job.finished" and event["status"] != "error"]
    assert (finished["task"], finished["status"], finished["severity"]) == (task, answer["status"], "INFO")
    assert finished["logging.googleapis.com/trace"] == ("projects/my-project/traces/105445aa7843bc8bf206b120001000")
    assert finished["logging.googleapis.com/labels"]["execution_id"] == "run-42"
    failures = [event["auth_failure"] for event in events if "auth_failure" in event]
    assert len(failures) == 5
    assert {event["severity"] for event in events if "auth_failure" in event} == {"ERROR"}
    for secret in (env["MEXC_SECRET_KEY"], env["MEXC_API_KEY"], "eyJ", "signature="):
        assert not [line for line in lines if secret in line]
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.exists(f"bot:QRLUSDT:report:{job}:last")


@pytest.mark.soak
def test_the_staged_operators_door_admits_operators_only(env: dict[str, str], tmp_path: Path) -> None:
    assert stage("ops", tmp_path / "bundle").returncode == 0
    with running(tmp_path / "bundle", tmp_path / "out", "--target", "ops", **env, **PLATFORM) as function:
        assert function.call("GET", Authorization=token(SCHEDULER)).status_code == 403
        state = function.call("GET", Authorization=token(OPERATOR))
        assert (state.status_code, state.json()["task"]) == (200, "ops")
        price = function.call("GET", "/price", Authorization=token(OPERATOR))
        assert (price.status_code, price.json()["task"]) == (200, "update-price")


# From the checkout, as the README says


@pytest.mark.slow
def test_a_function_alone_is_served_from_the_repository(env: dict[str, str], tmp_path: Path) -> None:
    arguments = ("--source", "functions/balance/main.py", "--target", "balance")
    with running(ROOT, tmp_path / "out", *arguments, **env, AUTH_MODE="header") as function:
        run = function.call("POST", **{"X-CloudScheduler": "true"})
        assert (run.status_code, run.json()["auth"]) == (200, "X-CloudScheduler")
        assert run.json()["data"]["qrl_balance"] == 1000
        read = function.call("GET", "/last", **{"X-CloudScheduler": "true"})
        assert read.json()["data"]["cached"] is True
        lines = function.lines()
    assert any("[Cloud Task] Balance synced - QRL: 1000.0000 (locked: 0.0)" in line for line in lines)
    assert not any(line.startswith("{") for line in lines), "a terminal gets plain text"
