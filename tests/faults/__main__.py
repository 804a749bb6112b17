"""python -m tests.faults [--every N] [--write]: the sweep, its problems, and its table for docs/reliability.md."""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.faults.sweep import SHORT, Result, document_cases, payload_cases, play_quietly, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- the sweep: written by python -m tests.faults --write -->\n", "<!-- /the sweep -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every so many cases")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    start = last = time.monotonic()
    cases = [*payload_cases(), *document_cases()][:: options.every]
    results: list[Result] = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for played, result in enumerate(pool.map(play_quietly, cases, chunksize=50), 1):
            if result is not None:
                results.append(result)
                if result.problems:
                    print(f"{result.case}: {result.outcome}: {'; '.join(result.problems)}", flush=True)
            if time.monotonic() - last >= 10:
                last = time.monotonic()
                print(f"{played} of {len(cases)} cases, {last - start:.0f} s", flush=True)
    faulty = [result for result in results if result.problems]
    print(table(results))
    print(f"{len(results)} cases, {len(faulty)} with a problem, {time.monotonic() - start:.0f} s")
    if options.write:
        _write(results, len(cases) * options.every, options.every)
    return 1 if faulty else 0


def _write(results: list[Result], cases: int, every: int) -> None:
    outcomes = Counter(result.outcome for result in results)
    told = ", ".join(f"{count} {outcome} ({SHORT[outcome]})" for outcome, count in outcomes.most_common())
    part = "All" if every == 1 else f"One in {every}"
    faulty = sum(bool(result.problems) for result in results)
    head = f"{part} of {cases} cases, {len(results)} that apply, {faulty} that break a promise: {told}."
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{head}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
