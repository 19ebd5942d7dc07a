"""Runs a command, and is the parent of every process that it leaves behind: COMMAND...

Patroni has PostgreSQL started by a process that ends, in a session of its own. So nothing would say
any more that it belongs to it, and a fault of the one would not be one of the other. It runs
with nothing but the Python that Patroni has.
"""

import ctypes
import os
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
_child = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])  # noqa: S606
for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_number, lambda number, _frame: os.kill(_child, number))
while True:
    # One that has exited is waited for: else Patroni would take it for alive.
    _pid, _status = os.wait()
    if _pid == _child:
        sys.exit(os.waitstatus_to_exitcode(_status) % 256)
