"""A revision in containers: an image of its own, built from its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from testbed.drive.scraper import read_page
from testbed.stack import runtimes
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.compose import containers, engine
from testbed.stack.sides import revisions
from testbed.stack.sides.resolve import Deployment, resolve
from tests.containers.conftest import PROJECT
from tests.support.engine import leaving_nothing
from tests.support.repositories import copy_of_this_project
from tests.support.stacks import shifted

pytestmark = [pytest.mark.needs("engine", "git"), pytest.mark.slow]

SETTING = "max_connections: int = _setting("


@pytest.fixture
def deployment(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Design B with links at a commit whose processes accept fewer connections than today."""
    project = copy_of_this_project(tmp_path / "project")
    config = project.root / "common" / "config.py"
    text = config.read_text()
    project.write("common/config.py", text.replace(f"{SETTING}4096", f"{SETTING}99"))
    project.commit("Accept few connections")
    project.write("common/config.py", text)
    project.commit("Accept more")
    monkeypatch.setattr(revisions, "CHECKOUT", project.root)
    found = resolve("b@HEAD~1+links=on", StackSpec(runtime="compose"))
    yield found
    assert found.revision is not None
    image = f"taskqueue-testbed:{found.revision.commit[:12]}"
    engine.connect().images.remove(image, force=True)


def test_containers_of_a_revision_run_its_code_and_the_proxy_of_links_that_of_today(
    deployment: Deployment, runtime: Runtime
) -> None:
    revision = deployment.revision
    assert revision is not None
    with leaving_nothing(PROJECT):
        topology = shifted(deployment.topology)
        record = runtime.up(topology, deployment.spec, runtimes.silent)
        try:
            assert record.revision == revision.commit
            found = containers.find("b").items()
            images = {name: each.attrs["Config"]["Image"] for name, each in found}
            assert images.pop("links") == "taskqueue-testbed"
            assert set(images.values()) == {f"taskqueue-testbed:{revision.commit[:12]}"}
            pages = {name: read_page(at) for name, at in record.metrics.items() if name != "links"}
            for page in pages.values():
                assert 'taskqueue_setting{name="max_connections"} 99.0' in page
        finally:
            runtime.down("b", runtimes.silent)
