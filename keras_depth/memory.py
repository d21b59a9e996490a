"""Keeps freed memory for reuse, and measures the peak memory of this process."""

import ctypes
import re
from pathlib import Path

_KEPT = 1 << 30  # free bytes beyond which glibc returns memory to the system
_FROM_HEAP = 1 << 25  # larger blocks are always requested from the system; glibc's upper limit

# Parameters of mallopt, as numbered in glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Tells glibc to keep freed memory for the next allocation.

    Each training step and each batch allocate and free the same megabytes. By default glibc returns
    them to the system, and every page of 4 kB then costs a page fault when it is allocated again:
    on a virtual machine, more than the work on its contents. TensorFlow 2.21 lowers the size above
    which blocks are requested from the system to 128 kB whenever it starts a dataset from a Python
    generator, so call this again inside the generator. With other C libraries this does nothing.
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
    """Returns the peak memory of this process in bytes, or None if the system is not Linux."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else None
