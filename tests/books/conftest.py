"""The exchange's client on a stub, without a bot around it."""

import random

import pytest

from common.clock import Deadline
from common.config import Settings
from common.meter import Meter
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp, new_session
from tests.builders import QRL
from tests.conftest import ENV
from tests.fakes import FakeClock, StubExchange


@pytest.fixture
def mexc(exchange: StubExchange, clock: FakeClock) -> Mexc:
    settings = Settings.from_env(ENV)
    session = new_session()
    session.mount("https://", exchange)
    http = MexcHttp(
        session,
        settings.mexc_base_url,
        clock,
        settings.mexc_api_key,
        settings.mexc_secret_key,
        settings.exchange_timeout_seconds,
        random.Random(7),
    )
    return Mexc(http, QRL, Deadline(clock, 45), Meter())
