"""The figures under faults for people: files, a table for the terminal, a page.

The caller reads a run, has :func:`testbed.runs.faults.figures.analyse` work each of its trials out,
and gives the figures of all of them, A before B, to what is here and to
``testbed.runs.faults.report.page.page`` or ``testbed.runs.faults.report.section.section``.
"""

from testbed.runs.faults.report.files import FAULTS_CSV, FAULTS_JSON, write_files
from testbed.runs.faults.report.run import FaultRun
from testbed.runs.faults.report.terminal import terminal

__all__ = ["FAULTS_CSV", "FAULTS_JSON", "FaultRun", "terminal", "write_files"]
