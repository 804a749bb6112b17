"""`/metrics`: the last run of each job, the market-data cache and Redis itself, in Prometheus's format."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from common.decimals import plain
from common.ops.state import JOBS
from common.report.values import ENDED_WELL
from common.run import View, age_seconds
from common.store.counts import NAMES
from common.store.store import Read

MEDIA_TYPE = "text/plain; version=0.0.4"
Sample = tuple[Mapping[str, str], int | Decimal]


def metrics(view: View) -> str:
    """Text in the exposition format 0.0.4; unreadable keys are left out and counted."""
    reads: dict[str, Read] = {name: ("GET", view.keys.report_last(name)) for name in JOBS}
    found, unreadable = view.store.survey(reads, view.meter)
    runs = {name: report for name, report in found.items() if report is not None}
    lines = [
        *_family("run_age_seconds", "Since the last run of the job began.", _ages(view, runs)),
        *_family("run_duration_ms", "What the last run of the job took.", _of(runs, "duration_ms")),
        *_family("run_ended_well", "1 when the last run was a success or skipped.", _ends(runs)),
    ]
    for name in NAMES:
        help_text = f"Of the market-data cache in the last run of the job: {name}."
        lines += _family(f"cache_{name}", help_text, _cache(runs, name))
    for name, value in view.store.memory(view.meter).items():
        lines += _family(f"redis_{name}", f"INFO of Redis: {name}.", [({}, value)])
    lines += _family("unreadable_keys", "Keys that hold what cannot be read.", [({}, len(unreadable))])
    return "\n".join(lines) + "\n"


def _family(name: str, help_text: str, samples: Any) -> Iterator[str]:
    yield f"# HELP rebalancer_{name} {help_text}"
    yield f"# TYPE rebalancer_{name} gauge"
    for labels, value in samples:
        inner = ",".join(f'{label}="{text}"' for label, text in labels.items())
        shown = plain(value) if isinstance(value, Decimal) else str(value)
        yield f"rebalancer_{name}{{{inner}}} {shown}" if inner else f"rebalancer_{name} {shown}"


def _of(runs: Mapping[str, Any], field: str) -> Iterator[Sample]:
    for job, report in runs.items():
        value = report.get(field)
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            yield {"job": job}, value


def _ages(view: View, runs: Mapping[str, Any]) -> Iterator[Sample]:
    for job, report in runs.items():
        if (age := age_seconds(report.get("timestamp"), view.now)) is not None:
            yield {"job": job}, age


def _ends(runs: Mapping[str, Any]) -> Iterator[Sample]:
    for job, report in runs.items():
        yield {"job": job}, int(report.get("status") in ENDED_WELL)


def _cache(runs: Mapping[str, Any], name: str) -> Iterator[Sample]:
    caches = {job: report["cache"] for job, report in runs.items() if isinstance(report.get("cache"), dict)}
    return _of(caches, name)
