"""The operator's views by path (contract.md §2.6).

The modules of a view are imported when it is opened: the state at a glance needs neither pictures nor jobs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from werkzeug.datastructures import MIMEAccept

from common.errors import BadRequest
from common.mexc.client import Mexc
from common.ops import state
from common.run import Job, Outcome, Run, View


def job(name: str) -> Job | None:
    """The job of that name, or None."""
    found: Job | None = resolve_name(f"common.jobs.{name}:JOB") if name in state.JOBS else None
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """A view that is not JSON: its text, media type and headers."""

    text: str
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Shown = Callable[[View, Mexc], Mapping[str, Any] | Page]


def report(view: View, _: Mexc) -> Page:
    """The report as an HTML page (contract.md §14); on a laptop it refreshes itself."""
    from common.report import html, page
    from common.report.style import SCRIPT, STYLE
    from common.report.values import gather

    refresh = None if view.settings.on_platform else REFRESH_SECONDS
    headers = {
        "Content-Security-Policy": f"{html.policy(STYLE, SCRIPT)}; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Page(page.render(gather(view, curves=True), refresh), "text/html", headers)


def status(view: View, _: Mexc) -> Page:
    """The state in ten lines of text."""
    from common.report import content
    from common.report.values import gather

    return Page("\n".join(content.lines(gather(view))) + "\n", "text/plain", {"Cache-Control": "no-store"})


def verify(view: View, exchange: Mexc) -> Mapping[str, Any]:
    from common.ops import verify

    return verify.verify(view, exchange)


def metrics(view: View, _: Mexc) -> Page:
    from common.ops import metrics

    return Page(metrics.metrics(view), metrics.MEDIA_TYPE, {"Cache-Control": "no-store"})


REFRESH_SECONDS = 60
VIEWS: Mapping[str, Shown] = {
    "": lambda view, _: state.state(view),
    "verify": verify,
    "report": report,
    "status": status,
    "metrics": metrics,
}


def view(path: str, accept: MIMEAccept) -> Shown | None:
    """The view at a path, or None; `accept` is the header of that name.

    A browser that asks for the state gets the page: it accepts HTML, and does not prefer JSON.
    """
    html, json = accept.quality("text/html"), accept.quality("application/json")
    page = 0 < html >= json and "text/html" in accept.values()
    return VIEWS["report"] if path == "" and page else VIEWS.get(path)


def _no_run(_: Run) -> Outcome:
    raise BadRequest("ops is not a scheduled job")


JOB = Job(
    name="ops",
    task=state.TASK,
    scope="account",
    run=_no_run,
    show=state.state,
)
