from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.record import files
from testbed.record.calls import SERVICE
from testbed.record.damage import RecordingError
from testbed.record.load import read_window
from testbed.record.metrics import METRICS, MetricLog
from testbed.record.model import STACK, JobRow, ResourceRow
from testbed.record.reader import read_experiment, read_load, read_trial
from tests.support.recordings import LoadMaker


def test_header_is_read_as_it_was_written(tmp_path: Path, make: Any) -> None:
    header = make.header(3, 1, endpoints=("h:1", "h:2"), phases={"up": 1.5}, error="ä")
    files.write_header(tmp_path, header)
    assert files.read_header(tmp_path) == header


def test_jobs_are_read_as_they_were_written(tmp_path: Path, make: Any) -> None:
    jobs = (
        make.job(1, 0.5, 0.1, 0.2, worker="worker", failure="BOOM"),
        JobRow("0" * 16, accepted=False, state="", problem='UNAVAILABLE: "a", b\nc'),
    )
    files.write_jobs(tmp_path, jobs)
    assert files.read_jobs(tmp_path) == jobs


def test_resources_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [ResourceRow(1.25, STACK, "one", 0.5, 7), ResourceRow(1.5, STACK, "two, too", 1.0, 8)]
    with files.ResourceLog(tmp_path) as log:
        log.append(rows[:1])
        log.append(rows[1:])
    assert list(files.read_resources(tmp_path)) == rows


def test_throttling_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [ResourceRow(1.5, STACK, "one", 0.5, 7, 0.25, 40, 10), ResourceRow(2, STACK, "x", 1, 1)]
    with files.ResourceLog(tmp_path) as log:
        log.append(rows)
    assert list(files.read_resources(tmp_path)) == rows


def test_resources_from_before_there_was_throttling_are_read(tmp_path: Path) -> None:
    old = "unix,role,process,cpu_seconds,rss_bytes\n1.250000,stack,one,0.500000,7\n"
    (tmp_path / files.RESOURCES).write_text(old)
    assert files.read_resources(tmp_path) == (ResourceRow(1.25, STACK, "one", 0.5, 7),)
    (tmp_path / files.RESOURCES).write_text("unix,role\n1,stack\n")
    with pytest.raises(RecordingError, match="throttled_periods"):
        files.read_resources(tmp_path)


def test_window_of_a_drive_is_read_without_its_calls(tmp_path: Path) -> None:
    made = LoadMaker(seconds=4).write(tmp_path)
    window = read_load(made).window
    (made / files.CALLS).unlink()
    assert read_window(made) == window


def test_negative_amount_is_damage(tmp_path: Path) -> None:
    with files.ResourceLog(tmp_path) as log:
        log.append([ResourceRow(1.5, STACK, "one", -0.5, 7)])
    with pytest.raises(RecordingError, match=r"line 2: column cpu_seconds is '-0\.5"):
        files.read_resources(tmp_path)


def test_time_before_all_clocks_is_damage(tmp_path: Path) -> None:
    files.write_jobs(tmp_path, [JobRow("0" * 16, accepted=True, state="DONE", create_us=-1)])
    with pytest.raises(RecordingError, match="line 2: column create_us is '-1'"):
        files.read_jobs(tmp_path)


def test_header_from_before_there_were_budgets_is_read(tmp_path: Path, make: Any) -> None:
    header = make.header(budget={"worker": {"cpus": 0.5, "memory_bytes": None}})
    files.write_header(tmp_path, header)
    assert files.read_header(tmp_path) == header
    data = json.loads((tmp_path / files.TRIAL).read_text())
    del data["budget"]
    files.write_json(tmp_path / files.TRIAL, data)
    assert files.read_header(tmp_path).budget == {}


def test_begin_that_is_no_time_is_damage(tmp_path: Path, make: Any) -> None:
    files.write_header(tmp_path, make.header(started="2026-11-26T18:-1:43+00:00"))
    with pytest.raises(RecordingError, match=r"trial\.json is damaged: started is no time"):
        files.read_header(tmp_path)


def test_load_is_read_with_times_errors_and_ids(tmp_path: Path) -> None:
    made = LoadMaker(
        calls={"SubmitJob": {SERVICE: range(1, 1001)}},
        error_kinds={"SubmitJob": {"UNAVAILABLE": 2}},
        accepted=["a", "b"],
    )
    load = read_load(made.write(tmp_path))
    series = load.calls["SubmitJob"]
    times = series.histogram(SERVICE, load.after_nominal)
    assert load.accepted_ids == {"a", "b"}
    assert times.get_total_count() == 10_000
    assert times.get_value_at_percentile(50) == pytest.approx(500, rel=1e-3)
    assert series.error_kinds == {"UNAVAILABLE": 2}
    assert load == replace(made.recording(), calls=load.calls)


def test_load_whose_ids_are_not_all_there_is_refused(tmp_path: Path) -> None:
    LoadMaker(accepted=["a", "b"]).write(tmp_path)
    (tmp_path / "accepted-7.txt").write_text("a\n")
    with pytest.raises(RecordingError, match="counts 2 accepted jobs"):
        read_load(tmp_path)


def test_load_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="format 1"):
        read_load(LoadMaker().write(tmp_path, format=1))


def test_load_that_is_all_warm_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no whole second after the warm-up"):
        read_load(LoadMaker(seconds=3, warmup=3).write(tmp_path))


@pytest.mark.parametrize("name", [files.LOAD, files.JOBS, files.RESOURCES, METRICS])
def test_missing_file_of_a_complete_trial_is_named(tmp_path: Path, make: Any, name: str) -> None:
    files.write_header(tmp_path, make.header())
    files.write_jobs(tmp_path, ())
    LoadMaker().write(tmp_path)
    with files.ResourceLog(tmp_path), MetricLog(tmp_path) as metrics:
        metrics.cost(1.0, 0.0)
    assert read_trial(tmp_path).load is not None
    (tmp_path / name).unlink()
    with pytest.raises(RecordingError, match=name):
        read_trial(tmp_path)


def test_failed_trial_is_read_from_its_header_alone(tmp_path: Path, make: Any) -> None:
    files.write_header(tmp_path, make.header(status="failed", error="port taken"))
    (tmp_path / files.LOAD).write_text('{"format":')
    trial = read_trial(tmp_path)
    assert (trial.load, trial.header.error) == (None, "port taken")


def test_damaged_experiment_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"experiment\.json is missing"):
        read_experiment(tmp_path)
    (tmp_path / files.EXPERIMENT).write_text("{}")
    with pytest.raises(RecordingError, match=r"experiment\.json is damaged: plan is missing"):
        read_experiment(tmp_path)
