"""What the cloud costs a month, line by line: the only place with prices.

This prints the table in docs/operations.md, and a test keeps the two equal. USD, list prices, 730 hours or 31 days.
A price with a question mark was not confirmed by the provider's own page; it is then the highest one found. Unknown
prices of Singapore are those of Iowa times the ratio of e2 machines (1.233).
"""

import argparse
from dataclasses import dataclass
from decimal import Decimal

HOURS = Decimal(730)
SECONDS = HOURS * 3600
PROFILES = ("lean", "durable", "direct")
REGIONS = ("us-central1", "asia-southeast1")
ABROAD = Decimal("1.233")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: monthly units in each profile and for each further bot; the price in each region."""

    name: str
    unit: str
    lean: Decimal
    durable: Decimal
    direct: Decimal
    further: Decimal
    here: Decimal
    there: Decimal
    confirmed: tuple[bool, bool] = (True, True)


def d(text: str) -> Decimal:
    return Decimal(text)


def line(
    name: str, unit: str, units: tuple[Decimal, ...], here: str, there: str | None = None, doubt: str = ""
) -> Line:
    """`there` is None where the price is the same everywhere; `doubt` names unconfirmed prices: h, t or both."""
    lean, durable, direct, further = units
    price = d(here)
    return Line(
        name, unit, lean, durable, direct, further, price, d(there or here), ("h" not in doubt, "t" not in doubt)
    )


def every(units: Decimal | str, further: Decimal | str = "0") -> tuple[Decimal, ...]:
    return (*(Decimal(units),) * 3, Decimal(further))


NONE = Decimal(0)
CPU, MEMORY = SECONDS * d("0.333"), SECONDS / 2
"""Monthly use of one idle instance."""
LINES = (
    line("Redis, Basic, 1 GB", "GB-h", (HOURS, NONE, HOURS, NONE), "0.049", str(d("0.049") * ABROAD), "t"),
    line("Redis, Standard, 1 GB", "GB-h", (NONE, HOURS, NONE, NONE), "0.064", str(d("0.064") * ABROAD), "t"),
    line("VPC connector, 2 × e2-micro", "month", (d("1"), d("1"), NONE, NONE), "14", str(14 * ABROAD), "ht"),
    line("15-minute job kept warm, 0.333 vCPU", "vCPU-s", (NONE, NONE, CPU, CPU), "0.0000025", "0.0000035", "ht"),
    line("15-minute job kept warm, 0.5 GiB", "GiB-s", (NONE, NONE, MEMORY, MEMORY), "0.0000025", "0.0000035", "ht"),
    line("Cloud NAT, 2 machines behind it", "h", every(2 * HOURS), "0.0014"),
    line("Cloud NAT, traffic, 1 GiB", "GiB", every("1", "1"), "0.045"),
    line("Static address, in use", "h", every(HOURS), "0.005"),
    line("Scheduler, 5 jobs (a paused one counts), 3 free", "job", every("2", "5"), "0.10"),
    line("Secrets, 5 versions", "version", every("5", "4"), "0.06", doubt="ht"),
    line("Secrets, reads at instance starts", "10 000", every("1", "1"), "0.03"),
    line("Images, 3 of each of six functions, 1.5 GB", "GB", every("1", "1.5"), "0.10"),
    line("Archives and journal", "GB", every("0.1", "0.1"), "0.02", doubt="ht"),
)
FREE = (
    ("Functions, CPU: 47 568 vCPU-s", "180 000 free, then 0.000024 (tier 2: 0.0000336)"),
    ("Functions, memory: 71 424 GiB-s", "360 000 free, then 0.0000025 (tier 2: 0.0000035)"),
    ("Functions, requests: 71 424", "2 million free, then 0.40 a million"),
    ("Logs, about 0.2 GiB", "50 GiB free, then 0.50 a GiB"),
    ("Log-based metrics, below 20 MiB", "150 MiB free, then 0.258 a MiB"),
)
"""What one bot uses of a billing account's free tiers, and the price beyond.

71 424 runs in 31 days (balance 14 880, price 44 640, cost 8 928, 15-minute job 2 976), each billed 2 s at 0.333
vCPU and 0.5 GiB.
"""


def monthly(profile: str, region: str = "asia-southeast1", bots: int = 1) -> Decimal:
    """USD a month; free tiers count as free."""
    return sum((_of(each, profile, region, bots) for each in LINES), NONE)


def _of(each: Line, profile: str, region: str, bots: int = 1) -> Decimal:
    units: Decimal = getattr(each, profile)
    more = each.further * (bots - 1) if units else NONE
    return (units + more) * (each.here if region == REGIONS[0] else each.there)


def table() -> str:
    """The table as Markdown."""
    rows = [["", "unit price", *(f"{name}, {region}" for region in REGIONS for name in PROFILES)]]
    for each in LINES:
        prices = [_price(each.here, each.confirmed[0])]
        if each.there != each.here:
            prices.append(_price(each.there, each.confirmed[1]))
        amounts = [_money(_of(each, name, region)) for region in REGIONS for name in PROFILES]
        rows.append([each.name, f"{' / '.join(prices)} a {each.unit}", *amounts])
    rows += [[name, price, *["0.00"] * 6] for name, price in FREE]
    for title, bots in (("**one bot**", 1), ("**three bots**", 3)):
        sums = [f"**{_money(monthly(name, region, bots))}**" for region in REGIONS for name in PROFILES]
        rows.append([title, "", *sums])
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|---|---|{'---:|' * 6}", *body])


def _price(price: Decimal, confirmed: bool) -> str:
    return f"{price.normalize():f}{'' if confirmed else '?'}"


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def configure(parser: argparse.ArgumentParser) -> None:
    """No options: it prints the table."""


def main(_: argparse.Namespace) -> int:
    print(table())
    return 0
