"""The commands that teach what can be compared."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from common import options
from testbed.cli.main import make_app
from testbed.stack.sides.resolve import resolve
from testbed.stack.sides.side import Side, SideError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), arguments, env={"COLUMNS": "200"})


def test_every_option_is_listed_with_its_default() -> None:
    printed = run("options").stdout
    for option in options.load().values():
        (line,) = (each for each in printed.splitlines() if each.startswith(f"{option.name} "))
        assert option.default in line


@pytest.mark.parametrize("name", list(options.load()))
def test_the_example_of_an_option_is_a_side_that_can_be_started(name: str) -> None:
    printed = run("options", name).stdout
    (example,) = (each.split()[1] for each in printed.splitlines() if each.startswith("example"))
    assert resolve(example).side.options.keys() == {name, *options.company(options.get(name))}


def test_option_without_that_which_it_goes_with_is_refused_and_says_what_to_write() -> None:
    with pytest.raises(
        SideError, match="'pg_sync' has no meaning without store=postgres"
    ) as caught:
        resolve("a+pg_sync=off")
    assert caught.value.hint == "write a+pg_sync=off+store=postgres"


def test_an_option_that_there_is_not_is_an_error_that_names_those_that_there_are() -> None:
    result = run("options", "leese")
    assert result.exit_code == 2
    assert "there is no option 'leese'" in result.stderr
    assert "lease" in result.stderr


def test_the_sides_that_are_taught_can_be_read() -> None:
    printed = run("sides").stdout
    shown = printed.partition("sides\n")[2].partition("\nwhere")[0]
    taught = [line.split()[0] for line in shown.splitlines() if line.strip()]
    assert len(taught) > 5
    for each in taught:
        Side.parse(each)
