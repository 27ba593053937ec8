#!/bin/bash
# User data of a Drover worker: fetches the worker program from the daemon and becomes it. The daemon may be
# restarting, or may not know this instance yet, so this asks until it is answered.
set -u
DROVER_URL=@DROVER_URL@
DROVER_BOOTSTRAP_TOKEN='@DROVER_BOOTSTRAP_TOKEN@'
DROVER_SLOTS=@DROVER_SLOTS@
export DROVER_URL DROVER_SLOTS

# A machine made for this worker ends with it: it was launched to terminate on shutdown. An instance of the local
# cloud has a metadata address of its own and is no such machine.
if [ -e /run/cloud-init ] && [ -z "${AWS_EC2_METADATA_SERVICE_ENDPOINT:-}" ]; then
  export DROVER_SHUTDOWN=1
fi

program=$(mktemp "${TMPDIR:-/tmp}/drover-worker.XXXXXX") || exit 1
delay=1
# The token goes through pipes: arguments can be read by everyone on the machine, and an environment by every process of
# the same user.
until printf 'header = "Authorization: Bearer %s"\n' "$DROVER_BOOTSTRAP_TOKEN" |
  curl -q -sS -f -K - --connect-timeout 5 --max-time 60 -o "$program" "$DROVER_URL/worker/bootstrap"; do
  sleep "$delay"
  delay=$((delay < 15 ? delay * 2 : 30))
done
export DROVER_BOOTSTRAP_TOKEN_FILE=/dev/fd/3
exec /bin/bash "$program" 3< <(printf '%s\n' "$DROVER_BOOTSTRAP_TOKEN")
