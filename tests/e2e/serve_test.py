"""The daemon as a process: signals, the service manager's socket, its configuration, without any database."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import BINARY, PATIENCE, call, free_port, try_call


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="drover-serve-") as directory:
        yield directory


def write_config(place, port, extra=""):
    path = os.path.join(place, "drover.toml")
    with open(path, "w") as file:
        file.write(f'[server]\nlisten = "127.0.0.1:{port}"\n[store]\nconninfo = "host={place} dbname=none password=hunter2"\n'
                   f'[worker]\nurl = "http://127.0.0.1:{port}"\n[artifacts]\ndirectory = "{place}/artifacts"\n'
                   f'[cloud]\nprovider = "none"\n{extra}')
    return path


def drover(*arguments):
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


def test_status_names_the_port_that_the_system_chose(place):
    daemon = subprocess.Popen([BINARY, "serve", "--config", write_config(place, 0)], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in daemon.stderr if " serves http://127.0.0.1:" in line)
        port = int(line.strip().rsplit(":", 1)[1].rstrip('"}'))
        assert call(port, "GET", "/status").json["master"]["port"] == port
    finally:
        daemon.kill()
        daemon.wait()


def test_the_service_manager_is_told(place):
    port = free_port()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{place}/notify")
    manager.settimeout(30)
    environment = {**os.environ, "NOTIFY_SOCKET": f"{place}/notify", "WATCHDOG_USEC": "400000"}
    daemon = subprocess.Popen([BINARY, "serve", "--config", write_config(place, port)], env=environment,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        seen = []
        while seen.count("WATCHDOG=1") < 3:
            seen.append(manager.recv(4096).decode())
            if seen[-1] == "READY=1":
                # Ready means that it answers, although the database is away.
                assert call(port, "GET", "/healthz").status == 200
                refused = call(port, "POST", "/jobs", {"task": {"command": "true"}})
                assert refused.status == 503 and "retry-after" in refused.headers
        assert seen[0] == "READY=1"
        assert any(message.startswith("STATUS=standing by") for message in seen)
        daemon.send_signal(signal.SIGTERM)
        daemon.send_signal(signal.SIGINT)  # a second signal does no harm
        while seen[-1] != "STOPPING=1":
            seen.append(manager.recv(4096).decode())
        assert daemon.wait(timeout=PATIENCE) == 0
        log = daemon.stderr.read()
        assert f"http://127.0.0.1:{port}" in log
        assert "hunter2" not in log
    finally:
        daemon.kill()
        daemon.wait()
        manager.close()


def test_the_unit_is_one_that_systemd_takes(place):
    with open(os.path.join(os.environ["DROVER_SOURCE"], "packaging/drover.service")) as file:
        text = file.read()
    binary = shutil.copy(BINARY, f"{place}/drover")  # a path that is surely absolute, and a program
    for name, value in {"CMAKE_INSTALL_FULL_BINDIR": os.path.dirname(binary), "DROVER_CONFIG": "/etc/drover/drover.toml",
                        "CMAKE_INSTALL_FULL_DOCDIR": "/usr/share/doc/drover"}.items():
        text = text.replace(f"@{name}@", value)
    with open(f"{place}/drover.service", "w") as file:
        file.write(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"{place}/drover.service"], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in text and "\nRestart=always\n" in text


def test_a_port_in_use_ends_it_with_a_reason(place):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = drover("serve", "--config", write_config(place, holder.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr


def test_a_bad_configuration_is_named_by_line(place):
    path = write_config(place, 1, "regoin = 1\n")
    done = drover("serve", "--config", path)
    assert done.returncode == 1
    assert f"{path}:11: unknown setting cloud.regoin" in done.stderr and "region" in done.stderr
    assert try_call(1, "GET", "/healthz") is None


def test_migrate_without_a_database_fails_plainly(place):
    done = drover("migrate", "--config", write_config(place, free_port()))
    assert done.returncode == 1
    assert done.stderr.startswith("drover: cannot connect to PostgreSQL")


def test_version_and_mistakes():
    assert drover("version").stdout.startswith("drover ")
    assert drover("fly").returncode == 2
    assert drover("serve", "--config", "/nonexistent.toml").returncode == 1
