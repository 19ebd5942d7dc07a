"""The figures under faults for people: files, a table for the terminal, a page.

The caller reads a run, has :func:`testbed.analysis.faults.analyse` work each of its trials out, and
gives the figures of all of them, A before B, to what is here and to
``testbed.report.html.faultpage.page`` or ``testbed.report.html.faults.section``.
"""

from testbed.report.faults.files import FAULTS_CSV, FAULTS_JSON, write_files
from testbed.report.faults.run import FaultRun
from testbed.report.faults.terminal import terminal

__all__ = ["FAULTS_CSV", "FAULTS_JSON", "FaultRun", "terminal", "write_files"]
