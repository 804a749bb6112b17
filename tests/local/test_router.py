"""All functions behind one port: each path reaches its own function."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from common.service import Bot
from local.router import ROOT, function_names, serving
from tests.builders import ticker_payload
from tests.conftest import TASKS
from tests.fakes import StubExchange

HEADERS = {"X-CloudScheduler": "true"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(0) as url:
        yield url


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(HEADERS)
        yield session


def test_every_folder_with_an_entry_point_is_a_function() -> None:
    folders = {path.name for path in (ROOT / "functions").iterdir() if (path / "main.py").is_file()}
    assert set(function_names()) == folders >= set(TASKS)
    assert Path(__file__).parents[2] == ROOT


@pytest.mark.parametrize("name", TASKS)
def test_each_path_reaches_its_function(name: str, url: str, web: requests.Session, bot: Bot) -> None:
    for path in (f"/{name}", f"/{name}/", f"/{name}/any/where"):
        posted = web.post(url + path, allow_redirects=False)
        assert (posted.status_code, posted.json()["task"]) == (200, TASKS[name])
        read = web.get(url + path, allow_redirects=False)
        assert (read.status_code, read.json()["task"]) == (200, TASKS[name])


def test_a_function_sees_the_path_behind_its_own_name(url: str, web: requests.Session, bot: Bot) -> None:
    web.post(f"{url}/price")
    told = web.get(f"{url}/ops/price").json()
    assert (told["task"], told["status"]) == ("update-price", "success")
    assert web.get(f"{url}/ops").json()["task"] == "ops"


def test_methods_queries_and_headers_go_through(url: str, web: requests.Session, bot: Bot) -> None:
    refused = web.put(f"{url}/price", data="{}")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")
    assert web.get(f"{url}/price?raw=nothing").status_code == 400
    nobody = web.get(f"{url}/price", headers={"X-CloudScheduler": ""})
    assert (nobody.status_code, "X-CloudScheduler: true" in nobody.text) == (401, True)
    web.post(f"{url}/price")
    assert web.get(f"{url}/price?raw=ticker_24hr&limit=1").json()["data"]["count"] == 1


def test_the_root_lists_what_there_is_and_shows_a_browser_the_report(
    url: str, web: requests.Session, bot: Bot
) -> None:
    listed = web.get(f"{url}/")
    assert listed.status_code == 200
    assert all(f"/{name}" in listed.text for name in function_names())
    with requests.Session() as browser:
        browser.trust_env = False
        browser.headers["Accept"] = "text/html,application/xhtml+xml"
        page = browser.get(f"{url}/")
        assert (page.status_code, page.text[:15]) == (200, "<!doctype html>")
        assert browser.get(f"{url}/balance").status_code == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/pric", "/prices", "//", "/common", "/%2e%2e"])
def test_an_unknown_path_is_404_and_names_the_known_ones(
    path: str, url: str, web: requests.Session, bot: Bot, exchange: StubExchange
) -> None:
    response = web.post(f"{url}{path}", data="{}")
    assert response.status_code == 404
    assert "/fifteen_min_job" in response.text
    assert exchange.calls == []
    assert web.post(f"{url}/price", data="{}").status_code == 200, "the connection goes on"


def test_the_functions_are_served_in_threads_by_one_bot(url: str, bot: Bot, exchange: StubExchange) -> None:
    with requests.Session() as one, requests.Session() as other:
        for session in (one, other):
            session.trust_env = False
            assert session.post(f"{url}/balance", headers=HEADERS).json()["status"] == "success"
    assert exchange.paths() == ["account", "account"]


def test_amounts_arrive_whole(url: str, web: requests.Session, bot: Bot, exchange: StubExchange) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload("0.000000674123456789")
    assert '"price":0.000000674123456789,' in web.post(f"{url}/price").text
