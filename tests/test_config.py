"""Settings: what they default to, what is refused, and what an error may say."""

import json
import re
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import GOOGLE_CERTS_URL, Settings, names, nearly_settings
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import CostGuard, Limits, Policy, Slicing
from common.domain.instrument import Instrument
from common.domain.orders.order import OrderStyle
from common.errors import ConfigurationError
from common.runtime import redis_client
from tests.builders import PROPERTY, d
from tests.conftest import ROOT

LAPTOP = {"REDIS_URL": "redis://127.0.0.1:6379/0", "AUTH_MODE": "header"}
PLATFORM = {
    "REDIS_HOST": "10.0.0.3",
    "K_SERVICE": "balance",
    "OIDC_AUDIENCE": "https://balance.example",
    "SCHEDULER_SERVICE_ACCOUNT": "scheduler@project.iam.gserviceaccount.com",
}


def settings(**env: str) -> Settings:
    return Settings.from_env(LAPTOP | env)


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        Settings.from_env(environ)
    return str(error.value)


def offenders(environ: dict[str, str]) -> list[str]:
    """The names that the one error is about, in the order they are told."""
    return [problem.split(":", 1)[0] for problem in refused(environ).split("; ")]


# Defaults

DEFAULTS: dict[str, Any] = {
    "symbol": "QRLUSDT",
    "mexc_base_url": "https://api.mexc.com",
    "redis_key_prefix": "",
    "redis_namespace": "qrl",
    "redis_cache_ttl": 60,
    "redis_cache_ttl_ticker": 5,
    "redis_cache_ttl_ohlcv": 86400,
    "redis_cache_ttl_deals": 10,
    "redis_cache_ttl_orderbook": 5,
    "oidc_audience": (),
    "oidc_certs_url": GOOGLE_CERTS_URL,
    "operator_accounts": (),
    "target_ratio": d("0.5"),
    "min_notional_usdt": d("5.0"),
    "threshold_pct": d("0.01"),
    "rebalance_to": Destination.TARGET,
    "levels": (),
    "cost_fallback": d("0.005"),
    "decide_on": "last",
    "trend_filter": "off",
    "trend_fast": 7,
    "trend_slow": 25,
    "trend_factor": d("1.5"),
    "cost_guard_max_weight": d("0.65"),
    "execution_mode": "plan",
    "order_style": OrderStyle.IOC,
    "allow_market_orders": False,
    "max_price_deviation": d("0.2"),
    "max_slippage": d("0.005"),
    "max_depth_share": d("0.8"),
    "log_level": "INFO",
}
UNSET = (
    "mexc_api_key",
    "mexc_secret_key",
    "mexc_key_created",
    "https_proxy",
    "redis_host",
    "redis_password",
    "redis_ca",
    "scheduler_service_account",
    "max_daily_loss_usdt",
    "min_sell_margin",
    "quantity_increment",
    "log_ship_project",
    "google_cloud_project",
    "k_service",
)


def test_the_defaults_are_the_specifications_and_what_nobody_set_is_nothing() -> None:
    expected = DEFAULTS | dict.fromkeys(UNSET)
    assert {name: getattr(settings(), name) for name in expected} == expected


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_default_cannot_place_an_order() -> None:
    assert settings().execution_mode == "plan"
    assert not settings().has_keys


def test_policy_limits_and_pair_are_made_from_the_settings() -> None:
    changed = settings(
        SYMBOL="BTCUSDC",
        TARGET_RATIO="0.6",
        MIN_NOTIONAL_USDT="7",
        THRESHOLD_PCT="0.02",
        CORE_HOLDING="100",
        USDT_RESERVE="50",
        MAX_PRICE_DEVIATION="0.1",
        MAX_SLIPPAGE="0.002",
        MAX_DEPTH_SHARE="0.5",
        MAX_FEE="0.003",
        MAX_ORDERS_PER_DAY="9",
        ORDER_COOLDOWN_SECONDS="60",
        MAX_NOTIONAL_USDT="250",
        MAX_DAILY_LOSS_USDT="25",
    )
    assert changed.instrument == Instrument("BTC", "USDC")
    assert changed.policy == Policy(d("0.6"), d(7), (Level(d("0.02")),), d(100), d(50))
    assert changed.limits == Limits(
        d("0.1"), d("0.002"), d("0.5"), d("0.003"), 9, timedelta(minutes=1), d(250), d(25), binding=False
    )


@pytest.mark.parametrize("name", [*DEFAULTS, *UNSET])
def test_an_empty_string_counts_as_unset(name: str) -> None:
    assert getattr(settings(**{name.upper(): ""}), name) == getattr(settings(), name)


def test_the_name_of_a_setting_is_read_in_upper_case_only_and_others_are_ignored() -> None:
    assert settings(target_ratio="0.9", PATH="/usr/bin").target_ratio == d("0.5")


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().target_ratio = Decimal("0.9")  # type: ignore[misc]


def test_lists_are_comma_separated_and_forgive_spaces() -> None:
    read = settings(OIDC_AUDIENCE=" https://a , https://b,", OPERATOR_ACCOUNTS="me@example.com")
    assert read.oidc_audience == ("https://a", "https://b")
    assert read.operator_accounts == ("me@example.com",)


def test_the_day_the_key_was_made_is_a_date() -> None:
    assert settings(MEXC_KEY_CREATED="2026-01-02").mexc_key_created == date(2026, 1, 2)


# What is refused

BAD_VALUES = [
    ("SYMBOL", "qrlusdt"),
    ("SYMBOL", "QRLXYZ"),
    ("SYMBOL", "USDT"),
    ("SYMBOL", "QRL/USDT"),
    ("MEXC_KEY_CREATED", "yesterday"),
    ("REDIS_PORT", "0"),
    ("REDIS_PORT", "65536"),
    ("REDIS_KEY_PREFIX", "dev *"),
    ("REDIS_NAMESPACE", "a:b"),
    ("REDIS_CACHE_TTL", "0"),
    ("REDIS_CACHE_TTL_TICKER", "1.5"),
    ("REDIS_CACHE_TTL_OHLCV", "-1"),
    ("AUTH_MODE", "none"),
    ("AUTH_MODE", "HEADER"),
    ("EXECUTION_MODE", "LIVE"),
    ("EXECUTION_MODE", "production"),
    ("ORDER_STYLE", "limit"),
    ("ALLOW_MARKET_ORDERS", "maybe"),
    ("MAX_ORDERS_PER_DAY", "many"),
    ("MAX_ORDERS_PER_DAY", "-1"),
    ("LOG_LEVEL", "CHATTY"),
    ("RUN_DEADLINE_SECONDS", "0"),
]
AMOUNTS = {
    "TARGET_RATIO": ("0", "1", "-0.5", "50"),
    "MIN_NOTIONAL_USDT": ("-1",),
    "THRESHOLD_PCT": ("-0.01", "1", "100"),
    "REBALANCE_TO": ("-0.01", "1", "TARGET"),
    "COST_FALLBACK": ("0", "1"),
    "TREND_FACTOR": ("0.9", "11"),
    "MIN_SELL_MARGIN": ("-0.1", "11"),
    "COST_GUARD_MAX_WEIGHT": ("0", "1"),
    "MAX_PRICE_DEVIATION": ("-0.1", "1"),
    "MAX_SLIPPAGE": ("-0.1", "1"),
    "MAX_DEPTH_SHARE": ("-0.1", "1"),
    "MAX_FEE": ("-0.1", "1"),
    "MAX_NOTIONAL_USDT": ("0", "-1"),
    "MAX_DAILY_LOSS_USDT": ("0", "-1"),
    "CORE_HOLDING": ("-1",),
    "USDT_RESERVE": ("-1",),
    "QUANTITY_INCREMENT": ("0", "-1"),
}
UNREADABLE = ("NaN", "sNaN", "Infinity", "-inf", "abc", "1,5", "50%", "0x1", "1E+99")


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(name: str, value: str) -> None:
    assert offenders(LAPTOP | {name: value}) == [name]


@pytest.mark.parametrize("name", AMOUNTS)
def test_an_amount_out_of_range_or_unreadable_is_refused_and_never_a_zero(name: str) -> None:
    for value in (*AMOUNTS[name], *UNREADABLE):
        assert offenders(LAPTOP | {name: value}) == [name]


def test_every_offender_is_named_in_one_error() -> None:
    environ = {
        "SYMBOL": "QRL",
        "MEXC_API_KEY": "mx0key",
        "MEXC_BASE_URL": "http://api.mexc.com",
        "REDIS_PORT": "x",
        "TARGET_RATIO": "NaN",
        "EXECUTION_MODE": "yolo",
        "EXCHANGE_TIMEOUT_SECONDS": "60",
    }
    told = refused(environ)
    for name in (
        *environ,
        "MEXC_SECRET_KEY",
        "REDIS_URL",
        "REDIS_HOST",
        "OIDC_AUDIENCE",
        "SCHEDULER_SERVICE_ACCOUNT",
    ):
        assert name in told, name


def test_a_rule_over_an_unreadable_setting_is_not_told_as_a_second_problem() -> None:
    assert offenders({"REDIS_HOST": "redis", "AUTH_MODE": "headr"}) == ["AUTH_MODE"]
    assert offenders(LAPTOP | {"EXCHANGE_TIMEOUT_SECONDS": "x", "RUN_DEADLINE_SECONDS": "5"}) == [
        "EXCHANGE_TIMEOUT_SECONDS"
    ]
    assert offenders(LAPTOP | {"ORDER_STYLE": "market", "ALLOW_MARKET_ORDERS": "perhaps"}) == [
        "ALLOW_MARKET_ORDERS"
    ]


def test_an_empty_environment_says_all_that_is_missing() -> None:
    told = refused({})
    assert "REDIS_URL or REDIS_HOST" in told
    assert "OIDC_AUDIENCE" in told
    assert "SCHEDULER_SERVICE_ACCOUNT" in told


def test_half_a_key_is_refused() -> None:
    for name in ("MEXC_API_KEY", "MEXC_SECRET_KEY"):
        assert "one is set without the other" in refused(LAPTOP | {name: "mx0"})
    assert settings(MEXC_API_KEY="mx0", MEXC_SECRET_KEY="s").has_keys


def test_market_orders_need_a_second_yes() -> None:
    assert offenders(LAPTOP | {"ORDER_STYLE": "market"}) == ["ORDER_STYLE"]
    assert settings(ORDER_STYLE="market", ALLOW_MARKET_ORDERS="true").order_style is OrderStyle.MARKET


def test_levels_are_read_in_the_owners_notation() -> None:
    read = settings(LEVELS="0.01:half, 0.03:0.01:maker,0.05:target:ioc", ORDER_STYLE="maker")
    assert read.policy.levels == (
        Level(d("0.01"), Destination.HALF, OrderStyle.MAKER),
        Level(d("0.03"), d("0.01"), OrderStyle.MAKER),
        Level(d("0.05"), Destination.TARGET, OrderStyle.IOC),
    )
    one = settings(THRESHOLD_PCT="0.05", REBALANCE_TO="0.025", ORDER_STYLE="maker")
    assert one.policy.levels == (Level(d("0.05"), d("0.025"), OrderStyle.MAKER),)


def test_a_derived_band_starts_from_the_fallback_cost_and_decides_on_the_mid() -> None:
    read = settings(THRESHOLD_PCT="auto", REBALANCE_TO="half")
    assert [round(level.trigger, 4) for level in read.policy.levels] == [d("0.1000")]
    assert (read.auto, read.decides_on_mid) == (Destination.HALF, True)
    assert not settings(THRESHOLD_PCT="auto", DECIDE_ON="last").decides_on_mid
    assert settings(DECIDE_ON="mid").decides_on_mid
    assert (settings().auto, settings().decides_on_mid) == (None, False)


def test_the_plan_tells_the_policy_where_a_setting_of_it_is_in_use() -> None:
    told = [{"THRESHOLD_PCT": "auto"}, {"REBALANCE_TO": "half"}, {"LEVELS": "0.01:half"}, {"DECIDE_ON": "mid"}]
    told += [{"TREND_FILTER": "ma"}, {"MIN_SELL_MARGIN": "0"}, {"COST_FALLBACK": "0.003"}]
    assert [env for env in told if not settings(**env).policy_in_plan] == []
    assert not settings(THRESHOLD_PCT="0.05", ORDER_STYLE="maker").policy_in_plan


def test_the_cost_guard_is_on_with_a_margin() -> None:
    assert settings().policy.cost_guard is None
    assert settings(MIN_SELL_MARGIN="0.02").policy.cost_guard == CostGuard(d("0.02"), d("0.65"))


@pytest.mark.parametrize(
    ("environ", "offender"),
    [
        ({"LEVELS": "0.01"}, "LEVELS"),
        ({"LEVELS": "0.01:half:fast"}, "LEVELS"),
        ({"LEVELS": "0.01:half:ioc:x"}, "LEVELS"),
        ({"LEVELS": "0:half"}, "LEVELS"),
        ({"LEVELS": "wide:half"}, "LEVELS"),
        ({"LEVELS": "0.01:nowhere"}, "LEVELS"),
        ({"LEVELS": "0.03:half,0.03:target"}, "LEVELS"),
        ({"LEVELS": "0.03:half,0.01:target"}, "LEVELS"),
        ({"LEVELS": "0.03:0.03"}, "LEVELS"),
        ({"LEVELS": "0.03:target:market"}, "LEVELS"),
        ({"LEVELS": "0.03:target", "THRESHOLD_PCT": "auto"}, "LEVELS and THRESHOLD_PCT=auto"),
        ({"REBALANCE_TO": "0.01"}, "REBALANCE_TO"),
        ({"REBALANCE_TO": "0.01", "THRESHOLD_PCT": "auto"}, "REBALANCE_TO"),
        ({"DECIDE_ON": "bid"}, "DECIDE_ON"),
        ({"TREND_FILTER": "on"}, "TREND_FILTER"),
        ({"TREND_FAST": "25"}, "TREND_FAST"),
        ({"ORDER_STYLE": "tiered"}, "ORDER_STYLE"),
        ({"MIN_SELL_MARGIN": "0", "COST_GUARD_MAX_WEIGHT": "0.5"}, "COST_GUARD_MAX_WEIGHT"),
    ],
)
def test_a_policy_that_does_not_fit_together_is_refused_by_name(environ: dict[str, str], offender: str) -> None:
    assert offenders(LAPTOP | environ) == [offender]


def test_a_percentage_in_place_of_a_fraction_is_told_in_one_line() -> None:
    assert refused(LAPTOP | {"THRESHOLD_PCT": "5"}) == (
        "THRESHOLD_PCT: is a fraction of the value from 0 to below 1 (5 % is 0.05)"
    )


@pytest.mark.parametrize("timeout", ["45", "46"])
def test_one_call_must_end_before_the_run_does(timeout: str) -> None:
    assert offenders(LAPTOP | {"EXCHANGE_TIMEOUT_SECONDS": timeout}) == ["EXCHANGE_TIMEOUT_SECONDS"]
    assert settings(EXCHANGE_TIMEOUT_SECONDS="44").exchange_timeout_seconds == 44


# Who may call


def test_on_the_platform_the_platform_checks_callers_unless_told_otherwise() -> None:
    assert Settings.from_env(PLATFORM).auth_mode == "platform"
    assert Settings.from_env(PLATFORM | {"AUTH_MODE": "oidc"}).auth_mode == "oidc"
    assert Settings.from_env(PLATFORM).on_platform


def test_elsewhere_the_bot_checks_tokens_itself_unless_told_otherwise() -> None:
    elsewhere = {name: value for name, value in PLATFORM.items() if name != "K_SERVICE"}
    assert Settings.from_env(elsewhere).auth_mode == "oidc"
    assert not Settings.from_env(elsewhere).on_platform


def test_header_mode_is_refused_on_the_platform() -> None:
    assert offenders(PLATFORM | {"AUTH_MODE": "header"}) == ["AUTH_MODE"]


@pytest.mark.parametrize("service", [{}, {"K_SERVICE": ""}])
def test_platform_mode_is_refused_off_the_platform(service: dict[str, str]) -> None:
    elsewhere = {name: value for name, value in PLATFORM.items() if name != "K_SERVICE"}
    assert offenders(elsewhere | service | {"AUTH_MODE": "platform"}) == ["AUTH_MODE"]


@pytest.mark.parametrize("mode", ["platform", "oidc"])
@pytest.mark.parametrize("audience", ["", ",", " , "])
def test_tokens_need_an_audience_and_an_account_to_be_held_against(mode: str, audience: str) -> None:
    bare = {"REDIS_HOST": "redis", "K_SERVICE": "balance", "AUTH_MODE": mode, "OIDC_AUDIENCE": audience}
    assert offenders(bare) == ["OIDC_AUDIENCE", "SCHEDULER_SERVICE_ACCOUNT (or, for ops, OPERATOR_ACCOUNTS)"]


def test_the_operators_door_does_without_a_scheduler() -> None:
    ops = {name: value for name, value in PLATFORM.items() if name != "SCHEDULER_SERVICE_ACCOUNT"}
    assert Settings.from_env(ops | {"OPERATOR_ACCOUNTS": "me@example.com"}).scheduler_service_account is None


# Addresses


@pytest.mark.parametrize("name", ["MEXC_BASE_URL", "OIDC_CERTS_URL"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "localhost:99", "[::1]:8080"])
def test_plain_http_is_for_loopback(name: str, host: str) -> None:
    assert getattr(settings(**{name: f"http://{host}/"}), name.lower()) == f"http://{host}"


@pytest.mark.parametrize("name", ["MEXC_BASE_URL", "OIDC_CERTS_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://api.mexc.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "api.mexc.com",
        "https://",
        "https:///v3",
        "https://host:port",
        "https://[host",
        "https://h\u2100st",
    ],
)
def test_any_other_address_must_be_https_and_name_a_host(name: str, url: str) -> None:
    told = refused(LAPTOP | {name: url})
    assert told == f"{name}: must be https (plain http only on loopback)"


@pytest.mark.parametrize(
    "url", ["redis://10.0.0.3:6379/1", "rediss://:password@10.0.0.3:6378", "redis://localhost"]
)
def test_redis_is_reached_in_the_clear_or_over_tls(url: str) -> None:
    read = settings(REDIS_URL=url).redis_url
    assert read is not None
    assert read.get_secret_value() == url


@pytest.mark.parametrize("url", ["http://10.0.0.3", "10.0.0.3:6379", "unix:///run/redis.sock", "localhost"])
def test_redis_is_reached_by_no_other_scheme(url: str) -> None:
    assert offenders(LAPTOP | {"REDIS_URL": url}) == ["REDIS_URL"]


def test_a_ca_goes_with_tls_only() -> None:
    assert offenders(LAPTOP | {"REDIS_CA": "-----BEGIN CERTIFICATE-----"}) == ["REDIS_CA"]
    assert settings(REDIS_URL="rediss://10.0.0.3", REDIS_CA="PEM").redis_ca == "PEM"
    assert Settings.from_env({"REDIS_HOST": "10.0.0.3", "AUTH_MODE": "header", "REDIS_CA": "PEM"}).redis_ca == "PEM"


# Secrets

SECRET = "hunter2secret"
SECRETS = {
    "MEXC_API_KEY": SECRET,
    "MEXC_SECRET_KEY": SECRET,
    "REDIS_PASSWORD": SECRET,
    "REDIS_URL": f"rediss://:{SECRET}@10.0.0.3:6378",
    "HTTPS_PROXY": f"http://me:{SECRET}@proxy.example:3128",
}


def test_no_secret_shows_where_settings_are_printed() -> None:
    read = settings(**SECRETS)
    assert read.redis_password is not None
    assert read.redis_password.get_secret_value() == SECRET
    assert SECRET not in f"{read!r} {read!s}"


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_an_error_repeats_no_value_whatever_it_was_pasted_into(name: str) -> None:
    wrong = LAPTOP | SECRETS | {"EXCHANGE_TIMEOUT_SECONDS": "60", name: f"{SECRET}["}
    assert SECRET not in refused(wrong)


@pytest.mark.parametrize(
    "url",
    [
        f"rediss://:{SECRET}/more@10.0.0.3:6378",
        f"rediss://:{SECRET}#more@10.0.0.3:6378",
        f"rediss://:more[{SECRET}]@10.0.0.3:6378",
        f"rediss://:\u2100{SECRET}@10.0.0.3:6378",
        f"redis://10.0.0.3:{SECRET}",
    ],
)
def test_a_redis_url_that_cannot_be_read_is_refused_without_being_repeated(url: str) -> None:
    told = refused(LAPTOP | {"REDIS_URL": url})
    assert told.startswith("REDIS_URL: ")
    assert SECRET not in told


@PROPERTY
@given(st.dictionaries(st.sampled_from([name.upper() for name in Settings.model_fields]), st.text(), max_size=8))
def test_whatever_the_environment_holds_is_read_or_refused_as_a_configuration_error(env: dict[str, str]) -> None:
    with suppress(ConfigurationError):
        assert 0 < Settings.from_env(LAPTOP | env).target_ratio < 1


def test_a_name_that_is_nearly_a_setting_is_told_with_the_one_it_resembles() -> None:
    misspelt = {
        "MAX_NOTIONAL_USD": "MAX_NOTIONAL_USDT",
        "MAXNOTIONAL_USDT": "MAX_NOTIONAL_USDT",
        "TARGETRATIO": "TARGET_RATIO",
        "MAX_LOSS": None,
        "REDIS_PASS": None,
    }
    others = ("PATH", "K_REVISION", "FUNCTION_TARGET", "LOG_EXECUTION_ID", "HTTP_PROXY", "target_ratio")
    assert nearly_settings(dict.fromkeys([*misspelt, *others, *LAPTOP], "50")) == misspelt


@pytest.mark.parametrize("around", [" {}", "{}\n", "\t{}\r\n", "\u200b{}\u200b", "\ufeff{}", "\u00a0{} "])
def test_what_comes_along_when_a_value_is_pasted_is_no_part_of_it(around: str) -> None:
    pasted = {
        "MEXC_API_KEY": "mx0key",
        "MEXC_SECRET_KEY": "secret",
        "SCHEDULER_SERVICE_ACCOUNT": "scheduler@project.iam.gserviceaccount.com",
        "OPERATOR_ACCOUNTS": "a@example.com",
        "OIDC_AUDIENCE": "https://a.run.app",
        "MEXC_BASE_URL": "https://api.mexc.com",
    }
    read = Settings.from_env(LAPTOP | {name: around.format(value) for name, value in pasted.items()})
    assert read.mexc_api_key is not None
    assert read.mexc_secret_key is not None
    assert (read.mexc_api_key.get_secret_value(), read.mexc_secret_key.get_secret_value()) == ("mx0key", "secret")
    assert read.scheduler_service_account == pasted["SCHEDULER_SERVICE_ACCOUNT"]
    assert (read.operator_accounts, read.oidc_audience) == (("a@example.com",), ("https://a.run.app",))
    assert read.mexc_base_url == "https://api.mexc.com"


@pytest.mark.parametrize(
    "name",
    ["MEXC_API_KEY", "MEXC_SECRET_KEY", "SCHEDULER_SERVICE_ACCOUNT", "OPERATOR_ACCOUNTS", "OIDC_AUDIENCE"],
)
@pytest.mark.parametrize("odd", ["a b", "a\u200bb", "a\nb", "caf\u00e9"])
def test_what_no_header_can_hold_is_refused_by_its_name(name: str, odd: str) -> None:
    keys = {"MEXC_API_KEY": "key", "MEXC_SECRET_KEY": "secret"}
    with pytest.raises(ConfigurationError, match=name) as raised:
        Settings.from_env({**LAPTOP, **keys, name: odd})
    assert odd not in str(raised.value)


@pytest.mark.parametrize("query", ["socket_timeout=abc", "no_such_option=1", "db=x"])
def test_an_option_of_the_redis_url_that_cannot_be_read_is_a_configuration_error(query: str) -> None:
    settings = Settings.from_env({"REDIS_URL": f"redis://:hidden-word@h/0?{query}", "AUTH_MODE": "header"})
    with pytest.raises(ConfigurationError, match="REDIS_URL") as raised:
        redis_client(settings)
    assert "hidden-word" not in str(raised.value)


def test_slices_are_for_live_orders_and_no_smaller_than_an_order() -> None:
    sliced = {"SLICE_NOTIONAL_USDT": "50", "SLICE_HOURS": "2"}
    live = Settings.from_env({**LAPTOP, **sliced, "EXECUTION_MODE": "live"})
    assert live.slicing == Slicing(d(50), timedelta(hours=2))
    assert Settings.from_env({**LAPTOP, **sliced}).slicing is None
    assert Settings.from_env({**LAPTOP, "EXECUTION_MODE": "live"}).slicing is None
    with pytest.raises(ConfigurationError, match="SLICE_NOTIONAL_USDT"):
        Settings.from_env({**LAPTOP, "SLICE_NOTIONAL_USDT": "4"})


def test_every_setting_is_used_and_tested() -> None:
    def text(folder: str) -> str:
        return "\n".join(path.read_text() for path in sorted((ROOT / folder).rglob("*.py")))

    code, tests = text("common"), text("tests")
    unused = [name for name in Settings.model_fields if not re.search(rf"(settings|self)\.{name}\b", code)]
    untested = [name for name in Settings.model_fields if name.upper() not in tests and f".{name}" not in tests]
    assert (unused, untested) == ([], [])


def test_terraform_knows_every_setting_of_the_bot_and_no_other() -> None:
    written = json.loads((Path(__file__).parent.parent / "terraform" / "settings.json").read_text())
    known, ours = set(written["known"]), set(names()["known"])
    assert known == ours, f"terraform/settings.json, lacking or stale: {known ^ ours}; `make settings` writes it"
    assert written["secret"] == names()["secret"], "`make settings` writes it"
    assert {"MEXC_SECRET_KEY", "REDIS_PASSWORD", "REDIS_URL"} <= set(written["secret"])


def test_a_run_too_short_to_send_an_order_is_refused_with_the_least_that_works() -> None:
    live = {"EXECUTION_MODE": "live", "RUN_DEADLINE_SECONDS": "22"}
    assert refused(LAPTOP | live) == (
        "RUN_DEADLINE_SECONDS: with EXECUTION_MODE=live at least 23, or no order is sent"
    )
    assert settings(**live | {"RUN_DEADLINE_SECONDS": "23"}).run_deadline_seconds == 23
    assert settings(RUN_DEADLINE_SECONDS="10").run_deadline_seconds == 10


def test_a_pair_in_another_asset_than_dollars_needs_amounts_of_that_asset() -> None:
    assert offenders(LAPTOP | {"SYMBOL": "QRLBTC"}) == ["MIN_NOTIONAL_USDT", "MAX_NOTIONAL_USDT"]
    read = settings(SYMBOL="QRLBTC", MIN_NOTIONAL_USDT="0.0001", MAX_NOTIONAL_USDT="0.02")
    assert read.policy.min_notional == d("0.0001")


def test_a_least_order_above_the_largest_is_refused_with_both_names() -> None:
    assert offenders(LAPTOP | {"MIN_NOTIONAL_USDT": "1000.01"}) == ["MIN_NOTIONAL_USDT and MAX_NOTIONAL_USDT"]
    assert settings(MIN_NOTIONAL_USDT="7", MAX_NOTIONAL_USDT="7").policy.min_notional == 7
