"""`drover doctor`: what it finds, that each finding has a remedy of its own, and that it changes nothing."""
import contextlib
import http.server
import os
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

from harness import ACCESS_KEY, BINARY, PATIENCE, REGION, SECRET_KEY, Cloud, Postgres, free_port, stack

POOL = {"name": "default", "image": "ami-0123456789abcdef0", "instance_types": ["c7i.large"], "instance_profile": "drover-worker"}


@contextlib.contextmanager
def open_directory():
    """One that other users may enter, as the server's has to."""
    with tempfile.TemporaryDirectory(prefix="drover-doctor-") as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.fixture(scope="module")
def postgres():
    with open_directory() as base:
        server = Postgres(base)
        yield server
        server.stop()


class Install:
    """A configuration as after an installation, before the first start."""

    def __init__(self, place, postgres):
        self.place, self.postgres = place, postgres
        self.port = free_port()
        self.sections = {"server": {"listen": f"127.0.0.1:{self.port}"},
                         "store": {"conninfo": postgres.conninfo},
                         "worker": {"url": f"http://127.0.0.1:{self.port}"},
                         "artifacts": {"directory": f"{self.place}/artifacts"},
                         "cloud": {"provider": "none"}}
        self.pools = []

    def doctor(self, prefix=(), **changes):
        """The findings by name, all that was printed, and the exit status; changes are section__key=value."""
        for name, value in changes.items():
            section, key = name.split("__")
            self.sections[section][key] = value
        path = f"{self.place}/drover.toml"
        with open(path, "w") as file:
            for name, members in [*((f"[{name}]", members) for name, members in self.sections.items()),
                                  *(("[[pool]]", pool) for pool in self.pools)]:
                file.write(name + "\n" + "".join(f"{key} = {toml(value)}\n" for key, value in members.items()))
        os.chmod(path, 0o644)
        done = subprocess.run([*prefix, BINARY, "doctor", "--config", path], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE)
        findings, last = {}, None
        for line in done.stdout.splitlines():
            if line.startswith(("ok ", "FAIL ", "unchecked ")):
                last = line[10:23].strip()
                findings[last] = [line.split()[0], line[23:]]
            elif line.startswith(" " * 23):
                findings[last].append(line.strip())
        return findings, done.stdout + done.stderr, done.returncode


def toml(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower() if isinstance(value, (bool, int)) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture
def install(postgres):
    postgres.sql("DROP DATABASE IF EXISTS drover", database="postgres")
    postgres.sql("CREATE DATABASE drover", database="postgres")
    with open_directory() as place:
        yield Install(place, postgres)


def verdicts(findings):
    return {name: finding[0] for name, finding in findings.items() if name != "user"}


def test_a_right_fresh_install_passes_and_nothing_is_changed(install):
    findings, text, status = install.doctor()
    assert status == 0, text
    assert verdicts(findings) == {"config": "ok", "database": "ok", "durability": "ok", "schema": "ok", "artifacts": "ok",
                                  "worker.url": "unchecked", "cloud": "ok"}
    assert "first start" in findings["schema"][1] and "first start" in findings["artifacts"][1]
    assert text.splitlines()[-1] == f"All is well. Next: drover serve --config {install.place}/drover.toml"
    assert not os.path.exists(f"{install.place}/artifacts")
    assert install.postgres.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "0"
    assert ("user" in findings) == (os.geteuid() == 0)


def test_an_older_schema_is_well_and_a_newer_one_is_not(install):
    assert subprocess.run([BINARY, "migrate", "--config", write(install)], check=False).returncode == 0
    assert install.doctor()[0]["schema"][:2] == ["ok", "this version's; no daemon leads"]
    install.postgres.sql("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)")
    assert "1 migrations older" in install.doctor()[0]["schema"][1]
    install.postgres.sql("UPDATE schema_migrations SET sha256 = 'x' WHERE version = 1")
    findings, _, status = install.doctor()
    assert status == 1 and findings["schema"][0] == "FAIL" and "another text" in findings["schema"][1]


def write(install):
    install.doctor()
    return f"{install.place}/drover.toml"


def test_each_way_to_miss_the_database_has_its_own_remedy(install):
    where = install.postgres.directory
    remedies = {}
    for name, conninfo in {"server": "host=/nonexistent dbname=drover", "role": f"host={where} dbname=drover user=nobody-here",
                           "database": f"host={where} dbname=nothing user=drover", "port": f"host={where} port=1 dbname=drover",
                           "host": "postgresql://u:hunter2@nowhere.invalid/db", "at": "postgresql://u:hunter2@x@nowhere.invalid/db",
                           "slash": "postgresql://u:hunter2/x@nowhere.invalid/db", "text": "host=x hunter2"}.items():
        findings, text, status = install.doctor(store__conninfo=conninfo)
        assert status == 1
        assert findings["database"][0] == "FAIL" and len(findings["database"]) == 3, text
        assert verdicts(findings)["artifacts"] == "ok"  # the rest is looked at all the same
        assert "hunter2" not in text
        remedies[name] = findings["database"][2]
    assert "createuser" in remedies["role"] and "createdb" in remedies["database"] and "start PostgreSQL" in remedies["server"]
    assert len(set(remedies.values())) == 6 and remedies["server"] == remedies["port"] and remedies["at"] == remedies["slash"]


def test_what_does_not_outlive_a_crash_is_refused_unless_it_is_allowed(install):
    try:
        install.postgres.sql("ALTER SYSTEM SET full_page_writes = off")
        install.postgres.sql("SELECT pg_reload_conf()")
        findings, text, status = install.doctor()
        assert status == 1 and findings["durability"][0] == "FAIL", text
        assert "set full_page_writes = on" in findings["durability"][2]
        assert install.doctor(store__allow_unsafe=True)[2] == 0
    finally:
        install.postgres.sql("ALTER SYSTEM RESET full_page_writes")
        install.postgres.sql("SELECT pg_reload_conf()")


def test_a_user_who_may_make_no_tables_is_told(install):
    install.postgres.sql("DROP ROLE IF EXISTS guest", database="postgres")
    install.postgres.sql("CREATE ROLE guest LOGIN", database="postgres")
    findings, _, status = install.doctor(store__conninfo=f"host={install.postgres.directory} dbname=drover user=guest")
    assert status == 1 and findings["schema"][0] == "FAIL" and "OWNER" in findings["schema"][2]


def test_each_fault_of_the_artifact_directory_has_its_own_remedy(install):
    directory = f"{install.place}/artifacts"
    seen = []

    def fault(**changes):
        findings, text, status = install.doctor(**changes)
        assert status == 1 and findings["artifacts"][0] == "FAIL", text
        seen.append(findings["artifacts"][2])

    fault(artifacts__directory=f"{install.place}/no/such")
    with open(f"{install.place}/file", "w"):
        pass
    fault(artifacts__directory=f"{install.place}/file")
    install.sections["artifacts"]["directory"] = directory
    os.makedirs(f"{directory}/jobs")
    fault()
    assert subprocess.run([BINARY, "migrate", "--config", f"{install.place}/drover.toml"], check=False).returncode == 0
    with open(f"{directory}/deployment", "w") as file:
        file.write("01234567-0123-4123-8123-0123456789ab\n")
    fault()
    install.postgres.sql("CREATE DATABASE empty", database="postgres")
    with_deployment = install.sections["store"]["conninfo"]
    fault(store__conninfo=with_deployment.replace("dbname=drover", "dbname=empty"))
    install.sections["store"]["conninfo"] = with_deployment
    if os.geteuid() == 0:  # root may write everywhere
        findings, text, status = install.doctor(prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        assert status == 1 and findings["artifacts"][0] == "FAIL" and "user" not in findings, text
        seen.append(findings["artifacts"][2])
    assert len(set(seen)) == len(seen), seen
    with open(f"{directory}/deployment", "w") as file:
        file.write(install.postgres.sql("SELECT id FROM deployment"))
    assert install.doctor()[0]["artifacts"][0] == "ok"
    assert sorted(os.listdir(directory)) == ["deployment", "jobs"]


def test_passwords_in_urls_are_not_printed(install):
    _, text, _ = install.doctor(worker__url="http://user:hunter2@127.0.0.1:1/x")
    assert "user:***@127.0.0.1:1" in text and "hunter2" not in text


def test_a_live_leader_is_not_disturbed():
    with stack() as drover:
        def leader():
            return drover.postgres.sql("SELECT epoch FROM leader"), drover.postgres.sql(
                "SELECT string_agg(pid::text, ',') FROM pg_locks WHERE locktype = 'advisory' AND classid = 1148350307 AND objid = 1")
        def doctor():
            return subprocess.run([BINARY, "doctor", "--config", f"{drover.base}/drover.toml"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=PATIENCE)
        before = leader()
        done = doctor()
        assert "a daemon leads at this moment" in done.stdout, done.stdout
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines()[-1] == "All is well, and a daemon runs. Next: drover status"
        assert leader() == before
        drover.kill_daemon()
        assert "no daemon leads" in doctor().stdout
        assert leader()[0] == before[0]


def test_the_policy_is_printed():
    done = subprocess.run([BINARY, "doctor", "--policy"], capture_output=True, text=True, timeout=PATIENCE)
    with open(os.path.join(os.environ["DROVER_SOURCE"], "config/iam-policy.json")) as file:
        assert (done.returncode, done.stdout) == (0, file.read())


class Ec2(http.server.BaseHTTPRequestHandler):
    """As much of EC2 as dry runs need; .denied are permissions that the caller lacks, .launched what was not a dry run."""

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        action, cloud = form["Action"], self.server
        needed = {f"ec2:{action}"}
        if any(name.startswith("TagSpecification") for name in form):
            needed.add("ec2:CreateTags")
        if any(name.startswith("IamInstanceProfile") for name in form):
            needed.add("iam:PassRole")
        if needed & cloud.denied:
            self.answer(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
        elif form.get("ImageId", POOL["image"]) != POOL["image"]:
            self.answer(400, "InvalidAMIID.NotFound", "The image id does not exist")
        elif form.get("InstanceType") == "c9x.large":
            self.answer(400, "InvalidParameterValue", "Invalid value 'c9x.large' for instance type")
        elif form.get("SubnetId") == "subnet-0b":
            self.answer(400, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0b' does not exist")
        elif form.get("DryRun") == "true":
            self.answer(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        elif action == "DescribeInstances":
            self.reply(200, f"<DescribeInstancesResponse><requestId>r</requestId><reservationSet>{cloud.machines}</reservationSet>"
                            "</DescribeInstancesResponse>")
        else:
            cloud.changed.append(form)
            self.answer(500, "InternalError", "that was no dry run")

    def answer(self, status, code, message):
        self.reply(status, f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
                           "<RequestID>r</RequestID></Response>")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def ec2(install):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ec2)
    server.denied, server.machines, server.changed = set(), "", []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    install.sections["cloud"] = {"region": REGION, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
                                 "endpoint": f"http://127.0.0.1:{server.server_address[1]}"}
    install.pools = [dict(POOL)]
    yield server
    server.shutdown()
    server.server_close()
    assert server.changed == []


def test_what_the_pools_need_is_tried_without_effect(install, ec2):
    findings, text, status = install.doctor()
    assert status == 0, text
    assert findings["credentials"][0] == findings["cloud"][0] == findings["pool default"][0] == "ok"
    assert findings["terminate"][0] == "unchecked"
    ec2.machines = ("<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>i-0a</instanceId><instanceState><code>16"
                    "</code><name>running</name></instanceState></item></instancesSet></item>")
    assert install.doctor()[0]["terminate"][0] == "ok"
    install.pools = []
    findings, text, status = install.doctor()
    assert status == 0 and findings["pools"][0] == "unchecked", text


@pytest.mark.parametrize("denied, finding, said", [
    ({"ec2:RunInstances"}, "pool default", "allow ec2:RunInstances in"), ({"ec2:CreateTags"}, "pool default", "allow ec2:CreateTags in"),
    ({"iam:PassRole"}, "pool default", "allow iam:PassRole in"),
    ({"iam:PassRole", "ec2:CreateTags"}, "pool default", "allow iam:PassRole and ec2:CreateTags in"),
    ({"ec2:DescribeInstances"}, "cloud", "allow ec2:DescribeInstances in"),
], ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else None)
def test_a_missing_permission_is_told_and_the_policy_printed(install, ec2, denied, finding, said):
    ec2.denied = denied
    findings, text, status = install.doctor()
    assert status == 1 and findings[finding][0] == "FAIL" and said in findings[finding][2], text
    assert '"Version": "2012-10-17"' in text and '"iam:PassRole"' in text


@pytest.mark.parametrize("change, said", [({"image": "ami-0b"}, "image"), ({"instance_types": ["c7i.large", "c9x.large"]}, "instance_types"),
                                          ({"subnets": ["subnet-0a", "subnet-0b"]}, "subnets")], ids=lambda value: None)
def test_what_a_pool_has_wrong_is_named(install, ec2, change, said):
    install.pools[0].update(change)
    findings, text, status = install.doctor()
    assert status == 1 and f"correct the pool's {said}" in findings["pool default"][2], text
    assert "2012-10-17" not in text


def test_a_cloud_out_of_reach_and_a_missing_key_have_remedies_of_their_own(install, ec2):
    findings, _, status = install.doctor(cloud__endpoint="http://127.0.0.1:1")
    assert status == 1 and "network" in findings["cloud"][2]
    install.sections["cloud"] = {"region": REGION, "endpoint": "http://127.0.0.1:1", "profile": "none-such"}
    findings, _, status = install.doctor()
    assert status == 1 and findings["credentials"][0] == "FAIL"


def test_the_local_cloud_is_asked_like_ec2(install):
    cloud = Cloud(install.place)
    try:
        install.sections["cloud"] = {"region": REGION, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "endpoint": cloud.endpoint}
        install.pools = [{**POOL, "instance_types": ["local.small"]}]
        findings, text, status = install.doctor()
        assert status == 0 and findings["pool default"][0] == "ok", text
        for denied in (["ec2:CreateTags"], ["iam:PassRole"], ["iam:PassRole", "ec2:CreateTags"], ["ec2:RunInstances"]):
            cloud.control("POST", "/deny", {"actions": denied})
            findings, text, status = install.doctor()
            assert status == 1 and f"allow {' and '.join(denied)} in" in findings["pool default"][2], text
        # Only a pool that gives its volume a size needs its image described.
        cloud.control("POST", "/deny", {"actions": ["ec2:DescribeImages"]})
        findings, text, status = install.doctor()
        assert status == 0, text
        install.pools[0]["disk_gib"] = 30
        findings, text, status = install.doctor()
        assert status == 1 and "allow ec2:DescribeImages in" in findings["pool default"][2], text
        cloud.control("POST", "/deny", {"actions": []})
        findings, text, status = install.doctor()
        assert status == 0, text
        assert cloud.instances() == []
    finally:
        cloud.stop()
