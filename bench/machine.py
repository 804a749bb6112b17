"""What the kernel tells of processes: processor time and resident memory. Read from /proc, so Linux only."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc/self/smaps_rollup")
HAS_PROC = PROC.exists()
NO_PROC = "processor time and memory (this machine has no /proc)"
MIB = 1024 * 1024


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def cpu_ms(pids: Iterable[int]) -> float:
    """Processor time of processes and all their threads so far, in milliseconds.

    The clock of another process: its id is made as clock_getcpuclockid(3) makes it on Linux. It counts in
    nanoseconds, where /proc/<pid>/stat counts in hundredths of a second.
    """
    return 1000 * sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def resident_mib(pids: Iterable[int]) -> float:
    """Memory of processes together, pages that they share counted once (PSS), in MiB."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def peak_mib() -> float:
    """The most memory that this process has held, in MiB.

    On Linux getrusage's own figure begins with what the process that started this one held.
    """
    if not HAS_PROC:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def describe() -> str:
    """The machine in one line."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load {load} at the start"
    )
