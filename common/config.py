"""Every setting of the bot, read once from the environment; one error names all offenders.

Imports: errors, domain. The table in docs/settings.md is generated from `Settings.model_fields`, and a test keeps
them in step.
"""

import json
import re
import string
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import (
    AliasGenerator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from common.domain.instrument import Instrument
from common.errors import ConfigurationError
from common.trading_settings import TIME_TO_SEND_SECONDS, Seconds, TradingSettings

if TYPE_CHECKING:
    from common.domain.decision.live_gate import Shape

KEY_LIFE_DAYS, KEY_WARNING_DAYS = 90, 75
"""An exchange key that is bound to no IP dies, and when that is warned of."""
GOOGLE_CERTS_URL = "https://www.googleapis.com/oauth2/v1/certs"
INVISIBLE = string.whitespace + "\u00a0\u200b\u200c\u200d\u2060\ufeff"
"""Characters that come along when a secret or an address is pasted, and are never part of it."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def _address(url: str) -> SplitResult | None:
    """The parts of a URL, None if it is not one. urlsplit's own errors must not show: they repeat their input."""
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _passwords(parts: SplitResult) -> Iterator[str]:
    """The password of a URL as it stands there, as it is sent, and as a proxy is sent it."""
    yield from parse_qs(parts.query).get("password", ())
    if parts.password:
        yield from (parts.password, unquote(parts.password))
        yield b64encode(f"{unquote(parts.username or '')}:{unquote(parts.password)}".encode()).decode()


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name for part in value.split(",") if (name := part.strip(INVISIBLE)))


_PRINTABLE = re.compile(r"[!-~]+")
_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Settings(TradingSettings):
    """One process's settings. Fields are the environment's names in lower case; contract.md §8."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: name.upper()),
    )

    symbol: str = Field("QRLUSDT", pattern=r"^[A-Z0-9]{4,20}$", description="The pair, as the exchange spells it")
    mexc_api_key: SecretStr | None = Field(None, description="Exchange key; without it only `price` works")
    mexc_secret_key: SecretStr | None = Field(None, description="Secret of the exchange key")
    mexc_base_url: str = Field("https://api.mexc.com", description="The exchange; plain http on loopback only")
    mexc_key_created: date | None = Field(
        None, description="Day the exchange key was made: warns from day 75, unbound keys die at 90"
    )
    https_proxy: str | None = Field(None, repr=False, description="Proxy for calls to the exchange")

    redis_url: SecretStr | None = Field(
        None, description="`redis://` or `rediss://`; else host, port, password, CA"
    )
    redis_host: str | None = Field(None, description="Host of Redis, when there is no `REDIS_URL`")
    redis_port: int = Field(6379, ge=1, le=65535, description="Port of Redis (Memorystore with TLS: 6378)")
    redis_password: SecretStr | None = Field(None, description="AUTH string")
    redis_ca: str | None = Field(None, description="PEM of all CAs of the instance; TLS is on when it is set")
    redis_key_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9:_.{}-]*$", description="Goes before every permanent key"
    )
    redis_namespace: str = Field(
        "qrl", pattern=r"^[A-Za-z0-9_.-]+$", description="Namespace of the market-data cache"
    )
    redis_cache_ttl: Seconds = Field(
        60, description="Default lifetime in the market-data cache, seconds; no job uses it"
    )
    redis_cache_ttl_ticker: Seconds = Field(5, description="Lifetime of tickers, seconds; no job reads them")
    redis_cache_ttl_ohlcv: Seconds = Field(
        86400, description="Lifetime of candles, seconds; an open one at most to its close"
    )
    redis_cache_ttl_deals: Seconds = Field(
        10, description="Lifetime of recent public trades, seconds; no job uses them"
    )
    redis_cache_ttl_orderbook: Seconds = Field(5, description="Lifetime of order books, seconds; no job uses them")
    redis_cache_ttl_rules: Seconds = Field(21600, description="Lifetime of the pair's trading rules, seconds")
    redis_cache_compress_above: Annotated[int, Field(ge=0)] = Field(
        0, description="Entries of the market-data cache longer than this, in bytes, are compressed; 0: none"
    )
    redis_cache_key: SecretStr | None = Field(
        None, description="Encrypts the market-data cache: Fernet keys, comma separated, the newest first"
    )

    auth_mode: Literal["platform", "oidc", "header"] = Field(
        "oidc",
        description="Who checks the caller; `platform` when unset on the platform, `header` on a laptop only",
    )
    oidc_audience: Names = Field((), description="Accepted audiences, comma separated")
    oidc_certs_url: str = Field(GOOGLE_CERTS_URL, description="Where the token issuer's certificates are")
    scheduler_service_account: str | None = Field(None, description="The one account that may call the five jobs")
    operator_accounts: Names = Field((), description="The accounts that may call `ops`, comma separated")

    run_deadline_seconds: Seconds = Field(
        45, description="Longest time a run may take, seconds; below the function's timeout"
    )
    exchange_timeout_seconds: Seconds = Field(
        8, description="Longest time one call to the exchange may take, seconds"
    )
    lease_wait_seconds: Annotated[int, Field(ge=0, le=300)] = Field(
        10, description="How long a run waits for another that shares its state, seconds"
    )
    journal_bucket: str | None = Field(
        None, description="Bucket that receives the journal's log lines, for `ops` restore"
    )
    journal_folder: str | None = Field(None, description="The same as a folder of log lines, on a laptop")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest severity that is logged"
    )
    log_ship_project: str | None = Field(
        None,
        description="Off the platform: ship the log to this Google Cloud project with google-cloud-logging",
    )
    google_cloud_project: str | None = Field(None, description="Project, for the trace in log lines")
    k_service: str | None = Field(None, description="Set by the platform itself; never by hand")
    k_revision: str | None = Field(
        None, description="Set by the platform: which deployment this is, for the report"
    )

    @field_validator("symbol")
    @classmethod
    def _known_quote(cls, symbol: str) -> str:
        Instrument.from_symbol(symbol)
        return symbol

    @field_validator("redis_cache_key")
    @classmethod
    def _fernet_keys(cls, secret: SecretStr | None) -> SecretStr | None:
        for key in secret.get_secret_value().split(",") if secret else ():
            if not _FERNET_KEY.fullmatch(key.strip(INVISIBLE)):
                raise ValueError("must be Fernet keys: 32 bytes each in URL-safe base64, comma separated")
        return secret

    @field_validator("mexc_api_key", "mexc_secret_key")
    @classmethod
    def _fits_a_header(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not _PRINTABLE.fullmatch(secret.get_secret_value()):
            raise ValueError("must be printable ASCII without blanks")
        return secret

    @field_validator("scheduler_service_account", "operator_accounts", "oidc_audience")
    @classmethod
    def _one_word_each(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is None:
            return None
        names = value if isinstance(value, tuple) else (value,)
        if not all(_PRINTABLE.fullmatch(name) for name in names):
            raise ValueError("must be printable ASCII without blanks")
        return value

    @field_validator("mexc_base_url", "oidc_certs_url")
    @classmethod
    def _https_or_loopback(cls, url: str) -> str:
        parts = _address(url)
        schemes = ("https", "http") if parts and parts.hostname in LOOPBACK_HOSTS else ("https",)
        if parts is None or not parts.hostname or parts.scheme not in schemes:
            raise ValueError("must be https (plain http only on loopback)")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Rules over several settings; each message names the settings concerned."""
        problems = []
        if (self.mexc_api_key is None) != (self.mexc_secret_key is None):
            problems.append("MEXC_API_KEY and MEXC_SECRET_KEY: one is set without the other")
        if self.redis_url is None and self.redis_host is None:
            problems.append("REDIS_URL or REDIS_HOST: one of them must be set")
        if self.redis_url is not None:
            parts = _address(self.redis_url.get_secret_value())
            if parts is None or parts.scheme not in ("redis", "rediss"):
                problems.append("REDIS_URL: must be a URL that begins with redis:// or rediss://")
            elif parts.scheme == "redis" and self.redis_ca:
                problems.append("REDIS_CA: goes with rediss://, not with redis://")
        if self.auth_mode == "platform" and not self.on_platform:
            problems.append("AUTH_MODE: `platform` is accepted on Google Cloud only (K_SERVICE is not set)")
        if self.auth_mode == "header" and self.on_platform:
            problems.append("AUTH_MODE: `header` lets anybody in and is refused on the platform")
        if self.auth_mode != "header":
            if not self.oidc_audience:
                problems.append(f"OIDC_AUDIENCE: must be set with AUTH_MODE={self.auth_mode}")
            if not self.scheduler_service_account and not self.operator_accounts:
                problems.append(
                    "SCHEDULER_SERVICE_ACCOUNT (or, for ops, OPERATOR_ACCOUNTS): "
                    f"must be set with AUTH_MODE={self.auth_mode}"
                )
        problems += self.policy_problems()
        if self.exchange_timeout_seconds >= self.run_deadline_seconds:
            problems.append("EXCHANGE_TIMEOUT_SECONDS: must be below RUN_DEADLINE_SECONDS")
        if self.execution_mode == "live" and self.run_deadline_seconds < (least := self.least_deadline_seconds):
            problems.append(f"RUN_DEADLINE_SECONDS: with EXECUTION_MODE=live at least {least}, or no order is sent")
        if not self.instrument.in_dollars:
            unset = [n for n in ("min_notional_usdt", "max_notional_usdt") if n not in self.model_fields_set]
            quote = self.instrument.quote
            problems += [f"{name.upper()}: must be set for a pair quoted in {quote}, in {quote}" for name in unset]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. Raises ConfigurationError that names every offending variable, and no value."""
        stripped = {name: value.strip(INVISIBLE) for name, value in environ.items()}
        values: dict[str, Any] = {name: value for name, value in stripped.items() if value != ""}
        values.setdefault("AUTH_MODE", "platform" if values.get("K_SERVICE") else "oidc")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError("; ".join(cls._problems(values, error))) from None

    @classmethod
    def _problems(cls, values: Mapping[str, Any], error: ValidationError) -> list[str]:
        """One sentence for each offender.

        If a field is unreadable, pydantic skips the rules over several settings. They are then checked on the other
        fields, and what they say about an unreadable one is left out.
        """
        items = error.errors(include_input=False)
        problems = [_sentence(item) for item in items]
        unreadable = {str(item["loc"][0]) for item in items if item["loc"]}
        if unreadable:
            try:
                cls.model_validate({name: value for name, value in values.items() if name not in unreadable})
            except ValidationError as rules:
                rules_broken = "; ".join(_sentence(item) for item in rules.errors(include_input=False)).split("; ")
                problems += [rule for rule in rules_broken if not any(name in rule for name in unreadable)]
        return problems

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the gate that removes them from all texts."""
        url = _address(self.redis_url.get_secret_value()) if self.redis_url else None
        hidden = (self.mexc_api_key, self.mexc_secret_key, self.redis_password)
        proxy = _address(self.https_proxy) if self.https_proxy else None
        found = [secret.get_secret_value() for secret in hidden if secret]
        return (*found, *self.cache_keys, *(way for parts in (url, proxy) if parts for way in _passwords(parts)))

    @property
    def cache_keys(self) -> tuple[str, ...]:
        """The keys that encrypt the market-data cache, the newest first."""
        text = self.redis_cache_key.get_secret_value() if self.redis_cache_key else ""
        return tuple(key for part in text.split(",") if (key := part.strip(INVISIBLE)))

    @property
    def least_deadline_seconds(self) -> int:
        """The shortest run that can still send an order after one call of the longest duration."""
        return TIME_TO_SEND_SECONDS + self.exchange_timeout_seconds

    @property
    def shape(self) -> "Shape":
        """The settings that shape an order, for the live gate: what is traded, where, and how."""
        from common.domain.decision.live_gate import Shape  # imported here: only a plan with a live gate needs it

        names = {"symbol", "mexc_base_url", *TradingSettings.model_fields} - {"shadow_policies"}
        values = self.model_dump(mode="json", include=names)
        return Shape.of({name.upper(): v if isinstance(v, str) else json.dumps(v) for name, v in values.items()})

    @property
    def on_platform(self) -> bool:
        return self.k_service is not None

    @property
    def has_keys(self) -> bool:
        return self.mexc_api_key is not None

    @property
    def instrument(self) -> Instrument:
        return Instrument.from_symbol(self.symbol)


def names() -> Mapping[str, list[str]]:
    """The environment names of all settings, and of the secret ones: the content of terraform/settings.json."""
    fields = {name.upper(): str(field.annotation) for name, field in Settings.model_fields.items()}
    return {"known": sorted(fields), "secret": sorted(name for name in fields if "SecretStr" in fields[name])}


_NAMED_LIKE_OURS = ("MAX_", "MIN_", "REDIS_", "MEXC_")
_OF_OTHERS = ("HTTP_PROXY",)


def nearly_settings(environment: Mapping[str, str]) -> Mapping[str, str | None]:
    """Names that look like settings but are not, each with the most similar setting (or None).

    A misspelt limit would otherwise go unnoticed: its default would apply.
    """
    known = [name.upper() for name in Settings.model_fields]
    unknown = sorted(set(environment).difference(known, _OF_OTHERS))
    close = {name: _nearest(name, known) for name in unknown}
    return {name: near for name, near in close.items() if near or name.startswith(_NAMED_LIKE_OURS)}


def _nearest(name: str, known: list[str]) -> str | None:
    """The setting that a name misspells or abbreviates."""
    begun = [each for each in known if len(name) > 5 and each.startswith(f"{name}_")]
    return next(iter([*get_close_matches(name, known, 1, 0.85), *begun]), None)


def _sentence(item: Any) -> str:
    """One offender: the variable's name and what is wrong, without the value (it may be a secret)."""
    message = item["msg"].removeprefix("Value error, ")
    return f"{item['loc'][0]}: {message}" if item["loc"] else message
