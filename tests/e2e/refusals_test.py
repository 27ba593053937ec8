"""What the cloud refuses holds up no more than it is about, and /explain says what is so now. With the default settings."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from harness import shell, stack, wait_for  # noqa: E402


@pytest.fixture(scope="module")
def drover():
    with stack() as running:
        yield running


def add_pool(drover, name, **members):
    pool = {"name": name, "max": 1, "slots": 1, "image": "ami-local", "idle_timeout_s": 600, **members}
    assert drover.call("POST", "/pools", pool).status == 201


def machines_of(drover, pool):
    return [one for one in drover.cloud.instances() if one["tags"].get("drover:pool") == pool]


def refuse_once(drover, code, status=400):
    """The next launch, whoever asks for it."""
    drover.cloud.control("POST", "/error", {"action": "RunInstances", "code": code, "status": status, "count": 1})


def cancel(drover, *jobs):
    for job in jobs:
        assert drover.call("POST", f"/jobs/{job['id']}/cancel").status == 200


def explain(drover, job):
    return drover.call("GET", f"/jobs/{job['id']}/explain").json


# A type of its own each: what is refused of the cloud's is refused to every pool.
CODES = {"InvalidParameterValue": "g5.xlarge", "UnsupportedOperation": "g5.2xlarge", "UnauthorizedOperation": "g5.4xlarge",
         "InsufficientInstanceCapacity": "g5.8xlarge", "SpotMaxPriceTooLow": "g5.12xlarge", "VcpuLimitExceeded": "p3.2xlarge"}


@pytest.mark.parametrize("code", CODES)
def test_what_is_refused_for_one_type_is_asked_for_in_the_next_at_once(drover, code):
    name = code.lower()
    refuse_once(drover, code)
    add_pool(drover, name, instance_types=[CODES[code], "c5.large"])
    job = drover.submit(shell("true", queue=name))
    drover.wait_state(job["id"], "succeeded")
    assert [one["type"] for one in machines_of(drover, name)] == ["c5.large"]


def test_an_unknown_subnet_is_left_for_the_next(drover):
    add_pool(drover, "subnets", instance_types=["m5.large", "c5.large"], subnets=["subnet-00000bad", "subnet-0000000b"])
    before = drover.cloud.control("GET", "/calls").json["RunInstances"]
    job = drover.submit(shell("true", queue="subnets"))
    drover.wait_state(job["id"], "succeeded")
    assert [one["zone"][-1] for one in machines_of(drover, "subnets")] == ["b"]
    assert drover.cloud.control("GET", "/calls").json["RunInstances"] == before + 2


def test_a_quota_of_one_family_stops_no_pool_of_another(drover):
    refuse_once(drover, "VcpuLimitExceeded")
    add_pool(drover, "gpu", instance_types=["g6.xlarge"])
    stuck = drover.submit(shell("true", queue="gpu"))
    wait_for(lambda: "VcpuLimitExceeded" in str(explain(drover, stuck)), "the quota to be told")
    add_pool(drover, "cpu", instance_types=["m5.large"])
    job = drover.submit(shell("true", queue="cpu"))
    drover.wait_state(job["id"], "succeeded")
    cancel(drover, stuck)


def test_many_refused_offerings_use_up_no_allowance(drover):
    types = [f"c{n}.large" for n in range(3, 9)]
    for one in types:
        drover.cloud.control("POST", "/capacity", {"type": one, "available": 0})
    add_pool(drover, "refused", instance_types=types, max=20)
    stuck = drover.submit([shell("true", queue="refused") for _ in range(20)])
    wait_for(lambda: "InsufficientInstanceCapacity" in str(explain(drover, stuck[0])), "the refusals to be told")
    add_pool(drover, "another", instance_types=["m5.large"])
    job = drover.submit(shell("true", queue="another"))
    drover.wait_state(job["id"], "succeeded")
    assert "max_launches_per_minute" not in drover.call("GET", "/status").text
    cancel(drover, *stuck)
    drover.cloud.control("DELETE", "/faults")


def test_a_refusal_says_its_code_once_and_is_not_blamed_when_it_is_over(drover):
    refuse_once(drover, "InsufficientInstanceCapacity", 500)
    add_pool(drover, "words", instance_types=["r5.large"])
    job = drover.submit(shell("sleep 600", queue="words"))
    refused = wait_for(lambda: (said := explain(drover, job)) and "no_capacity" in str(said) and said, "the refusal to be told")
    assert refused["summary"].count("InsufficientInstanceCapacity") == 1, refused
    drover.wait_state(job["id"], "running")
    behind = drover.submit(shell("true", queue="words"))
    assert "InsufficientInstanceCapacity" not in str(explain(drover, behind))
    cancel(drover, job)


@pytest.mark.parametrize("status, outcome", [(401, "credentials"), (403, "permission")])
def test_while_the_cloud_is_not_seen_no_launch_is_promised(drover, status, outcome):
    """By a code that nobody knows: the status decides."""
    name = f"blind-{status}"
    drover.cloud.control("POST", "/error",
                         {"action": "DescribeInstances", "code": "NeverHeardOf", "status": status, "count": 1000})
    wait_for(lambda: "NeverHeardOf" in str(drover.call("GET", "/status").json["cloud_error"]), "a look to fail")
    add_pool(drover, name, instance_types=["m5.large"])
    job = drover.submit(shell("true", queue=name))
    wait_for(lambda: "NeverHeardOf" in str(explain(drover, job)), "the failure to be told")
    told = explain(drover, job)
    assert [reason["code"] for reason in told["reasons"]] == ["cloud_error", "position"], told
    assert told["summary"].count("NeverHeardOf") == 1, told
    assert drover.metric(f'drover_cloud_calls_total{{call="list",outcome="{outcome}"}}') > 0
    drover.cloud.control("DELETE", "/faults")
    drover.wait_state(job["id"], "succeeded")
