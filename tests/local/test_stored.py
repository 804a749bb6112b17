"""Commands that look at a bot's stored state from outside: what they say, and what they say when there is none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from common.store.keys import Keys
from local.__main__ import main
from tests.builders import KEYS
from tests.conftest import Live, MakeBot
from tests.fakes import Desk, FakeClock


@pytest.fixture
def live(
    make_bot: MakeBot, desk: Desk, clock: FakeClock, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    """A bot that has traded twice and stored it in a real Redis, which the environment names."""
    client: redis.Redis = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    live = Live(make_bot, desk, clock, client)
    for minutes, price in ((0, "0.02"), (15, "0.0222")):
        desk.market.set_price(price)
        live.call("price")
        live.run(minutes)
    monkeypatch.setenv("REDIS_URL", redis_server)
    yield live
    client.flushdb()
    client.close()


def test_replay_says_how_many_plans_were_reproduced_and_ends_well(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay"]) == 0
    assert capsys.readouterr().out == "2 of 2 plans reproduced\n"


def test_replay_names_the_slot_of_a_plan_that_is_another_now(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads(live.client.lindex(KEYS.plan_history, 0) or "")
    live.client.lset(KEYS.plan_history, 0, json.dumps(plan | {"quantity": "1"}))
    assert main(["replay"]) == 1
    assert "1 of 2 plans reproduced; another now: 20260102T1215Z" in capsys.readouterr().out


def test_report_says_the_sentence_and_about_ten_lines(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 0
    sentence, empty, *lines = capsys.readouterr().out.splitlines()
    assert "USDT against holding" in sentence
    assert empty == ""
    assert 8 <= len(lines) <= 11
    assert f"worth      {sentence}" in lines


def test_report_writes_the_page_or_the_whole_state(
    live: Live, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    assert main(["report", "--html", str(page)]) == 0
    sentence = capsys.readouterr().out.splitlines()[0]
    assert f"<h1>{sentence}</h1>" in page.read_text(encoding="utf-8")
    assert main(["report", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert state["plan"]["slot"] == "20260102T1215Z"
    assert set(state["runs"]) >= {"price", "fifteen_min_job"}


def test_without_a_redis_it_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert main(["replay"]) == 2
    assert "REDIS_URL is not set" in capsys.readouterr().err
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["replay"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_bot_that_this_redis_does_not_know_is_told_with_those_that_it_knows(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    live.client.set(Keys("simulated:", "BTCUSDT").position, "{}")
    for command in ("report", "replay", "export"):
        assert main([command, "--prefix", "simulated:"]) == 2
        error = capsys.readouterr().err
        assert error == (
            "this Redis knows no bot for QRLUSDT with the prefix simulated:; it knows QRLUSDT with no prefix, "
            "BTCUSDT with --prefix simulated:\n"
        )
    live.client.rename(KEYS.plan_history, Keys("mine:", "QRLUSDT").plan_history)
    assert main(["replay", "--prefix", "mine:"]) == 0
