"""How this process returns memory to the system, which is rarely, and how much it has held."""

import ctypes
import re
from pathlib import Path

_KEPT = 1 << 30  # bytes that may lie free before some of it is returned
_FROM_HEAP = 1 << 25  # larger blocks come from the system each time; glibc takes no higher limit

# glibc's names for them, in malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Tells glibc to keep freed memory for the next allocation.

    A training step, and a batch, allocate and free the same megabytes over and over. By default
    they go back to the system each time, and every page of 4 kB costs a fault when it comes again:
    more than the work on it, where a hypervisor has its own tables. TensorFlow (2.21) itself lowers
    the limit for blocks that come from the system to 128 kB, whenever a dataset from a Python
    generator begins: call this again within the generator. Other C libraries have no such settings,
    and are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for setting, value in (
        (_MMAP_THRESHOLD, _FROM_HEAP),
        (_TRIM_THRESHOLD, _KEPT),
        (_TOP_PAD, _FROM_HEAP),
    ):
        mallopt(setting, value)


def peak() -> int | None:
    """Returns the most bytes this process has held so far; None where the system is not Linux."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else None
