"""A headless Chromium, driven through a pipe by its own protocol: no driver, no package."""

import base64
import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe"),
)


def program() -> str | None:
    """The browser of this machine, None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """One browser process; every page is a fresh tab."""

    def __init__(self, path: str, profile: str) -> None:
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "bash", path, *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        self._number = 0
        self.events: deque[dict[str, Any]] = deque()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """One command and its answer; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def wait(self, method: str, session: str) -> None:
        """Until that event has come."""
        while not any(event.get("method") == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            read = os.read(self._in, 1 << 16)
            if not read:
                raise RuntimeError("the browser ended")
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(10)
        for end in (self._out, self._in):
            os.close(end)


class Tab:
    """One page as a person has it: so wide, light or dark, with or without scripts."""

    def __init__(self, browser: Chromium, *, width: int, height: int, dark: bool, scripts: bool) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")

    def _call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def on_paper(self) -> "Tab":
        """With the style of print."""
        self._call("Emulation.setEmulatedMedia", media="print")
        return self

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> "Tab":
        if headers:
            self._call("Network.setExtraHTTPHeaders", headers=dict(headers))
        self._call("Page.navigate", url=url)
        self._browser.wait("Page.loadEventFired", self._session)
        return self

    def told(self, *methods: str) -> list[Any]:
        """The parameters of all events of those names."""
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event.get("method") in methods
        ]

    @property
    def requests(self) -> list[str]:
        return [event["request"]["url"] for event in self.told("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[Any]:
        """Whatever stands in the console: messages, exceptions, what the policy has refused."""
        return self.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    def evaluate(self, expression: str, *, awaited: bool = False) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=awaited)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def nodes(self, role: str) -> list[tuple[str, str]]:
        """Name and description of everything that a screen reader meets in this role."""
        tree = self._call("Accessibility.getFullAXTree")["nodes"]
        met = [node for node in tree if not node.get("ignored") and node.get("role", {}).get("value") == role]
        return [(n.get("name", {}).get("value", ""), n.get("description", {}).get("value", "")) for n in met]

    def picture(self, height: int | None = None, *, form: str = "png", quality: int | None = None) -> bytes:
        """The page, or so many pixels of it from the top."""
        told = {"format": form, "captureBeyondViewport": True} | ({"quality": quality} if quality else {})
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        told["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        return base64.b64decode(self._call("Page.captureScreenshot", **told)["data"])

    def pages_of_paper(self) -> bytes:
        return base64.b64decode(self._call("Page.printToPDF", preferCSSPageSize=True)["data"])


@contextmanager
def browser(path: str) -> Iterator[Chromium]:
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        chromium = Chromium(path, profile)
        try:
            yield chromium
        finally:
            chromium.close()


def saved(text: str, folder: Path) -> str:
    """The address of a page that is written into a folder."""
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    return file.as_uri()
