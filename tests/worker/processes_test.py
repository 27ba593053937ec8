"""The processes of a job: each is told to end and has its time, and none is left. With control groups of either version, and
without, where processes are found by their session and environment."""

import os
import pathlib
import re
import signal
import time

import pytest

from machine import environment, wait_for

GROUPS = pathlib.Path("/sys/fs/cgroup")

# Notes each TERM, saves for a second with the help of a child of its own, and ends.
PROGRAM = r"""#!/bin/bash
kept=$KEPT/$1
trap 'echo TERM >>"$kept.terms"; bash -c "trap \"echo TERM >>\\\"$kept.terms\\\"\" TERM; sleep 0.5; sleep 0.5"
      echo saved >"$kept.saved"; exit 0' TERM
: >"$kept.ready"
until [ -e "$STOP" ]; do sleep 0.1; done
"""
SHAPES = {
    "pipeline": "$PROGRAM pipeline | cat",
    "sequence": "$PROGRAM sequence; : >$KEPT/next",
    "group": "set -m; $PROGRAM group & wait",
    "session": "setsid -w $PROGRAM session & wait",
    "orphan": "trap 'exit 0' TERM; (setsid $PROGRAM orphan &); until false; do sleep 0.1; done",
}


def makes_groups(kind):
    """How a worker is started so that it uses control groups of that kind; None where this machine has none."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    found = {"v2" if "cgroup2" in m[m.index("-"):] else "v1": m[4] for m in mounts if m[m.index("-") + 1].startswith("cgroup")}
    if kind in found and os.geteuid() == 0:
        hide = [] if kind == "v2" else [m[4] for m in mounts if m[m.index("-") + 1] == "cgroup2"]
        path = own_group(kind, mounts)
        if path and os.access(path, os.W_OK) and can_make(path):
            return hiding(*hide)
    return None


def own_group(kind, mounts):
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        for line in lines:
            _, names, path = line.rstrip("\n").split(":", 2)
            for m in mounts:
                rest = m[m.index("-") + 1:]
                if (kind == "v2" and rest[0] == "cgroup2" and not names) or (
                        kind == "v1" and rest[0] == "cgroup" and "freezer" in names.split(",") and "freezer" in rest[2].split(",")):
                    return os.path.normpath(m[4] + "/" + path)
    return None


def can_make(path):
    try:
        os.mkdir(f"{path}/drover-test-{os.getpid()}")
        os.rmdir(f"{path}/drover-test-{os.getpid()}")
        return True
    except OSError:
        return False


def hiding(*paths):
    if not paths:
        return []
    mounts = "".join(f"mount -t tmpfs none {path} && " for path in paths)
    return ["unshare", "-m", "sh", "-c", f'{mounts} exec "$@"', "sh"]


def read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


class Kind:
    def __init__(self, name):
        self.name, self.under = name, makes_groups(name) if name != "none" else hiding(GROUPS) if os.geteuid() == 0 else []

    def check(self, machine, number):
        """The job is found in the way that is meant."""
        log = (machine.directory / "worker.log").read_text()
        if self.name == "none":
            assert log.count("a job can hide") == 1
        else:
            assert "a job can hide" not in log
            inside = {line.split(":")[0] == "0" for pid in machine.job(number)
                      for line in read(f"/proc/{pid}/cgroup").splitlines() if "drover-worker." in line}
            assert inside == {self.name == "v2"}


@pytest.fixture(params=["v2", "v1", "none"])
def kind(request):
    made = Kind(request.param)
    if made.under is None:
        pytest.skip("no such control groups can be made here")
    return made


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    yield path
    (tmp_path / "stop").touch()  # one that hides, so that no test finds it, ends by itself


def submit(daemon, program, number, command, **more):
    daemon.submit(number, command=command, env=[f"PROGRAM={program}", f"STOP={program.parent}/stop"], **more)


def checkpoints(machine, number):
    return next(machine.workers[0].work.glob(f"drover-worker.*/{number}-1/checkpoint"))


def groups_of(worker):
    suffix = next(worker.work.glob("drover-worker.*")).name
    return [path for path in GROUPS.glob(f"**/{suffix}*") if path.is_dir()]


@pytest.mark.parametrize("reason", ["notice", "stop", "timeout", "term"])
def test_every_process_is_told_once_and_has_its_time(daemon, imds, machine, tmp_path, program, kind, reason):
    kept = tmp_path / "kept"
    kept.mkdir()
    numbers = {number: shape for number, shape in enumerate(SHAPES, 1)}
    for number, shape in numbers.items():
        submit(daemon, program, number, f"export KEPT={kept}; " + SHAPES[shape],
               timeout_s=10 if reason == "timeout" else 0)
    worker = machine.start(slots=len(SHAPES), imds=imds, under=kind.under, DROVER_STOP_GRACE_S="300")
    wait_for(lambda: all((kept / f"{shape}.ready").exists() for shape in SHAPES), "the jobs to start")
    kind.check(machine, 1)
    if reason == "notice":
        imds.interrupt(120)
    elif reason == "stop":
        daemon.stops = [f"{number}/1" for number in numbers]
    elif reason == "term":
        worker.terminate()
    ends = {shape: daemon.wait_end(number) for number, shape in numbers.items()}
    assert {path.name: path.read_text() for path in kept.glob("*.terms")} == {f"{shape}.terms": "TERM\n" for shape in SHAPES}
    assert {path.name for path in kept.glob("*.saved")} == {f"{shape}.saved" for shape in SHAPES}
    assert not (kept / "next").exists()
    if reason in ("notice", "term"):
        assert {shape: end.get("call") for shape, end in ends.items()} == {
            shape: "finish" if shape == "orphan" else "release" for shape in SHAPES}
    else:
        assert {end["outcome"] for end in ends.values()} == {"stopped" if reason == "stop" else "failure"}
    assert not any(machine.job(number) for number in numbers)


def test_what_does_not_end_in_time_is_killed(daemon, machine, tmp_path, program, kind):
    stubborn = "trap '' TERM; touch {0}/ready.$0; until [ -e $STOP ]; do sleep 0.1; done".format(tmp_path)
    for number, command in enumerate(("bash -c \"$STUBBORN\" 1 | cat", "set -m; bash -c \"$STUBBORN\" 2 & wait",
                                      "trap 'exit 3' TERM; setsid bash -c \"$STUBBORN\" 3 & wait"), 1):
        submit(daemon, program, number, f"STUBBORN='{stubborn.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'; {command}")
    machine.start(slots=3, under=kind.under)
    wait_for(lambda: len(list(tmp_path.glob("ready.*"))) == 3, "the jobs to start")
    daemon.stops = ["1/1", "2/1", "3/1"]
    assert [daemon.wait_end(number)["outcome"] for number in (1, 2, 3)] == ["stopped"] * 3
    wait_for(lambda: not any(machine.job(number) for number in (1, 2, 3)), "no process of the jobs to be left")


def parent(pid):
    """The nearest one that is not of the job: its runner."""
    job = environment(pid)
    mark = next(text for text in job if text.startswith(b"DROVER_JOB_NUMBER="))
    while mark in environment(pid):
        pid = int(read(f"/proc/{pid}/stat").rpartition(") ")[2].split()[1])
    return pid


def hidden_pid(tmp_path):
    wait_for(lambda: (tmp_path / "hidden").exists() and (tmp_path / "hidden").read_text(), "the hidden process")
    return int((tmp_path / "hidden").read_text())


def alive(pid):
    return bool(re.search(r"\) [^ZX] ", read(f"/proc/{pid}/stat")))


def test_a_process_that_hides_ends_with_its_job_where_there_are_control_groups(daemon, machine, tmp_path, program, kind):
    hide = f"setsid env -i /bin/bash -c 'echo $$ >{tmp_path}/hidden; until [ -e {tmp_path}/stop ]; do sleep 0.1; done'"
    submit(daemon, program, 1, f"{hide} & until [ -s {tmp_path}/hidden ]; do sleep 0.1; done")
    worker = machine.start(under=kind.under)
    pid = hidden_pid(tmp_path)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert alive(pid) == (kind.name == "none")
    if kind.name != "none":
        wait_for(lambda: groups_of(worker) == [], "no group to be left")


@pytest.mark.parametrize("kind", ["v2", "v1"], indirect=True)
def test_a_job_that_makes_groups_of_its_own_or_leaves_its_own_ends_too(daemon, machine, tmp_path, program, kind):
    inside = "own=$(grep drover-worker /proc/self/cgroup | cut -d: -f3-); for top in /sys/fs/cgroup/freezer " \
             "/sys/fs/cgroup/unified /sys/fs/cgroup; do if [ -e $top$own/cgroup.procs ]; then break; fi; done; "
    submit(daemon, program, 1, inside + f"""mkdir -p $top$own/a/b
        setsid env -i /bin/bash -c "echo 0 >$top$own/a/b/cgroup.procs; echo \\$\\$ >{tmp_path}/hidden; sleep 600" &
        until [ -s {tmp_path}/hidden ]; do sleep 0.1; done""")
    submit(daemon, program, 2, inside + f"""echo 0 >$top$own/../cgroup.procs; touch {tmp_path}/ready
        until [ -e $STOP ]; do sleep 0.1; done""")
    worker = machine.start(slots=2, under=kind.under)
    pid = hidden_pid(tmp_path)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert not alive(pid)
    wait_for(lambda: (tmp_path / "ready").exists(), "the second job to start")
    daemon.stops = ["2/1"]
    assert daemon.wait_end(2) == {"call": "finish", "outcome": "stopped", "signal": 15}
    wait_for(lambda: groups_of(worker) == [], "no group to be left")


def test_groups_that_a_killed_worker_left_are_removed_by_the_next(daemon, machine, program):
    kind = Kind("v2") if Kind("v2").under is not None else Kind("v1")
    if kind.under is None:
        pytest.skip("no control groups can be made here")
    submit(daemon, program, 1, "echo ready; sleep 600")
    worker = machine.start(under=kind.under)
    daemon.wait(lambda: daemon.log(1) == b"ready\n", "the job to start")
    left = groups_of(worker)
    assert left
    os.killpg(worker.pid, signal.SIGKILL)
    for pid in machine.job(1):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not machine.job(1), "the job to be gone")
    daemon.submit(2, command="true")
    machine.start(under=kind.under)
    assert daemon.wait_end(2)["outcome"] == "succeeded"
    assert not any(path.exists() for path in left)


def test_waiting_for_what_is_left_of_a_job_costs_little(daemon, machine, tmp_path, program, kind):
    submit(daemon, program, 1, f"trap 'exit 0' TERM; (trap '' TERM; touch {tmp_path}/ready; exec sleep 600) & wait")
    worker = machine.start(under=kind.under, DROVER_STOP_GRACE_S="6")
    wait_for(lambda: (tmp_path / "ready").exists(), "the job to start")
    ticks, used = os.sysconf("SC_CLK_TCK"), 0
    runner = parent(machine.job(1)[0])  # before the stop: what is left afterwards has another parent
    daemon.stops = ["1/1"]
    while (1, 1) not in daemon.ends:
        fields = read(f"/proc/{runner}/stat").rpartition(") ")[2].split()
        used = max(used, sum(map(int, fields[11:15])) / ticks)
        time.sleep(0.1)
    assert used < 1, "seconds of the processor, of six"
    assert worker.poll() is None
