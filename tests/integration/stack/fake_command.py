"""``testbed`` with one more design, ``fake``."""

from testbed.cli import main as cli
from testbed.stack import designs

designs.DESIGNS["fake"] = "tests.integration.stack.fake_topology"
cli.main()
