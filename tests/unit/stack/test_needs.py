"""What has to be on the machine for a process that is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.stack import designs, environment, prepare
from testbed.stack.runtimes.local import needs


def require_node(tree: Path) -> None:
    topology = designs.load("node")
    needs.require("node", prepare.filled(topology, StackSpec(), prepare.Place(tree=str(tree))))


def test_program_and_folder_that_are_missing_are_named_with_what_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        TestbedError, match="design node needs `node`, which is not on PATH"
    ) as none:
        require_node(tmp_path)

    folder = tmp_path / "examples" / "node_server" / "node_modules"
    assert f"{folder}, which does not exist" in str(none.value)
    assert "apt-get install nodejs npm" in none.value.hint
    assert "run `npm ci` in examples/node_server" in none.value.hint
    (tmp_path / "node").touch(mode=0o755)
    with pytest.raises(TestbedError, match=r"design node needs /.*node_modules, which") as one:
        require_node(tmp_path)
    assert one.value.hint == "run `npm ci` in examples/node_server"
    folder.mkdir(parents=True)
    require_node(tmp_path)


def test_servers_that_packages_put_beside_the_path_are_found(tmp_path: Path) -> None:
    searched = environment.with_programs({"PATH": str(tmp_path)})["PATH"].split(":")
    assert searched[0] == str(tmp_path)
    assert "/usr/sbin" in searched
