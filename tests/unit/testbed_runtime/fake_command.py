"""``testbed`` with one more design, ``fake``."""

from testbed import cli, designs

designs.DESIGNS["fake"] = "tests.unit.testbed_runtime.fake_topology"
cli.main()
