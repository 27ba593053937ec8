"""Artifacts and checkpoints: what of a job's files is kept, and what is said of the rest."""

import gzip
import io
import os
import subprocess
import tarfile

import pytest

from fake_daemon import PATIENCE, SOURCE, problem
from machine import SHELL, wait_for


def test_files_in_folders_are_artifacts(daemon, machine):
    daemon.submit(1, command="""
        cd "$DROVER_ARTIFACT_DIR"; mkdir -p d/.e 'f g' empty
        echo 1 >d/b.txt; echo 2 >d/.e/ü%2F.txt; echo 3 >'f g/h'; echo 4 >top; ln -s d/b.txt link; ln -s ../top d/link
        ln d/b.txt hard""")
    machine.start()
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "succeeded", "exit_code": 0}
    assert daemon.artifacts == {(1, 1, name): data for name, data in {
        "d/b.txt": b"1\n", "d/.e/ü%2F.txt": b"2\n", "f g/h": b"3\n", "top": b"4\n", "link": b"1\n", "d/link": b"4\n",
        "hard": b"1\n"}.items()}
    assert daemon.log(1, "stderr") == b""


@pytest.mark.parametrize("make, name, why", [
    ("mkfifo fifo", "fifo", "is no file"),
    ("ln -s /dev/zero zero", "zero", "is a link, but to no file"),
    ("ln -s /etc/passwd passwd", "passwd", "is a link to a file outside of the artifact directory"),
    ('ln -s "$TMPDIR/x" x; echo >"$TMPDIR/x"', "x", "is a link, but to no file"),
    ("mkdir d; ln -s nothing d/dangling", "d/dangling", "is a link, but to no file"),
    ("mkdir d; ln -s d e", "e", "is a link, but to no file"),
    ("echo x >" + 250 * "n" + "; mkdir long; ln " + 250 * "n" + " long/" + 252 * "n", "long/" + 251 * "n",
     "has a name of more than 256 bytes"),
])
def test_what_cannot_be_an_artifact_is_said_and_makes_no_success(daemon, machine, make, name, why):
    daemon.submit(1, command=f'cd "$DROVER_ARTIFACT_DIR"; {make}; echo good >good')
    machine.start()
    said = f"artifact {name} {why}"
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "failure", "exit_code": 0, "reason": said}
    assert daemon.log(1, "stderr").decode() == f"[drover: {said}]\n"
    assert daemon.artifacts[1, 1, "good"] == b"good\n"


def test_what_cannot_be_kept_is_added_to_how_the_job_ended(daemon, machine):
    daemon.submit(1, command='mkfifo "$DROVER_ARTIFACT_DIR/a" "$DROVER_ARTIFACT_DIR/b"; echo failing >&2; exit 3')
    machine.start()
    assert daemon.wait_end(1)["reason"] == "exit code 3; artifact a is no file; artifact b is no file"
    assert daemon.log(1, "stderr") == b"failing\n[drover: artifact a is no file]\n[drover: artifact b is no file]\n"


def test_an_attempt_has_at_most_a_thousand_artifacts(daemon, machine):
    daemon.submit(1, command='cd "$DROVER_ARTIFACT_DIR"; touch $(seq 1000 2004)')
    machine.start()
    end = daemon.wait_end(1)
    assert end["reason"] == "there are more than 1000 artifacts: the others are not kept"
    assert sorted(name for _, _, name in daemon.artifacts) == [str(i) for i in range(1000, 2000)]


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_a_stop_and_a_timeout_end_the_uploads_too(daemon, machine, how):
    daemon.stalled.add("a")
    daemon.submit(1, command='touch "$DROVER_ARTIFACT_DIR/a"; echo done', timeout_s=3 if how == "timeout" else 0)
    machine.start()
    daemon.wait(lambda: any("/artifacts/a" in r for r in daemon.requests), what="the upload")
    if how == "stop":
        daemon.stops = ["1/1"]
        assert daemon.wait_end(1) == {"call": "finish", "outcome": "stopped", "exit_code": 0}
    else:
        assert daemon.wait_end(1) == {"call": "finish", "outcome": "failure", "exit_code": 0,
                                      "reason": "timed out after 3 s, while its files were sent"}
    assert daemon.log(1) == b"done\n"


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_a_stop_and_a_timeout_end_many_short_uploads_too(daemon, machine, how):
    """Each of which is over before anybody asks whether it is to go on."""
    daemon.submit(1, command='cd "$DROVER_ARTIFACT_DIR"; touch $(seq 900)', timeout_s=4 if how == "timeout" else 0)
    machine.start()
    if how == "stop":
        daemon.wait(lambda: len(daemon.artifacts) >= 5, what="some uploads")
        daemon.stops = ["1/1"]
        assert daemon.wait_end(1) == {"call": "finish", "outcome": "stopped", "exit_code": 0}
    else:
        assert daemon.wait_end(1)["reason"] == "timed out after 4 s, while its files were sent"
    assert len(daemon.artifacts) < 900


def test_that_the_daemon_is_away_makes_no_timeout_of_an_upload(daemon, machine, tmp_path):
    daemon.submit(1, command=f'echo a >"$DROVER_ARTIFACT_DIR/a"; until [ -e {tmp_path}/go ]; do sleep 0.05; done', timeout_s=3)
    worker = machine.start()
    wait_for(lambda: machine.job(1), what="the job to start")
    daemon.stop()
    (tmp_path / "go").touch()
    wait_for(lambda: list(worker.work.glob("drover-worker.*/intent.*"))
             and worker.work.glob("drover-worker.*/intent.1").__next__().read_text().startswith("timeout"), what="the timeout")
    daemon.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.artifacts[1, 1, "a"] == b"a\n"


def test_a_refusal_before_the_end_of_an_upload_counts(daemon, machine):
    """A server that has refused an upload reads no more of it."""
    daemon.submit(1, command='head -c 30000000 /dev/zero >"$DROVER_ARTIFACT_DIR/big"')
    daemon.hang_up_on = "/artifacts/big"
    machine.start()
    assert daemon.wait_end(1)["reason"] == "artifact big was refused (status 413)"


def archive(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return data.getvalue()


REPORT = 'echo "$DROVER_RESUME $DROVER_CHECKPOINT_LOST $(ls -A "$DROVER_CHECKPOINT_DIR")"'


def test_a_checkpoint_is_laid_out(daemon, machine):
    daemon.checkpoints[1] = archive({"step": b"42"})
    daemon.submit(1, resume=True, checkpoint="/jobs/1/checkpoint", command=REPORT)
    machine.start()
    daemon.wait_end(1)
    assert daemon.log(1) == b"1 0 step\n"
    assert daemon.log(1, "stderr") == b""


@pytest.mark.parametrize("data", [None, b"", b"not an archive", archive({"step": os.urandom(100000)})[:50000],
                                  gzip.compress(os.urandom(5000)), archive({"../step": b"42"})],
                         ids=["gone", "empty", "noise", "cut", "gzip", "outside"])
def test_a_checkpoint_that_cannot_be_laid_out_is_dropped(daemon, machine, data):
    if data is not None:
        daemon.checkpoints[1] = data
    daemon.submit(1, resume=True, checkpoint="/jobs/1/checkpoint", command=REPORT)
    machine.start()
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "succeeded", "exit_code": 0}
    assert daemon.log(1) == b"0 1 \n"
    stderr = daemon.log(1, "stderr").decode()
    assert stderr.startswith("[drover: the checkpoint of an earlier attempt is lost: it cannot be ")
    assert not stderr.rstrip("]\n").endswith(": "), "the reason is said"


def test_a_checkpoint_brings_no_set_user_id_back(daemon, machine):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        member = tarfile.TarInfo("shell")
        member.mode = 0o6755
        tar.addfile(member)
    daemon.checkpoints[1] = data.getvalue()
    daemon.submit(1, resume=True, checkpoint="/jobs/1/checkpoint", command='stat -c %a "$DROVER_CHECKPOINT_DIR/shell"')
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == b"755\n"


def test_a_name_that_ends_amid_a_character_takes_no_other_with_it(daemon, machine):
    """The daemon is to say what it thinks of each."""
    daemon.submit(1, command="""cd "$DROVER_ARTIFACT_DIR"; printf x >$'a\\360'; echo 1 >b; echo 2 >c; echo x >$'z\\351'""")
    machine.start(LANG="C.UTF-8")
    daemon.wait_end(1)
    for name in ("a%F0", "b", "c", "z%E9"):
        assert any(request.startswith("PUT") and request.split("?")[0].endswith(f"/artifacts/{name}") for request in daemon.requests), name


@pytest.mark.parametrize("command", ['echo x >"$DROVER_ARTIFACT_DIR"', 'ln -s /etc/default "$DROVER_ARTIFACT_DIR"'], ids=["file", "link"])
def test_what_takes_the_place_of_the_artifact_directory_is_not_kept(daemon, machine, command):
    daemon.submit(1, command=f'rmdir "$DROVER_ARTIFACT_DIR"; {command}')
    machine.start()
    end = daemon.wait_end(1)
    assert end["outcome"] == "failure" and "the artifact directory was replaced" in end["reason"], end
    assert b"the artifact directory was replaced" in daemon.log(1, "stderr")
    assert not daemon.artifacts


def test_a_checkpoint_directory_that_became_a_link_is_not_followed(daemon, machine, imds):
    daemon.submit(1, command="""rm -rf "$DROVER_CHECKPOINT_DIR"; ln -s /etc/default "$DROVER_CHECKPOINT_DIR"; echo ready
                                trap 'exit 1' TERM; while :; do sleep 0.05; done""")
    machine.start(imds=imds)
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    imds.interrupt(60)
    assert daemon.wait_end(1)["call"] == "release"
    assert not daemon.checkpoints


def test_no_artifact_is_taken_for_the_checkpoint(daemon, machine):
    daemon.submit(1, command='echo x >"$DROVER_ARTIFACT_DIR/checkpoint.tar.gz"; echo y >"$DROVER_ARTIFACT_DIR/checkpoint"')
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert not daemon.checkpoints
    assert daemon.artifacts == {(1, 1, "checkpoint.tar.gz"): b"x\n", (1, 1, "checkpoint"): b"y\n"}


def fake_tar(tmp_path, code):
    """A tar that makes half of an archive, complains and ends with `code`."""
    path = tmp_path / "bin"
    path.mkdir()
    (path / "tar").write_text(f"#!/bin/sh\nhead -c 300000 /dev/zero; echo 'tar: ./x: it hurts' >&2; exit {code}\n")
    (path / "tar").chmod(0o755)
    return f"{path}:{os.environ['PATH']}"


@pytest.mark.parametrize("code", [1, 2])
def test_of_a_checkpoint_that_is_not_whole_the_older_one_stays(daemon, machine, tmp_path, code):
    """With 1 tar says that a file changed while it was read: that one counts."""
    daemon.submit(1, command='echo 1 >"$DROVER_CHECKPOINT_DIR/x"; echo ready; exec sleep 600')
    machine.start(PATH=fake_tar(tmp_path, code))
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    daemon.checkpoints[1] = b"older"
    daemon.stops = ["1/1"]
    end = daemon.wait_end(1)
    assert end["outcome"] == "stopped"
    if code == 1:
        assert daemon.checkpoints[1] == bytes(300000)
    else:
        assert daemon.checkpoints[1] == b"older"
        assert end["reason"] == "the checkpoint was not kept: tar: ./x: it hurts"
        assert b"[drover: the checkpoint was not kept: tar: ./x: it hurts]" in daemon.log(1, "stderr")


def test_a_refused_checkpoint_is_said(daemon, machine):
    daemon.submit(1, command='echo 1 >"$DROVER_CHECKPOINT_DIR/x"; echo ready; exec sleep 600')
    machine.start()
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    daemon.fault("/checkpoint$", problem(413))
    daemon.stops = ["1/1"]
    assert daemon.wait_end(1)["reason"] == "the checkpoint was not kept: it was refused (status 413)"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_a_job_closed_to_writing_is_removed_by_a_worker_that_is_not_root():
    basics = (SOURCE / "src/worker/program/15-basics.sh").read_text()
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SHELL, "-c", basics + """
        cd "$(mktemp -d)" && mkdir -p kept/closed && touch kept/closed/file && chmod 500 kept/closed kept && ln -s /etc kept.link
        remove kept kept.link
        ls -A; rmdir "$PWD"; """], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
