"""Amazon's own command line against the local cloud: real signatures, real paging, real processes."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from harness import PATIENCE

BINARY = os.environ.get("DROVER_BINARY", "")
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"
IDLE = "#!/bin/sh\nexec sleep 1000\n"

pytestmark = [
    pytest.mark.skipif(not BINARY, reason="DROVER_BINARY names no binary"),
    pytest.mark.skipif(not shutil.which("aws"), reason="the aws command line is not installed"),
]


def eventually(condition):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    return condition()


class LocalCloud:
    """`drover localcloud` over one data directory; may be stopped and started again."""

    def __init__(self, directory):
        self.directory = directory
        self.process = None
        self.endpoint = self.control = None

    def start(self, *flags):
        command = [BINARY, "localcloud", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0",
                   "--data", str(self.directory / "cloud"), "--access-key", ACCESS_KEY,
                   "--secret-key", SECRET_KEY, "--region", REGION, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the local cloud ended before it was ready"
        ready = json.loads(line)
        self.endpoint, self.control = ready["endpoint"], ready["control"]
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()
        self.process = None
        return status

    def call_control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return json.load(reply)

    def instance(self, instance_id):
        return self.call_control("GET", f"/instances/{instance_id}")

    def reaches(self, instance_id, state):
        return eventually(lambda: self.instance(instance_id)["state"] == state)

    def aws(self, *arguments, secret=SECRET_KEY, retries=1):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": str(retries),
            "AWS_PAGER": "",
        }
        return subprocess.run(["aws", "--endpoint-url", self.endpoint, "--output", "json", *arguments],
                              env=environment, capture_output=True, text=True, timeout=PATIENCE)

    def ok(self, *arguments, **options):
        done = self.aws(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run(self, *more, count="1", script=IDLE):
        launched = self.ok("ec2", "run-instances", "--image-id", "ami-12345678", "--instance-type", "m5.large",
                           "--count", count, "--user-data", script, *more)
        return [instance["InstanceId"] for instance in launched["Instances"]]

    def ids(self, *more):
        listed = self.ok("ec2", "describe-instances", *more)
        return [instance["InstanceId"] for group in listed["Reservations"] for instance in group["Instances"]]


@pytest.fixture
def cloud(tmp_path):
    made = LocalCloud(tmp_path).start()
    yield made
    if made.process is None:
        made.start()
    made.stop()
    # Whatever a test left is ended by the option that says so.
    assert made.start("--terminate-on-exit").stop() == 0


def test_run_describe_and_terminate(cloud):
    tags = "ResourceType=instance,Tags=[{Key=drover:pool,Value=blue one},{Key=Name,Value=w&1}]"
    market = "MarketType=spot,SpotOptions={SpotInstanceType=one-time,InstanceInterruptionBehavior=terminate,MaxPrice=0.05}"
    spot = cloud.run("--instance-market-options", market, "--tag-specifications", tags,
                     "--placement", f"AvailabilityZone={REGION}b", count="2")
    plain = cloud.run()
    assert len(spot) == 2 and len(plain) == 1
    for instance_id in spot + plain:
        assert cloud.reaches(instance_id, "running")

    listed = cloud.ok("ec2", "describe-instances", "--instance-ids", spot[0])["Reservations"][0]["Instances"][0]
    assert listed["State"] == {"Code": 16, "Name": "running"}
    assert listed["InstanceLifecycle"] == "spot"
    assert listed["InstanceType"] == "m5.large"
    assert listed["Placement"]["AvailabilityZone"] == REGION + "b"
    assert listed["ClientToken"]
    assert {tag["Key"]: tag["Value"] for tag in listed["Tags"]} == {"drover:pool": "blue one", "Name": "w&1"}

    assert set(cloud.ids("--filters", "Name=tag:drover:pool,Values=blue*")) == set(spot)
    assert cloud.ids("--filters", "Name=tag-key,Values=Name", "Name=instance-id,Values=" + plain[0]) == []
    assert set(cloud.ids("--filters", "Name=instance-lifecycle,Values=spot")) == set(spot)
    assert cloud.ids("--filters", f"Name=availability-zone,Values={REGION}a") == plain
    assert set(cloud.ids("--filters", "Name=instance-state-name,Values=pending,running")) == set(spot + plain)

    ended = cloud.ok("ec2", "terminate-instances", "--instance-ids", spot[0], plain[0])["TerminatingInstances"]
    assert [item["InstanceId"] for item in ended] == [spot[0], plain[0]]
    assert {item["CurrentState"]["Name"] for item in ended} == {"shutting-down"}
    assert cloud.reaches(spot[0], "terminated") and cloud.reaches(plain[0], "terminated")
    listed = cloud.ok("ec2", "describe-instances", "--instance-ids", spot[0])["Reservations"][0]["Instances"][0]
    assert listed["State"] == {"Code": 48, "Name": "terminated"}
    assert listed["StateReason"] == {"Code": "Client.UserInitiatedShutdown",
                                     "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}
    assert cloud.ids("--filters", "Name=instance-state-name,Values=running") == [spot[1]]


def test_paging(cloud):
    made = cloud.run(count="12")
    assert cloud.ids("--page-size", "5") == made
    calls = cloud.call_control("GET", "/calls")
    assert calls["DescribeInstances"] == 3

    # --max-items counts reservations, so here each instance has its own.
    one_by_one = [cloud.run()[0] for _ in range(6)]
    listing = ("ec2", "describe-instances", "--filters", "Name=instance-id,Values=" + ",".join(one_by_one))
    first = cloud.ok(*listing, "--page-size", "5", "--max-items", "4")
    assert [group["Instances"][0]["InstanceId"] for group in first["Reservations"]] == one_by_one[:4]
    rest = cloud.ok(*listing, "--page-size", "5", "--starting-token", first["NextToken"])
    assert [group["Instances"][0]["InstanceId"] for group in rest["Reservations"]] == one_by_one[4:]
    assert "NextToken" not in rest


def test_errors_carry_their_codes(cloud):
    bad = cloud.aws("ec2", "describe-instances", secret="another secret")
    assert bad.returncode != 0 and "(SignatureDoesNotMatch)" in bad.stderr
    bad = cloud.aws("ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0")
    assert bad.returncode != 0 and "(InvalidInstanceID.NotFound)" in bad.stderr
    assert "'i-0123456789abcdef0'" in bad.stderr
    bad = cloud.aws("ec2", "describe-vpcs")
    assert bad.returncode != 0 and "(InvalidAction)" in bad.stderr
    bad = cloud.aws("ec2", "run-instances", "--image-id", "ami-1", "--dry-run")
    assert bad.returncode != 0 and "(DryRunOperation)" in bad.stderr
    cloud.call_control("POST", "/capacity", {"available": 0})
    bad = cloud.aws("ec2", "run-instances", "--image-id", "ami-1")
    assert bad.returncode != 0 and "(InsufficientInstanceCapacity)" in bad.stderr


def test_what_the_policy_denies(cloud):
    cloud.call_control("POST", "/deny", {"actions": ["ec2:CreateTags", "ec2:DescribeImages"]})
    launch = ("ec2", "run-instances", "--image-id", "ami-1", "--dry-run")
    assert "(DryRunOperation)" in cloud.aws(*launch).stderr
    tags = "ResourceType=volume,Tags=[{Key=k,Value=v}]"
    assert "(UnauthorizedOperation)" in cloud.aws(*launch, "--tag-specifications", tags).stderr
    assert "(UnauthorizedOperation)" in cloud.aws("ec2", "describe-images").stderr
    cloud.call_control("POST", "/deny", {"actions": []})
    assert cloud.ok("ec2", "describe-images")["Images"][0]["State"] == "available"


def test_what_ec2_refuses(cloud):
    launch = ("ec2", "run-instances", "--image-id", "ami-1")
    bad = cloud.aws(*launch, "--launch-template", "LaunchTemplateName=workers")
    assert "(InvalidLaunchTemplateName.NotFoundException)" in bad.stderr
    bad = cloud.aws(*launch, "--launch-template", "LaunchTemplateId=lt-0123456789abcdef0")
    assert "(InvalidLaunchTemplateId.NotFound)" in bad.stderr
    bad = cloud.aws(*launch, "--metadata-options", "HttpTokens=maybe")
    assert "(InvalidParameterValue)" in bad.stderr and "HttpTokens" in bad.stderr
    bad = cloud.aws("ec2", "describe-subnets", "--filters", "Name=colour,Values=red")
    assert "(InvalidParameterValue)" in bad.stderr
    assert cloud.ids() == []


def test_stop_start_and_protect(cloud):
    made = cloud.run()[0]
    assert cloud.reaches(made, "running")
    stopping = cloud.ok("ec2", "stop-instances", "--instance-ids", made)["StoppingInstances"][0]
    assert stopping["CurrentState"] == {"Code": 64, "Name": "stopping"}
    assert cloud.reaches(made, "stopped")
    starting = cloud.ok("ec2", "start-instances", "--instance-ids", made)["StartingInstances"][0]
    assert starting["PreviousState"] == {"Code": 80, "Name": "stopped"}
    assert cloud.reaches(made, "running")
    cloud.ok("ec2", "modify-instance-attribute", "--instance-id", made, "--disable-api-termination")
    bad = cloud.aws("ec2", "terminate-instances", "--instance-ids", made)
    assert "(OperationNotPermitted)" in bad.stderr and f"'{made}'" in bad.stderr
    cloud.ok("ec2", "modify-instance-attribute", "--instance-id", made, "--no-disable-api-termination")
    cloud.ok("ec2", "terminate-instances", "--instance-ids", made)
    assert cloud.reaches(made, "terminated")


def test_root_devices_and_tags(cloud):
    image = cloud.ok("ec2", "describe-images", "--image-ids", "ami-sda1")["Images"][0]
    assert image["RootDeviceName"] == "/dev/sda1" and image["RootDeviceType"] == "ebs"
    kinds = ("instance", "volume", "network-interface", "spot-instances-request")
    made = cloud.run("--instance-market-options", "MarketType=spot", "--tag-specifications",
                     *(f"ResourceType={kind},Tags=[{{Key=team,Value=genomics}}]" for kind in kinds))[0]
    listed = cloud.ok("ec2", "describe-tags", "--filters", "Name=key,Values=team")["Tags"]
    assert {tag["ResourceType"] for tag in listed} == set(kinds)
    shown = cloud.ok("ec2", "describe-instances", "--instance-ids", made)["Reservations"][0]["Instances"][0]
    assert shown["RootDeviceName"] == "/dev/xvda"
    assert [volume["DeviceName"] for volume in shown["BlockDeviceMappings"]] == ["/dev/xvda"]


def test_client_token(cloud):
    first = cloud.run("--client-token", "one")
    assert cloud.run("--client-token", "one") == first
    bad = cloud.aws("ec2", "run-instances", "--image-id", "ami-2", "--client-token", "one")
    assert bad.returncode != 0 and "(IdempotentParameterMismatch)" in bad.stderr


def test_a_lost_reply_and_a_throttle_are_retried(cloud):
    cloud.call_control("POST", "/lose-reply", {"action": "RunInstances", "count": 1})
    launched = cloud.ok("ec2", "run-instances", "--image-id", "ami-1", "--user-data", IDLE, retries=3)
    assert cloud.ids() == [launched["Instances"][0]["InstanceId"]]
    assert cloud.call_control("GET", "/calls")["RunInstances"] == 2
    cloud.call_control("POST", "/throttle", {"action": "DescribeInstances", "requests": 1})
    assert len(json.loads(cloud.aws("ec2", "describe-instances", retries=3).stdout)["Reservations"]) == 1


def test_the_smaller_calls(cloud):
    made = cloud.run(script="#!/bin/sh\necho hello\nexec sleep 1000\n")[0]
    assert cloud.reaches(made, "running")
    assert cloud.ok("sts", "get-caller-identity")["Account"] == "000000000000"
    status = cloud.ok("ec2", "describe-instance-status", "--instance-ids", made)["InstanceStatuses"][0]
    assert status["InstanceState"]["Name"] == "running" and status["SystemStatus"]["Status"] == "ok"
    cloud.ok("ec2", "create-tags", "--resources", made, "--tags", "Key=k,Value=v")
    assert cloud.ok("ec2", "describe-tags")["Tags"] == [
        {"Key": "k", "ResourceId": made, "ResourceType": "instance", "Value": "v"}]
    zones = cloud.ok("ec2", "describe-availability-zones")["AvailabilityZones"]
    assert [zone["ZoneName"] for zone in zones] == [REGION + letter for letter in "abc"]
    kind = cloud.ok("ec2", "describe-instance-types", "--instance-types", "c7g.4xlarge")["InstanceTypes"][0]
    assert kind["VCpuInfo"]["DefaultVCpus"] == 16
    assert kind["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]
    assert cloud.ok("ec2", "describe-subnets")["Subnets"][0]["SubnetId"] == "subnet-0000000a"
    eventually(lambda: cloud.ok("ec2", "get-console-output", "--instance-id", made).get("Output"))
    assert cloud.ok("ec2", "get-console-output", "--instance-id", made)["Output"] == "hello\n"


def test_instances_outlive_a_killed_local_cloud(cloud):
    made = cloud.run(script="#!/bin/sh\necho $$ > new; mv new pid; exec sleep 1000\n")[0]
    assert cloud.reaches(made, "running")
    root = cloud.directory / "cloud" / "instances" / made / "root"
    assert eventually((root / "pid").exists)
    pid = int((root / "pid").read_text())
    cloud.stop(signal.SIGKILL)
    os.kill(pid, 0)
    cloud.start()
    assert cloud.instance(made)["state"] == "running"
    assert cloud.ids() == [made]
    cloud.ok("ec2", "terminate-instances", "--instance-ids", made)
    assert cloud.reaches(made, "terminated")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_terminate_on_exit(tmp_path):
    cloud = LocalCloud(tmp_path).start("--terminate-on-exit")
    made = cloud.run(script="#!/bin/bash\nsetsid sleep 1000 & echo $! > new; mv new pid; wait\n")[0]
    pid_file = tmp_path / "cloud" / "instances" / made / "root" / "pid"
    assert eventually(pid_file.exists)
    pid = int(pid_file.read_text())
    assert cloud.stop(signal.SIGINT) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_port_is_free_again_while_instances_run(cloud):
    cloud.run()
    endpoint = cloud.endpoint
    cloud.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(endpoint, timeout=PATIENCE)
