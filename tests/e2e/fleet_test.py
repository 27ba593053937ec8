"""The fleet under the main job: capacity, lost replies, lies of the cloud, scale-in, drain."""
import os
import sys

import pytest

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "fault")]
from harness import shell, stack, wait_for  # noqa: E402
from protocol import INERT, ProtocolWorker, add_inert_pool, inert_instances  # noqa: E402

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}


@pytest.fixture()
def drover():
    with stack(pool={"max": 3, "slots": 1, "idle_timeout_s": 600}, settings=FAST) as running:
        yield running


def cloud_failures(drover):
    """Calls of the cloud that did not succeed."""
    lines = drover.call("GET", "/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith("drover_cloud_calls_total") and 'outcome="ok"' not in line)


def test_no_capacity_is_told_in_the_clouds_own_words_and_ends_when_there_is_some(drover):
    drover.cloud.control("POST", "/capacity", {"type": "local.small", "available": 0})
    job = drover.submit(shell("echo ran"))

    def told():
        answer = drover.call("GET", f"/jobs/{job['id']}/explain").json
        return answer if "InsufficientInstanceCapacity" in str(answer) else None
    explained = wait_for(told, "explain to name the cloud's code")
    assert any("next_try" in reason for reason in explained["reasons"]), explained
    assert drover.job(job["id"])["state"] == "queued"
    drover.cloud.control("DELETE", "/faults")
    drover.wait_state(job["id"], "succeeded")
    assert drover.job(job["id"])["counters"] == {"failures": 0, "infra": 0, "interruptions": 0}


def test_a_lost_reply_to_a_launch_makes_no_second_instance(drover):
    drover.cloud.control("POST", "/lose-reply", {"action": "RunInstances", "count": 1})
    job = drover.submit(shell("echo ran"))
    drover.wait_state(job["id"], "succeeded")
    assert len(drover.cloud.instances()) == 1, drover.cloud.instances()
    workers = drover.call("GET", "/workers").json
    assert [one["instance_id"] for one in workers] == [drover.cloud.instances()[0]["id"]]


def test_a_truncated_listing_moves_nothing(drover):
    job = drover.submit(shell("sleep 6; echo ran"))
    drover.wait_state(job["id"], "running")
    failures = cloud_failures(drover)
    drover.cloud.control("POST", "/truncate-page", {"count": 4})
    wait_for(lambda: cloud_failures(drover) > failures, "a listing to fail")
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded" and done["attempts"] == 1, done
    assert len(drover.cloud.instances()) == 1


def test_idle_workers_are_scaled_in_to_the_minimum(drover):
    jobs = drover.submit([shell("sleep 1") for _ in range(3)])
    for job in jobs:
        drover.wait_state(job["id"], "succeeded")
    changed = drover.call("PATCH", "/pools/default", {"idle_timeout_s": 1})
    assert changed.status == 200, changed
    wait_for(lambda: not drover.cloud.instances("running", "pending"), "idle instances to be terminated")
    wait_for(lambda: all(one["state"] == "gone" for one in drover.call("GET", "/workers").json), "workers to be gone")
    again = drover.submit(shell("echo back"))
    drover.wait_state(again["id"], "succeeded")


def test_many_short_jobs_need_no_more_machines_than_the_pool_has_though_none_may_be_idle():
    """One slot and a look every second: each worker is seen without a job many times between two."""
    with stack(pool={"max": 2, "slots": 1, "idle_timeout_s": 0}, settings=FAST) as drover:
        jobs = drover.submit([shell("true") for _ in range(150)])
        for job in jobs:
            drover.wait_state(job["id"], "succeeded")
        assert len(drover.cloud.instances()) <= 2, drover.cloud.instances()
        wait_for(lambda: not drover.cloud.instances("running", "pending"), "the idle to be ended when no work waits")


def test_jobs_of_a_paused_scheduler_keep_no_machine():
    with stack(pool={"max": 1, "slots": 1, "idle_timeout_s": 0}, settings=FAST) as drover:
        first = drover.submit(shell("sleep 600"))
        drover.wait_state(first["id"], "running")
        drover.call("PATCH", "/scheduler", {"is_paused": True})
        second = drover.submit(shell("true"))
        drover.call("POST", f"/jobs/{first['id']}/cancel")
        wait_for(lambda: not drover.cloud.instances("running", "pending"), "the idle machine to be ended")
        assert drover.job(second["id"])["state"] == "queued"
        drover.call("PATCH", "/scheduler", {"is_paused": False})
        drover.wait_state(second["id"], "succeeded")


def test_a_machine_is_not_idle_before_it_has_asked_for_work_and_is_when_nothing_came_of_it():
    with stack(settings=FAST) as drover:
        held = drover.submit(shell("true", queue="fresh"))
        pool = {**INERT, "name": "fresh", "max": 1, "slots": 1, "idle_timeout_s": 0}
        assert drover.call("POST", "/pools", pool).status == 201
        instance = wait_for(lambda: inert_instances(drover, "fresh"), "the machine")[0]
        assert drover.call("POST", f"/jobs/{held['id']}/cancel").status == 200
        worker = ProtocolWorker(drover, instance).register()
        drover.rounds(3)
        assert drover.cloud.instances("running"), "it was ended before it could claim"
        assert worker.claim() == []
        wait_for(lambda: not drover.cloud.instances("running", "pending"), "the idle machine to be ended")


def test_drain_lets_the_running_job_end_and_takes_no_other(drover):
    drover.call("PATCH", "/pools/default", {"max": 1})
    first = drover.submit(shell("sleep 3; echo first"))
    running = drover.wait_state(first["id"], "running")
    drained = drover.call("POST", f"/workers/{running['worker']}/drain")
    assert drained.status == 200, drained
    second = drover.submit(shell("echo second"))
    assert drover.wait_state(first["id"], "succeeded", "failed")["state"] == "succeeded"
    done = drover.wait_state(second["id"], "succeeded")
    workers = {one["worker"] for job in (first, second) for one in drover.attempts(job["id"])}
    assert len(workers) == 2 and done["attempts"] == 1


def test_terminating_a_worker_by_hand_requeues_its_job(drover):
    job = drover.submit(shell("sleep 4; echo done"))
    running = drover.wait_state(job["id"], "running")
    assert drover.call("POST", f"/workers/{running['worker']}/terminate").status == 200
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded"
    assert [one["outcome"] for one in drover.attempts(job["id"])] == ["interruption", "succeeded"]


def test_a_machine_protected_by_hand_is_named_and_keeps_no_other_from_ending():
    with stack(settings=FAST) as drover:
        instances = [one["id"] for one in add_inert_pool(drover, "inert", 3, market="on_demand")]
        kept = instances[1]
        drover.cloud.ec2("ModifyInstanceAttribute", InstanceId=kept, DisableApiTermination_Value="true")
        assert drover.call("PATCH", "/pools/inert", {"min": 0}).status == 200
        for one in instances:
            assert drover.call("POST", f"/workers/{one}/{'drain' if one == kept else 'terminate'}").status == 200
        wait_for(lambda: [one["id"] for one in drover.cloud.instances("running")] == [kept], "the others to be ended")
        said = wait_for(lambda: drover.call("GET", "/status").json["cloud_error"], "the refusal to be told")
        assert "OperationNotPermitted" in said and kept in said and "disableApiTermination" in said, said
        assert any("terminate failed" in line and kept in line for line in drover.daemon_log().splitlines())
        assert drover.call("GET", f"/workers/{kept}").json["state"] == "terminating"

        drover.cloud.ec2("ModifyInstanceAttribute", InstanceId=kept, DisableApiTermination_Value="false")
        wait_for(lambda: not drover.cloud.instances("running"), "what was protected to be ended when it is no more")
        wait_for(lambda: drover.call("GET", "/status").json["cloud_error"] is None, "the refusal to be over")


def test_a_pool_is_created_changed_and_refused_by_name(drover):
    pool = {"name": "extra", "queues": ["extra"], "max": 1, "image": "ami-local", "instance_types": ["local.small"]}
    assert drover.call("POST", "/pools", pool).status == 201
    assert drover.call("POST", "/pools", pool).status == 409
    refused = drover.call("PATCH", "/pools/extra", {"maximum": 3})
    assert refused.status == 400 and "maximum" in refused.text
    job = drover.submit(shell("echo extra", queue="extra"))
    drover.wait_state(job["id"], "succeeded")
    lonely = drover.submit(shell("true", queue="nobody"))
    explained = drover.call("GET", f"/jobs/{lonely['id']}/explain").json
    assert "no pool" in explained["summary"].lower(), explained


def test_a_paused_scheduler_launches_nothing(drover):
    drover.call("PATCH", "/scheduler", {"is_paused": True})
    drover.submit(shell("true"))
    drover.rounds(3)
    assert drover.cloud.instances() == []
