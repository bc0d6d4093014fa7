"""Processes that must not outlive the one that started them."""

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def ending_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """A `preexec_fn` that lets the kernel signal the child when the calling thread ends, however it ends.

    None where the kernel has no such service (anything but Linux).
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def set_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return set_signal
