"""What a job can see and touch of the worker and of other jobs."""

import os
import pathlib
import shutil
import tempfile

import pytest

from fake_daemon import BOOTSTRAP_TOKEN, SOURCE, WORKER_TOKEN, worker_program
from machine import wait_for

# Everything that the caller may read: environments, arguments and files below a directory, the user data left out.
LOOK = """
    cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'
    find {0} -type f ! -name token ! -name user-data ! -name std* -exec cat {{}} + 2>/dev/null
    find {0} -type d 2>/dev/null"""


def check_no_tokens(daemon, number=1):
    text = daemon.log(number)
    for token in (BOOTSTRAP_TOKEN, WORKER_TOKEN, daemon.attempts[number, 1]["token"]):
        assert token.encode() not in text
    return text.decode(errors="replace")


def test_the_tokens_are_in_no_file_and_no_environment(daemon, machine, tmp_path):
    """Not even for a job of the same user."""
    daemon.submit(1, command=LOOK.format(tmp_path))
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert "drover-worker." in check_no_tokens(daemon)


def test_user_data_hands_the_token_on_in_no_environment(daemon, machine, tmp_path):
    daemon.program = worker_program().encode()
    text = (SOURCE / "src/worker/bootstrap.sh").read_text()
    for name, value in (("URL", f"'{daemon.url}'"), ("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN), ("SLOTS", "1")):
        text = text.replace(f"@DROVER_{name}@", value)
    (tmp_path / "user-data").write_text(text)
    daemon.submit(1, command=LOOK.format(tmp_path))
    machine.start(program=tmp_path / "user-data", DROVER_BOOTSTRAP_TOKEN_FILE="/nowhere")
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    check_no_tokens(daemon)


def test_the_token_of_older_user_data_leaves_the_environment(daemon, machine, tmp_path):
    daemon.submit(1, command=LOOK.format(tmp_path))
    worker = machine.start(token="wrong", DROVER_BOOTSTRAP_TOKEN=BOOTSTRAP_TOKEN)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    check_no_tokens(daemon)
    assert worker.poll() is None, "it is the same process"


# The line that docs/worker-protocol.md shows.
AS_NOBODY = ('chown -R nobody . "$TMPDIR" "$DROVER_ARTIFACT_DIR" "$DROVER_CHECKPOINT_DIR" && '
             'exec setpriv --reuid=nobody --regid=nogroup --clear-groups -- ')


@pytest.fixture
def public():
    """A directory that every user can come to."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="drover-public-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_a_job_that_gave_up_root_has_its_directories_and_finds_no_tokens(daemon, imds, machine, public):
    assert AS_NOBODY in " ".join((SOURCE / "docs/worker-protocol.md").read_text().split())
    (public / "look").write_text(LOOK.format(public))
    (public / "program").write_text("""
        id -un; echo >work; echo >"$TMPDIR/tmp"; echo result >"$DROVER_ARTIFACT_DIR/result"; echo err >/dev/stderr
        echo step >"$DROVER_CHECKPOINT_DIR/step"; sh %s/look; echo ready
        trap 'cat "$DROVER_DEADLINE_FILE"; exit 1' TERM; while :; do sleep 0.1; done""" % public)
    daemon.submit(1, command=f"{AS_NOBODY} sh {public}/program")
    machine.start(imds=imds, DROVER_WORKER_DIR=str(public))
    daemon.wait(lambda: daemon.log(1).endswith(b"ready\n"), "the job to have looked around")
    assert check_no_tokens(daemon).startswith("nobody\n")
    daemon.wait(lambda: daemon.log(1, "stderr") == b"err\n", what="its standard error")
    imds.interrupt(60)
    assert daemon.wait_end(1)["call"] == "release"
    assert daemon.checkpoints[1] and daemon.log(1).endswith(b"Z\n")


def test_a_job_that_empties_its_tmpdir_harms_nobody(daemon, machine, tmp_path):
    daemon.submit(1, command=f"""
        echo neighbour >"$TMPDIR/file"; until [ -e {tmp_path}/go ]; do sleep 0.05; done; cat "$TMPDIR/file" """)
    daemon.submit(2, command='[ -d "$TMPDIR" ] && [ -z "$(ls -A "$TMPDIR")" ] && rm -rf "$TMPDIR"/* "$TMPDIR"')
    daemon.submit(3, command='echo "$TMPDIR"', env=["TMPDIR=/elsewhere"])
    worker = machine.start(slots=2)
    assert daemon.wait_end(2)["outcome"] == "succeeded"
    assert daemon.wait_end(3)["outcome"] == "succeeded"
    (tmp_path / "go").touch()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == b"neighbour\n" and daemon.log(3) == b"/elsewhere\n"
    assert worker.poll() is None
    wait_for(lambda: not list(worker.work.glob("drover-worker.*/*-1")), what="the jobs' files to be removed")
