#!/bin/bash
# User data of a Drover worker: fetches the worker program from the daemon and becomes it. The daemon may be
# restarting, or not know of this instance yet, so this asks until it is answered.
set -u
DROVER_URL=@DROVER_URL@
DROVER_BOOTSTRAP_TOKEN='@DROVER_BOOTSTRAP_TOKEN@'
DROVER_SLOTS=@DROVER_SLOTS@
export DROVER_URL DROVER_BOOTSTRAP_TOKEN DROVER_SLOTS
