"""The cloud errs, lags and lies: no job moves because of it, no machine is launched twice, and it heals."""
import json
import os
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
sys.path.insert(0, os.path.dirname(__file__))
from cloud_case import (SETTINGS, honesty, lied_to, machines_of, nothing_moves, ran_on_one_machine, status, told,  # noqa: E402
                        wanting, workers)
from gate import DOWN, UP  # noqa: E402
from harness import ACCESS_KEY, REGION, SECRET_KEY, shell, wait_for  # noqa: E402
from ledger import common_end  # noqa: E402
from liar import about, ends_never, honest, nothing_runs, second_page_fails  # noqa: E402

SOAK = bool(os.environ.get("DROVER_SOAK"))
STORM_S = 60 if SOAK else 7


@pytest.fixture(scope="module")
def drover():
    with lied_to() as running:
        yield running


LINK_FAULTS = {
    "refused": lambda gate: gate.refuse(),
    "held": lambda gate: gate.hold(),
    "dripping": lambda gate: gate.drip(4000),
    "cut-in-the-body": lambda gate: gate.cut_after(700, DOWN),
    "cut-on-the-way-there": lambda gate: gate.cut_after(300, UP),
}


@pytest.mark.parametrize("fault", LINK_FAULTS)
def test_no_fault_of_the_connection_to_the_cloud_moves_a_job(drover, fault):
    with nothing_moves(drover):
        LINK_FAULTS[fault](drover.gates["cloud"])
        job = wanting(drover, fault)
        start = time.monotonic()
        wait_for(lambda: status(drover)["cloud_error"] or time.monotonic() > start + 2, "an error, or some time")
        honesty(drover)
    ran_on_one_machine(drover, job, fault)


@pytest.mark.parametrize("answered", [True, False] if SOAK else [True], ids=["executed", "perhaps"][:1 + SOAK])
def test_a_launch_whose_reply_is_lost_is_asked_for_again_and_launched_once(drover, answered):
    """And its machine is not even listed for a minute: the listing says nothing against it."""
    drover.call("PATCH", "/config", {"freeze_min": 100})  # the fleet is hidden too, as young as it is
    name = f"lost-{answered}".lower()
    with nothing_moves(drover):
        drover.cloud.control("POST", "/visibility", {"delay_ms": 60_000})
        drover.gates["cloud"].cut_when(b"Action=RunInstances", answered=answered, times=2)
        job = wanting(drover, name)
        ran_on_one_machine(drover, job, name)
        drover.rounds(3)
        assert workers(drover, name) == ["active"]
    drover.call("PATCH", "/config", {"freeze_min": SETTINGS["freeze_min"]})
    assert len(machines_of(drover, name)) == 1


def test_offerings_without_capacity_are_left_alone_for_a_while_and_the_next_is_taken(drover):
    with nothing_moves(drover):
        for kind in ("local.small", "local.medium"):
            drover.cloud.control("POST", "/capacity", {"type": kind, "available": 0})
        before = drover.liar.count("RunInstances")
        first = wanting(drover, "scarce", max=2, instance_types=["local.small", "local.medium", "local.large"])
        done = drover.wait_state(first["id"], "succeeded")
        assert done["counters"] == {"failures": 0, "infra": 0, "interruptions": 0} and done["attempts"] == 1
        assert drover.liar.count("RunInstances") - before == 3, "each offering is asked once"
        drover.ledger.submit([shell("sleep 2", queue="scarce") for _ in range(2)])
        wait_for(lambda: len(machines_of(drover, "scarce")) == 2, "a second machine")
        assert drover.liar.count("RunInstances") - before == 4, "a muted offering was asked again"
        assert {one["type"] for one in machines_of(drover, "scarce")} == {"local.large"}


def test_a_storm_of_throttles_is_met_with_fewer_calls_and_stops_no_work(drover):
    with nothing_moves(drover):
        drover.cloud.control("POST", "/throttle", {"action": "*", "requests": 1_000_000})
        start = time.monotonic()
        job = wanting(drover, "stormy")
        told(drover, "RequestLimitExceeded")
        drover.wait_state(drover.submit(shell("echo meanwhile"))["id"], "succeeded")
        wait_for(lambda: time.monotonic() > start + STORM_S, "the storm to last", timeout=STORM_S + 5)
        calls = sum(1 for instant, _ in drover.liar.calls if instant >= start)
        assert calls <= 3 * STORM_S, f"{calls} calls in {STORM_S} s of throttling"
    ran_on_one_machine(drover, job, "stormy")


def test_an_empty_listing_of_a_running_fleet_freezes_it_and_reaps_nothing(drover):
    with nothing_moves(drover):
        drover.liar.say = about("DescribeInstances", nothing_runs)
        wait_for(lambda: status(drover)["fleet_frozen"], "/status to say that the fleet is frozen")
        assert drover.metric("drover_fleet_frozen") == 1
        assert "fleet frozen" in drover.daemon_log()
        drover.call("PATCH", "/config", {"freeze_min": 100})  # even unfrozen: its workers are heard
        drover.rounds(3)
        assert not status(drover)["fleet_frozen"]
    drover.call("PATCH", "/config", {"freeze_min": SETTINGS["freeze_min"]})
    assert drover.metric("drover_fleet_frozen") == 0


def test_a_listing_whose_second_page_fails_is_none(drover):
    with nothing_moves(drover):
        drover.liar.say = about("DescribeInstances", second_page_fails)
        told(drover, "InternalError")
        assert not status(drover)["fleet_frozen"], "a part of a listing was judged"


def run_instance(drover, tags):
    """An instance that somebody else launches."""
    listed = ",".join(f"{{Key={key},Value={value}}}" for key, value in tags.items())
    command = ["aws", "ec2", "run-instances", "--endpoint-url", drover.cloud.endpoint, "--region", REGION,
               "--image-id", "ami-other", "--user-data", "#!/bin/sh\nexec sleep 600\n", "--count", "1", "--output", "json"]
    if tags:
        command += ["--tag-specifications", f"ResourceType=instance,Tags=[{listed}]"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={
        **os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY})
    return json.loads(done.stdout)["Instances"][0]["InstanceId"]


def long_ago(lie=honest):
    """All instances have been there for long."""
    def say(handler, form, forward):
        def aged():
            answered, headers, body = forward()
            return answered, headers, re.sub(rb"<launchTime>[^<]*<", b"<launchTime>2020-01-01T00:00:00.000Z<", body)
        lie(handler, form, aged)
    return say


def test_an_end_is_asked_for_until_it_is_seen_and_strangers_are_left_alone(drover):
    """One machine is denied (NotFound) though it runs: the call is repeated after 15 s. Another shuts down for ever, which is
    as good as gone: no bill, no work. Meanwhile an orphan of ours goes; a machine of another deployment and one without
    tags stay."""
    for name in ("denied", "stuck"):
        drover.wait_state(wanting(drover, name, idle_timeout_s=600)["id"], "succeeded")
    ids = {name: machines_of(drover, name)[0]["id"] for name in ("denied", "stuck")}

    def state(machine):
        return drover.cloud.control("GET", f"/instances/{machine}").json["state"]
    with nothing_moves(drover):
        deployment = machines_of(drover, "default")[0]["tags"]["drover:deployment"]
        drover.liar.say = about("DescribeInstances", long_ago(ends_never))
        drover.cloud.control("POST", "/error", {"action": "TerminateInstances", "code": "InvalidInstanceID.NotFound",
                                                "message": f"The instance ID '{ids['denied']}' does not exist"})
        for machine in ids.values():
            assert drover.call("POST", f"/workers/{machine}/terminate").status == 200
        stranger = run_instance(drover, {"drover:deployment": "7d3cbd3c-3b5c-4bb8-9f3f-000000000000"})
        bare = run_instance(drover, {})
        orphan = run_instance(drover, {"drover:deployment": deployment})
        wait_for(lambda: state(orphan) == "terminated", "the orphan to be ended")
        wait_for(lambda: workers(drover, "stuck") == [], "the machine that shuts down to be given up")
        again = drover.ledger.submit(shell("echo again", queue="stuck")).json
        assert drover.wait_state(again["id"], "succeeded")["attempts"] == 1
        if state(ids["denied"]) == "running":  # not seen ended: it still counts
            assert workers(drover, "denied") == ["terminating"]
            assert drover.metric('drover_workers{pool="denied",state="terminating"}') == 1
        wait_for(lambda: state(ids["denied"]) == "terminated", "the denied machine to be ended by a later call")
        wait_for(lambda: workers(drover, "denied") == [], "it to be seen ended")
    assert state(stranger) == state(bare) == "running", "a machine of somebody else was touched"
    for machine in (stranger, bare):
        drover.cloud.control("POST", f"/instances/{machine}/kill", {})


def test_a_limit_of_the_account_stops_one_market_and_not_the_other(drover):
    with nothing_moves(drover):
        drover.cloud.control("POST", "/error", {"action": "RunInstances", "code": "MaxSpotInstanceCountExceeded"})
        spot = wanting(drover, "spot")
        wait_for(lambda: "MaxSpotInstanceCountExceeded" in drover.call("GET", f"/jobs/{spot['id']}/explain").text,
                 "explain to name the cloud's code")
        bought = wanting(drover, "bought", market="on_demand")
        ran_on_one_machine(drover, bought, "bought")
        assert drover.job(spot["id"])["state"] == "queued" and machines_of(drover, "spot") == []
    drover.call("POST", f"/jobs/{spot['id']}/cancel")


def test_all_of_it_is_well_at_the_end(drover):
    common_end(drover, drover.ledger)
