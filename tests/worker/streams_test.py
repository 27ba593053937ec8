"""What a job prints, on its way from the job's pipes to the daemon."""

import os
import subprocess

import pytest


def test_a_job_may_open_its_streams_again_by_their_names(daemon, machine):
    daemon.submit(1, command="""
        echo one; echo two >/dev/stdout; echo three | tee -a /dev/stderr; echo four >>/proc/self/fd/1; echo five
        echo a >&2; sh -c 'echo b >/dev/stderr'; echo c >/proc/self/fd/2; echo d >&2""")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == b"one\ntwo\nthree\nfour\nfive\n"
    assert daemon.log(1, "stderr") == b"three\na\nb\nc\nd\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_a_job_that_gave_up_root_may_too(daemon, machine):
    daemon.submit(1, command="exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "
                             "sh -c 'id -u >/dev/stderr; echo out >/dev/stdout'")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert (daemon.log(1), daemon.log(1, "stderr")) == (b"out\n", b"65534\n")


def stray(text):
    """Shell text that leaves `text` running where no worker without control groups can find it."""
    return f"env -i PATH=\"$PATH\" setsid sh -c '{text}' &"


def test_who_holds_the_pipe_holds_no_job(daemon, machine, tmp_path):
    """Nor one that goes on to write into it: what the job itself wrote is all there."""
    data = os.urandom(40000)
    (tmp_path / "data").write_bytes(data)
    holds = f"echo $$ >{tmp_path}/quiet; exec sleep 600"
    writes = f"echo $$ >{tmp_path}/busy; trap \"\" PIPE; while [ -e {tmp_path}/busy ]; do echo stray; done 2>/dev/null"
    wait = f"until [ -s {tmp_path}/%s ]; do sleep 0.01; done;"
    daemon.submit(1, command=f"{stray(holds)} {wait % 'quiet'} cat {tmp_path}/data; echo last >&2")
    daemon.submit(2, command=f"cat {tmp_path}/data; {stray(writes)} {wait % 'busy'} echo last >&2")
    try:
        machine.start()
        assert daemon.wait_end(1)["outcome"] == "succeeded"
        assert daemon.log(1) == data and daemon.log(1, "stderr") == b"last\n"
        assert daemon.wait_end(2)["outcome"] == "succeeded"
        assert daemon.log(2).startswith(data) and daemon.log(2, "stderr") == b"last\n"
    finally:
        for name in ("quiet", "busy"):
            if (tmp_path / name).exists():
                subprocess.run(["kill", "-KILL", (tmp_path / name).read_text().strip()], check=False)
                (tmp_path / name).unlink()


def test_a_background_child_of_the_job_does_not_hold_it(daemon, machine):
    daemon.submit(1, command="sleep 600 & echo done")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == b"done\n"


def test_a_job_may_close_its_streams(daemon, machine, tmp_path):
    daemon.submit(1, command=f"echo out; exec >&- 2>&-; until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 7")
    machine.start()
    daemon.wait(lambda: daemon.log(1) == b"out\n", what="the log of a running job")
    (tmp_path / "go").touch()
    assert daemon.wait_end(1)["exit_code"] == 7


def missing(count, why):
    return f"\n[drover: {count} bytes are missing here: {why}]\n".encode()


@pytest.mark.parametrize("limit, size", [(100_000, 250_017), (1000, 1001), (1000, 1000), (1, 3), (65_537, 3_000_000)])
def test_of_a_log_above_its_limit_the_middle_is_missing(daemon, machine, tmp_path, limit, size):
    data = os.urandom(size)
    (tmp_path / "data").write_bytes(data)
    daemon.submit(1, command=f"cat {tmp_path}/data; head -c {size} {tmp_path}/data >&2", max_log_bytes=limit)
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    want = data
    if size > limit:
        head, tail = limit // 2, limit - limit // 2
        want = data[:head] + missing(size - limit, f"a log has at most {limit} bytes") + data[size - tail:]
    assert daemon.log(1) == want
    assert daemon.log(1, "stderr") == want


def test_the_first_half_of_a_log_is_shipped_as_it_comes(daemon, machine, tmp_path):
    lines = [f"{i:09}\n".encode() for i in range(300)]
    daemon.submit(1, max_log_bytes=1000, command=f"""
        for i in $(seq 0 299); do printf '%09d\\n' $i; done; until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 3""")
    machine.start()
    daemon.wait(lambda: daemon.log(1) == b"".join(lines[:50]), what="the first half of the log")
    (tmp_path / "go").touch()
    assert daemon.wait_end(1)["exit_code"] == 3
    assert daemon.log(1) == b"".join([*lines[:50], missing(2000, "a log has at most 1000 bytes"), *lines[250:]])


def test_a_job_that_stops_the_readers_of_its_streams_does_not_hold_its_attempt(daemon, machine):
    daemon.submit(1, command="for one in $(pgrep -P $PPID); do [ $one != $$ ] && kill -STOP $one; done; exit 3")
    machine.start()
    assert daemon.wait_end(1)["exit_code"] == 3
