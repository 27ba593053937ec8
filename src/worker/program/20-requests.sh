
# ---- Requests --------------------------------------------------------------------------------------------------------
#
# No request needs room on the disk: the report of an attempt must get through when a job has filled the disk. Tokens,
# bodies and answers go through pipes. (A here-document would be a file to bash before 5.1.)

readonly request=(-s -g --connect-timeout 5 --speed-limit 1 --speed-time 60 -H 'Accept: application/x-sh' -H 'Expect:')
readonly json_body=(-H 'Content-Type: application/json' --data-binary)
readonly raw_body=(-H 'Content-Type: application/octet-stream' --data-binary)

# Tokens are not in arguments, since those can be read by everyone on the machine.
set_auth() { # WORKER-TOKEN [ATTEMPT-TOKEN]
  auth="header = \"Authorization: Bearer $1\""
  if [[ -n ${2:-} ]]; then auth+=$'\n'"header = \"X-Drover-Attempt-Token: $2\""; fi
}

# Called in each process that makes calls, since two processes must not read each other's answers.
open_answers() { exec {answers}<> <(:); }

# call SECONDS CURL-ARGUMENT...: one request (0 seconds: however long it takes, as long as bytes flow), with standard
# input for its body. Sets `text`, the answer's body, and `status`, 000 when there was no whole answer; `answer_type`,
# `retry_after`; `fault` when the request failed on this machine: file, room or machine.
# Before it, and once a second, the function `watch` is asked whether the call is to be given up.
call() {
  local LC_ALL=C limit=$1 body part rc gone=0
  shift
  status=000 answer_type='' text='' retry_after='' fault=''
  if [[ -n $watch ]] && "$watch"; then return; fi
  exec {body}<&0
  curl -q "${request[@]}" -K <(printf '%s\n' "$auth") --max-time "$limit" -D - \
    -w $'\n%{http_code} %{content_type}\001' "$@" <&"$body" >&"$answers" 2>/dev/null &
  curl_pid=$!
  exec {body}<&-
  while :; do
    rc=0
    IFS= read -r -d $'\001' -t 1 -u "$answers" part || rc=$?
    text+=$part
    if ((rc == 0)); then
      if [[ ${text##*$'\n'} =~ ^[0-9]{3}\ [^$'\n']*$ ]]; then break; fi
      text+=$'\001'
    elif ((gone == 1)); then
      break
    elif ! kill -0 "$curl_pid" 2>/dev/null; then
      gone=1
    elif [[ -n $watch ]] && "$watch"; then
      kill "$curl_pid" 2>/dev/null
    fi
  done
  end_call "$rc"
}

# What curl said in its last line, and how it ended.
end_call() { # 0: the last line is there
  local rc=0 last=${text##*$'\n'} head=''
  wait "$curl_pid" 2>/dev/null || rc=$?
  case $rc in
    26 | 37) fault="file" ;; # what is to be sent cannot be read
    23) fault=room ;; # what is received cannot be written
    2 | 27 | 48 | 126 | 127 | 137) fault=machine ;;
  esac
  if (($1 != 0)); then # nothing of this answer may be left for the next call
    exec {answers}>&-
    open_answers
    text=''
    return
  fi
  text=${text%$'\n'*}
  while [[ $text == HTTP/* ]]; do # more than one when a proxy adds its own
    head=${text%%$'\r\n\r\n'*} text=${text#*$'\r\n\r\n'}
  done
  # A refusal counts also when the rest of the body could not be sent.
  if ((rc == 0)) || [[ $last == 4* ]]; then status=${last%% *} answer_type=${last#* }; fi
  if [[ ${head,,} =~ (^|[[:space:]])retry-after:\ *([0-9]{1,4}) ]]; then retry_after=$((10#${BASH_REMATCH[2]})); fi
}

# Only an answer that says that it is a script may be run. A proxy may answer with a page of its own and status 200.
is_script() { [[ $status == 200 && $answer_type == application/x-sh* ]]; }

# Sets `delay`, in seconds: what the answer asks for, else twice the last one.
back_off() {
  delay=$((delay < 1 ? 1 : delay < 8 ? delay * 2 : 15))
  if [[ $status == 503 && -n $retry_after ]]; then delay=$((retry_after < 1 ? 1 : retry_after > 60 ? 60 : retry_after)); fi
}

# What a call on an attempt came to, as persist reads it.
verdict() {
  case $status in
    2*) return 0 ;;
    401 | 404 | 409) return 2 ;;
    408 | 429 | 000 | 5*) if [[ -n $fault ]]; then return 3; else return 1; fi ;;
    *) return 3 ;;
  esac
}
