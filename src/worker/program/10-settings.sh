#!/bin/bash
# drover-worker: runs a Drover daemon's jobs on this machine. Needs bash >= 4.2, curl, tar, grep, coreutils and util-linux.
#
# One main loop owns the slots and reads events from a FIFO. Whatever may take time runs beside it: a claim (a long
# poll), a heartbeat, the shipping of logs and a look for an interruption notice, at most one of each; and for every
# attempt a runner, which lays out the checkpoint, starts the job in a session of its own, waits for it, ships what is
# left and reports. Nothing polls on the way from a job's end to the next claim. What the main loop wants of an attempt
# it writes into a file, $base/intent.SLOT, and then signals the job. After that the attempt lasts until all processes of
# the job have ended, or their time is over; without it, until the job's own process has.
#
# Environment: DROVER_URL, DROVER_BOOTSTRAP_TOKEN_FILE (a file of mode 0600, or a descriptor, /dev/fd/N, that has the
# token); optional DROVER_SLOTS (1), DROVER_INSTANCE_ID (where there is no metadata service), DROVER_WORKER_DIR (where its
# files go), DROVER_STOP_GRACE_S (10; between TERM and KILL), DROVER_ON_EXIT (a command run at the end), DROVER_SHUTDOWN
# (1: the machine is shut down at the end).
# shellcheck disable=SC2317  # functions reached by name (start_task, persist) or from a sourced answer
set -u

readonly version=2
readonly claim_wait_s=20
readonly chunk_bytes=1048576
readonly log_interval=200      # hundredths of a second, as every time below
readonly notice_default_s=30   # when a notice's instant makes no sense by this machine's clock
readonly full_interval=500 full_tries=12 # between looks for room on the disk, and how many in vain end an idle worker
readonly upload_grace=6000      # for the files of a job that was stopped or timed out
readonly stopped_notice_s=20   # what is left after SIGTERM to this program

# User data rendered by an older daemon puts the token into the environment, where every process of the same user could
# read it for as long as this one lives. So this program starts again without it.
if [[ -n ${DROVER_BOOTSTRAP_TOKEN:-} ]]; then
  bootstrap_token=$DROVER_BOOTSTRAP_TOKEN
  unset DROVER_BOOTSTRAP_TOKEN
  export DROVER_BOOTSTRAP_TOKEN_FILE=/dev/fd/3
  exec "$BASH" "$0" 3< <(printf '%s\n' "$bootstrap_token")
fi

url=${DROVER_URL:?is not set} token_file=${DROVER_BOOTSTRAP_TOKEN_FILE:?is not set}
read -r bootstrap_token <"$token_file" || exit 1
if [[ $token_file =~ ^/dev/fd/([0-9]+)$ ]]; then eval "exec ${BASH_REMATCH[1]}<&-"; fi
slots=${DROVER_SLOTS:-1} stop_grace=$((${DROVER_STOP_GRACE_S:-10} * 100))
on_exit=${DROVER_ON_EXIT:-} shut_down=${DROVER_SHUTDOWN:-0} instance_id=${DROVER_INSTANCE_ID:-}
work_dir=${DROVER_WORKER_DIR:-${TMPDIR:-/var/tmp}}
imds_url=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
url=${url%/} imds_url=${imds_url%/}
# Jobs inherit this environment, but not what is the worker's alone.
unset "${!DROVER_@}"
export HOME=${HOME:-/root}
job_umask=$(umask)
umask 077

# The variables that the daemon's answers assign. They assign no others.
worker_id='' worker_token='' worker_pool='' worker_slots=1 worker_heartbeat_interval_s=5 worker_notice_poll_s=5
claim_jobs=0 claim_drain=0 heartbeat_drain=0 heartbeat_interval_s=5 heartbeat_stop=()
job_number='' job_id='' job_attempt='' job_token='' job_queue='' job_command='' job_args=() job_env=() job_timeout_s=0
# shellcheck disable=SC2034  # part of the answer
job_name=''
job_resume=0 job_checkpoint='' job_max_log_bytes=268435456

# The slots; an empty slot_job is a free one.
slot_job=() slot_attempt=() slot_token=() slot_runner=() slot_pid=() slot_born=() slot_dir=() slot_intent=()
slot_timeout_s=() slot_timeout_at=() slot_kill_at=()
# The tasks beside the main loop: process id while one runs, and when the next is due.
declare -A task_pid=([claim]='' [beat]='' [ship]='' [notice]='')
# The pipe through which a task's answer comes. It is empty again once the event that tells of the answer has been
# handled.
declare -A task_pipe=([claim]='' [beat]='')
declare -A task_due=([claim]=0 [beat]=0 [ship]=0 [notice]=0)
cgroups='' own_group=0 register_nonce='' claim_nonce='' claim_delay=0 claim_started=0 draining=0 full=0 terminated=0
unknown=0 has_imds=0 going=0 notice='' notice_time='' notice_told=0 deadline=0
now=0 status=000 answer_type='' text='' retry_after='' fault='' watch='' auth='' curl_pid='' imds_auth='' delay=0
