"""How the processes of one worker hand on to its main loop what they have: no event and no answer is lost, or taken for another."""

import time

from fake_daemon import worker_program
from machine import wait_for


def test_an_event_of_which_only_a_part_came_in_time_is_not_lost(daemon, imds, machine, tmp_path):
    """The main loop waits a second for an event. That second may end when a part of one has been read."""
    daemon.heartbeat_interval_s = daemon.notice_poll_s = 1000  # no other event comes between
    daemon.submit(1, command=f"trap 'exit 1' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done")
    worker = machine.start(imds=imds)
    wait_for(lambda: (tmp_path / "ready").exists() and daemon.heartbeats, "the job to run")
    time.sleep(2)  # what follows a start has been told
    (fifo,) = worker.work.glob("drover-worker.*/events")
    with open(fifo, "wb", buffering=0) as events:
        instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 100))
        told = f'notice 200 {{"action":"terminate","time":"{instant}"}}\n'.encode()
        events.write(told[:20])
        time.sleep(2.5)
        events.write(told[20:])
    end = daemon.wait_end(1)
    assert end["call"] == "release" and end["notice"] == told.decode().removeprefix("notice 200 ").strip()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(daemon, machine, tmp_path):
    """The task that claims stands still in the middle of handing on its first answer."""
    text = worker_program()
    hand_on = "  if [[ $outcome == ok ]]; then printf"
    assert text.count(hand_on) == 1
    machine.program.write_text(text.replace(
        hand_on, f"  if [[ $1 == claim ]] && mkdir {tmp_path}/late; then trap 'touch {tmp_path}/told' EXIT; sleep 12; fi\n" + hand_on))
    daemon.submit(1, command=f"echo 1 >> {tmp_path}/ran")
    machine.start()
    daemon.wait_end(1)
    wait_for((tmp_path / "told").exists, "the late answer")
    daemon.submit(2, command=f"echo 2 >> {tmp_path}/ran")
    daemon.wait_end(2)
    assert (tmp_path / "ran").read_text() == "1\n2\n"
