"""Be one node of Design B: ``python -m design_b``."""

from common.rpc.process import run
from design_b.node import assemble

if __name__ == "__main__":
    run(assemble)
