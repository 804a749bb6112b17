"""What an operator may look at: every view by its path (contract.md §2.6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MIMEAccept

from common.errors import BadRequest
from common.mexc.client import Mexc
from common.ops import metrics, state, verify
from common.report import content, html, page
from common.report.style import SCRIPT, STYLE
from common.report.values import gather
from common.run import Job, Outcome, Run, View

JOBS = state.JOBS


@dataclass(frozen=True, slots=True)
class Page:
    """A view that is no JSON: its whole text, its media type, and the headers that go with it."""

    text: str
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Shown = Callable[[View, Mexc], Mapping[str, Any] | Page]


def report(view: View, _: Mexc) -> Page:
    """The report as a page of its own (contract.md §14); on a laptop it follows the bot by itself."""
    refresh = None if view.settings.on_platform else REFRESH_SECONDS
    return Page(page.render(gather(view, curves=True), refresh), "text/html", PAGE_HEADERS)


def status(view: View, _: Mexc) -> Page:
    """The state in ten lines of text."""
    return Page("\n".join(content.lines(gather(view))) + "\n", "text/plain", {"Cache-Control": "no-store"})


REFRESH_SECONDS = 60
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"{html.policy(STYLE, SCRIPT)}; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
VIEWS: Mapping[str, Shown] = {
    "": lambda view, _: state.state(view),
    "verify": verify.verify,
    "report": report,
    "status": status,
    "metrics": lambda view, _: Page(metrics.metrics(view), metrics.MEDIA_TYPE, {"Cache-Control": "no-store"}),
}


def view(path: str, accept: MIMEAccept) -> Shown | None:
    """The view at a path, None where there is none; `accept` is the header of that name.

    A browser that asks for the state gets the page: it names HTML, and would not rather have JSON.
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
