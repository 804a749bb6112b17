"""The picture of the report in the README: `python -m tests.browser.screenshot build/ninety-days.html`.

The page is one that a seeded run has left (`python -m tests.ninety_days --seed 3`, or `make run LIVE=1`).
"""

import argparse
import sys
from pathlib import Path

from tests.browser.chromium import Tab, browser, program
from tests.conftest import ROOT

WIDTH, HEIGHT = 1100, 1180
MOST_BYTES = 150 * 1024
PICTURE = ROOT / "docs" / "report.webp"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshot", description=__doc__)
    parser.add_argument("page", type=Path, help="a report that was written to a file")
    page: Path = parser.parse_args().page
    path = program()
    if path is None or not page.is_file():
        sys.exit("no chromium on this machine" if path is None else f"{page} is no file")
    with browser(path) as chromium:
        tab = Tab(chromium, width=WIDTH, height=HEIGHT, dark=False, scripts=False).open(page.resolve().as_uri())
        for quality in range(90, 30, -10):
            picture = tab.picture(HEIGHT, form="webp", quality=quality)
            if len(picture) <= MOST_BYTES:
                PICTURE.write_bytes(picture)
                sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {len(picture) / 1024:.0f} KiB, quality {quality}\n")
                return 0
    sys.exit(f"it does not become smaller than {MOST_BYTES} bytes")


if __name__ == "__main__":
    sys.exit(main())
