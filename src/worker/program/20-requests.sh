
# ---- Requests --------------------------------------------------------------------------------------------------------

# Tokens are in the file $auth, since arguments can be read by everyone on the machine.
write_auth() { # FILE WORKER-TOKEN [ATTEMPT-TOKEN]
  printf 'header = "Authorization: Bearer %s"\n' "$2" >"$1"
  if [[ -n ${3:-} ]]; then printf 'header = "X-Drover-Attempt-Token: %s"\n' "$3" >>"$1"; fi
}

readonly request=(-s -g --connect-timeout 5 --speed-limit 1 --speed-time 60 -H 'Accept: application/x-sh' -H 'Expect:')
readonly json_body=(-H 'Content-Type: application/json' --data-binary)
readonly raw_body=(-H 'Content-Type: application/octet-stream' --data-binary)

# call SECONDS ANSWER CURL-ARGUMENT...: one request (0 seconds: however long it takes, as long as bytes flow). The body
# goes to the file ANSWER; sets `status`, 000 when there was no whole answer, and `answer_type`.
call() {
  local limit=$1 answer=$2 info
  shift 2
  : >"$answer"
  : >"$answer.head"
  if info=$(curl -q "${request[@]}" -K "$auth" --max-time "$limit" -D "$answer.head" -o "$answer" \
    -w '%{http_code} %{content_type}' "$@" 2>/dev/null); then
    status=${info%% *} answer_type=${info#* }
  else
    status=000 answer_type=''
  fi
}

# Only an answer that says it is one may be sourced: a proxy's page with status 200 is not.
is_script() { [[ $status == 200 && $answer_type == application/x-sh* ]]; }

# Sets `delay`, in seconds: what the answer asks for, else doubled from time to time.
back_off() { # ANSWER
  local line
  delay=$((delay < 1 ? 1 : delay < 8 ? delay * 2 : 15))
  [[ $status == 503 ]] || return 0
  while IFS= read -r line; do
    if [[ ${line,,} =~ ^retry-after:\ *([0-9]{1,4}) ]]; then delay=$((10#${BASH_REMATCH[1]})); fi
  done <"$1.head"
  delay=$((delay < 1 ? 1 : delay > 60 ? 60 : delay))
}

# What a call on an attempt came to, as persist reads it.
verdict() {
  case $status in
    2*) return 0 ;;
    401 | 404 | 409) return 2 ;;
    408 | 429 | 000 | 5*) return 1 ;;
    *) return 3 ;;
  esac
}
