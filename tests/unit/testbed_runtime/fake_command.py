"""``testbed`` with one more design, ``fake``."""

from testbed.cli import main as cli
from testbed.stack import designs

designs.DESIGNS["fake"] = "tests.unit.testbed_runtime.fake_topology"
cli.main()
