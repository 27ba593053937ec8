"""How the job's own process ended: the functions of the worker that start it and wait for it, alone and many times."""

import concurrent.futures
import subprocess

from fake_daemon import PATIENCE, SOURCE
from machine import SHELL

PROGRAM = SOURCE / "src/worker/program"

# A runner, as of one attempt, for each job; what it says of the end is a line.
RUNNER = f"""
    . {PROGRAM}/15-basics.sh
    . {PROGRAM}/45-processes.sh
    cgroups='' base=/nowhere job_umask=022 job_args=() job_env=() checkpoint_lost=0
    run() {{
      local code signal='' pid born table out_hold err_hold
      trap 'told_to_end=1' TERM INT HUP
      exec {{out_hold}}>/dev/null {{err_hold}}>/dev/null
      start_job
      await_job
      echo "$code $signal"
    }}
    while read -r job_command; do
      run &
      wait "$!" || echo "the runner ended with $?"
    done"""

ENDS = {
    "kill -9 $$": "137 9",
    "exit 137": "137 ",
    "sleep 0.05; kill -TERM $$": "143 15",
    "sleep 0.02; exit 143": "143 ",
    "sleep 0.02; exit 3": "3 ",
    "(sleep 0.01; kill -9 $$) & sleep 9": "137 9",
    "(until grep -q '^State:.T' /proc/$$/status; do sleep 0.01; done; kill -TERM $$; kill -CONT $$) & kill -STOP $$": "143 15",
    "true": "0 ",
}
ROUNDS, RUNNERS = 20, 8


def test_no_end_is_taken_for_another_and_no_runner_crashes(tmp_path):
    def run(number):
        place = tmp_path / str(number)
        (place / "work").mkdir(parents=True)
        for stream in ("stdout.pipe", "stderr.pipe"):
            (place / stream).touch()
        done = subprocess.run([SHELL, "-c", f"dir={place}\n{RUNNER}"], input="".join(f"{job}\n" for job in ENDS) * ROUNDS,
                              capture_output=True, text=True, timeout=PATIENCE)
        return list(zip(list(ENDS) * ROUNDS, done.stdout.splitlines(), strict=True)), done.stderr

    with concurrent.futures.ThreadPoolExecutor(RUNNERS) as pool:
        alone = 0
        for ends, said in pool.map(run, range(RUNNERS)):
            odd = [(job, end) for job, end in ends if end != ENDS[job]]
            # An end in the very instant in which `wait` begins leaves the code alone.
            alone += (bare := sum(1 for job, end in odd if end == ENDS[job].split(" ", maxsplit=1)[0] + " "))
            assert len(odd) == bare, (odd, said)
        assert alone <= RUNNERS * ROUNDS * len(ENDS) // 100
