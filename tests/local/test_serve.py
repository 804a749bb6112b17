"""`python -m local serve` as a process: what it keeps, and that nothing outlives it."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from local.__main__ import main
from local.children import child
from local.refused import Refused
from local.state_folder import held
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what became of processes")


class Served:
    """A running `serve`, and the programs it started."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url
        pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        self.children = {int(pid): os.pidfd_open(int(pid)) for pid in pids}

    def end(self, number: signal.Signals) -> int:
        """End it by a signal, and wait until its children are gone; how many there were."""
        self.process.send_signal(number)
        told, _ = self.process.communicate(timeout=20)
        assert number is signal.SIGKILL or "report.html" in told, told
        for pid, handle in self.children.items():
            ended, _, _ = select.select([handle], [], [], 10)
            os.close(handle)
            assert ended, f"{pid} outlived {number.name}"
        return len(self.children)


@contextmanager
def serving(state: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "local", "serve", "--port", "0", "--live", "--state", str(state)]
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout or ())
            yield Served(process, next(line for line in lines if line.startswith("serving ")).split()[1])
        finally:
            process.kill()


def ask(served: Served, method: str, path: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, served.url + path, headers={"X-CloudScheduler": "true"}, timeout=20).json()


def test_state_is_kept_and_nothing_that_was_started_outlives_any_end(
    redis_server: str,  # so that it is skipped where there is no redis-server
    tmp_path: Path,
) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        with serving(tmp_path) as served:
            before = ask(served, "GET", "/cost")
            if number is signal.SIGKILL:
                assert before["status"] == "skipped", "nothing is there yet"
                bought = ask(served, "POST", "/balance"), ask(served, "POST", "/cost")
                assert [answer["status"] for answer in bought] == ["success", "success"]
            else:
                assert before["data"]["fill_count"] == 1
                assert ask(served, "POST", "/balance")["data"]["qrl_balance"] == 26000
                again = ask(served, "POST", "/cost")
                assert (again["status"], again["data"]["fill_count"]) == ("success", 1), again
            assert served.end(number) == 2
            assert served.process.returncode == (-9 if number is signal.SIGKILL else 0)


def test_what_cannot_be_kept_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value, sentence in (
        ("REDIS_URL", "redis://127.0.0.1:1/0", "STATE keeps a Redis of its own in a folder, and REDIS_URL names"),
        ("PATH", str(tmp_path), "STATE needs a redis-server on this machine"),
    ):
        with monkeypatch.context() as environment:
            environment.delenv("REDIS_URL", raising=False)
            environment.setenv(name, value)
            assert main(["serve", "--state", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert (error.startswith(sentence), error.count("\n")) == (True, 1), error


def test_a_folder_in_use_is_refused_and_nothing_in_it_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    folder = tmp_path / "state"
    with held(folder):
        before = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))]
        assert main(["serve", "--port", "0", "--state", str(folder)]) == 2
        error = capsys.readouterr().err
        assert (f"STATE={folder} is in use" in error, error.count("\n")) == (True, 1), error
        assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))] == before
    with held(folder):
        pass


def test_a_folder_is_in_use_for_as_long_as_a_program_that_was_started_there_lives(tmp_path: Path) -> None:
    with ExitStack() as programs:
        with held(tmp_path) as lock:
            programs.enter_context(child(["sleep", "60"], pass_fds=lock))
        with pytest.raises(Refused, match="in use"), held(tmp_path, patience=0):
            pass
    with held(tmp_path):
        pass


def test_a_port_that_cannot_be_had_is_named_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"PORT={port} cannot be had (address already in use): PORT=n names another, PORT=0 any free one\n"
    )
