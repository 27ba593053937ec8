"""A machine whose disk is full, and other faults of its own: none of them may pass for an absent daemon."""

import os
import re

from machine import wait_for

FULL = "cat /dev/zero >{0}/fill 2>/dev/null; while :; do : >{0}/fill$RANDOM || break; done 2>/dev/null; "


def empty(disk):
    for path in disk.glob("fill*"):
        path.unlink()


def test_a_full_disk_neither_holds_a_job_nor_goes_unsaid(daemon, machine, small_disk):
    daemon.submit(1, command=f"""
        echo before; {FULL.format(small_disk)} head -c 3000000 /dev/zero; exit 5""")
    machine.start(DROVER_WORKER_DIR=str(small_disk))
    assert daemon.wait_end(1)["exit_code"] == 5
    # A line for each gap: now and then a few bytes of room come free in between.
    gap = r"\n\[drover: (\d+) bytes are missing here: no room on the disk\]\n"
    log = daemon.log(1).decode()
    missing = [int(count) for count in re.findall(gap, log)]
    kept = re.sub(gap, "", log)
    assert missing and len(kept) + sum(missing) == 3_000_007, (missing, log[-300:])
    assert ("before\n" + 3_000_000 * "\0").startswith(kept)


def test_a_log_goes_on_when_the_disk_has_room_again(daemon, machine, small_disk):
    daemon.submit(1, command=f"""
        cat /dev/zero >{small_disk}/fill 2>/dev/null; head -c 200000 /dev/zero
        rm {small_disk}/fill; for i in 1 2 3; do echo kept $i; sleep 0.1; done""")
    machine.start(DROVER_WORKER_DIR=str(small_disk))
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert b"missing here: no room on the disk" in daemon.log(1)
    assert daemon.log(1).endswith(b"kept 2\nkept 3\n")


def test_on_a_full_disk_a_job_can_be_cancelled_and_times_out(daemon, machine, small_disk):
    hog = FULL.format(small_disk) + "echo full >&2; sleep 600"
    daemon.submit(1, command=hog)
    worker = machine.start(DROVER_WORKER_DIR=str(small_disk))
    wait_for(lambda: machine.job(1), what="the job to start")
    wait_for(lambda: os.statvfs(small_disk).f_bavail == 0, what="the disk to be full")
    daemon.stops = ["1/1"]
    assert daemon.wait_end(1)["outcome"] == "stopped"
    daemon.stops = []
    empty(small_disk)
    daemon.submit(2, command=hog, timeout_s=2)
    end = daemon.wait_end(2)
    assert (end["outcome"], end["reason"]) == ("failure", "timed out after 2 s")
    empty(small_disk)
    daemon.submit(3, command="echo well")
    assert daemon.wait_end(3)["outcome"] == "succeeded"
    assert worker.poll() is None


def test_what_a_job_fills_in_its_work_directory_is_gone_before_its_files_are_sent(daemon, machine, small_disk):
    daemon.submit(1, command="""
        echo result >"$DROVER_ARTIFACT_DIR/result"; cat /dev/zero >fill 2>/dev/null; exit 3""")
    daemon.stalled.add("result")
    machine.start(DROVER_WORKER_DIR=str(small_disk))
    daemon.wait(lambda: any("/artifacts/result" in r for r in daemon.requests), what="the upload")
    assert os.statvfs(small_disk).f_bavail > 0
    daemon.stalled.clear()
    with daemon.changed:
        daemon.changed.notify_all()
    assert daemon.wait_end(1)["exit_code"] == 3
    assert daemon.artifacts[1, 1, "result"] == b"result\n"


def test_a_worker_whose_disk_is_full_takes_no_jobs(daemon, machine, small_disk, tmp_path):
    """Those that it took before its disk was full go back as infra."""
    daemon.submit(1, command=FULL.format(small_disk) + f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    machine.start(slots=2, DROVER_WORKER_DIR=str(small_disk))
    wait_for(lambda: machine.job(1), what="the job to start")
    wait_for(lambda: os.statvfs(small_disk).f_bavail == 0, what="the disk to be full")
    daemon.submit(2, command="true")  # to the poll that waits already
    assert daemon.wait_end(2) == {"call": "finish", "outcome": "infra",
                                  "reason": "the machine has no room for the files of the job"}
    daemon.submit(3, command="true")
    (tmp_path / "go").touch()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert (3, 1) not in daemon.attempts
    empty(small_disk)
    assert daemon.wait_end(3)["outcome"] == "succeeded"
