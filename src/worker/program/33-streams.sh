
# ---- What a job prints: taken from its pipes by a process for each of the two ----------------------------------------
#
# That process never stops reading: a job whose pipe is full would stand still. The first half of what a log may have
# goes to the file $dir/STREAM, which is shipped as it grows; of what follows the last half is kept in pieces,
# $dir/STREAM.1 and so on. What finds no room on the disk is counted.

readonly read_bytes=65536 reads_at_once=64 piece_bytes=4194304

# Pipes for the job that begins, and their readers. `out_hold` and `err_hold` keep them open until the job has them.
open_streams() {
  # Of this mode, so that a job that gave up root can open its streams again (/dev/stderr).
  { mkfifo -m 622 "$dir/stdout.pipe" "$dir/stderr.pipe" && : >"$dir/stdout" && : >"$dir/stderr"; } 2>/dev/null || return
  exec {out_hold}<>"$dir/stdout.pipe" {err_hold}<>"$dir/stderr.pipe"
  exec {out_report}< <(keep_stream stdout)
  exec {err_report}< <(keep_stream stderr)
  read -r out_reader <&"$out_report" && read -r err_reader <&"$err_report"
}

# The job has ended, and what it left running: sets out_rest and err_rest, lines that say what follows the first half. A
# process that still holds a pipe, out of this program's reach, must not hold up the attempt.
close_streams() {
  out_rest=() err_rest=()
  read_rest out_rest "$out_report" "$out_reader"
  read_rest err_rest "$err_report" "$err_reader"
}

read_rest() { # ARRAY DESCRIPTOR READER
  local line part='' rc patience=0.2 gone=0 tries=0
  while :; do
    rc=0
    read_line "$2" "$patience" || rc=$?
    if ((rc > 128 && gone == 0)); then
      patience=1
      kill -s USR1 "$out_reader" "$err_reader" 2>/dev/null
      # A job of the same user may have stopped the reader, which must not hold up the attempt.
      if ((tries++ == 20)); then kill -s KILL "$3" 2>/dev/null; fi
      if ! kill -0 "$3" 2>/dev/null; then gone=1; fi
    elif ((rc != 0)); then # the reader was killed
      eval "$1+=('missing some 2')"
      return
    elif [[ $line == end ]]; then
      return
    else
      eval "$1+=(\"\$line\")"
    fi
  done
}

# The reader of one stream. It says its process id, and in the end what follows the first half: "missing BYTES WHY" (0:
# they were too many, 1: there was no room) and "piece NUMBER SKIP BYTES".
keep_stream() { # STREAM
  local file=$dir/$1 pipe counts reader='' ended=0 cut=0 drained=0
  local bytes=0 reads=0 size=0 kept=0 later=0 lost=0
  trap '' TERM INT HUP # every process gets these when the machine shuts down, and the job may still print
  trap cut_pipe USR1
  exec {pipe}<"$file.pipe" {counts}<> <(:)
  exec {out_hold}>&- {err_hold}>&- {events}>&-
  echo "$BASHPID"
  keep_first_half $((job_max_log_bytes / 2))
  keep_last_half $((job_max_log_bytes - job_max_log_bytes / 2))
  echo end
}

keep_first_half() { # BYTES
  local left=$1
  while ((ended == 0 && left > 0 && lost == 0)); do
    bytes=$((left / reads_at_once < 1 ? 1 : left / reads_at_once < read_bytes ? left / reads_at_once : read_bytes))
    reads=$((left / bytes < reads_at_once ? left / bytes : reads_at_once))
    take "$file" "$file.1"
    left=$((left - kept)) size=$((size + kept))
  done
}

# In pieces. Before each is what is missing there, because it was too much or because it found no room.
keep_last_half() { # BYTES
  local first=1 last=1 whole=$later skip=0 piece
  local piece_kept=([1]=$later) piece_lost=([1]=$lost) piece_over=([1]=0)
  bytes=$read_bytes reads=$reads_at_once
  while ((ended == 0)); do
    size=${piece_kept[last]}
    take "$file.$last" "$file.$((last + 1))"
    whole=$((whole + kept + later)) piece_kept[last]=$((size + kept))
    if ((lost > 0 || piece_kept[last] >= piece_bytes)); then
      piece_kept[++last]=$later piece_lost[last]=$lost piece_over[last]=0
    fi
    while ((first < last && whole - piece_kept[first] >= $1)); do
      whole=$((whole - piece_kept[first]))
      piece_over[first + 1]=$((piece_over[first + 1] + piece_over[first] + piece_kept[first]))
      piece_lost[first + 1]=$((piece_lost[first + 1] + piece_lost[first]))
      rm -f "$file.$first"
      ((++first))
    done
  done
  if ((whole > $1)); then skip=$((whole - $1)); fi
  for ((piece = first; piece <= last; piece++)); do
    tell $((piece_lost[piece] + piece_over[piece] + skip)) $((piece_lost[piece] > 0)) $((piece_kept[piece] - skip))
    skip=0
  done
}

tell() { # MISSING WHY KEPT
  if (($1 > 0)); then echo "missing $1 $2"; fi
  if (($3 > 0)); then echo "piece $piece $skip $3"; fi
}

# Adds to FILE, which has `size` bytes, what comes: `reads` times at most `bytes`. Sets `kept`, the bytes that found room
# there, `lost`, those that found none, `later`, those that found room after that, in NEXT; and `ended` when no more
# will come.
take() { # FILE NEXT
  local line='' part='' until records=0 taken=0 draining=$cut how=()
  if ((draining == 1)); then how=(if=/dev/stdin iflag=nonblock); fi
  LC_ALL=C dd bs="$bytes" count="$reads" ${how[@]+"${how[@]}"} <&"$pipe" 2>&"$counts" \
    > >(write_down "$1" "$2" 2>/dev/null && echo written >&"$counts") &
  reader=$!
  while kill -0 "$reader" 2>/dev/null; do wait "$reader" 2>/dev/null; done
  until=$((SECONDS + 60))
  while [[ $line != written ]] && ((SECONDS < until)); do
    if ! read_line "$counts" 5; then
      line=''
    elif [[ $line =~ ^([0-9]+)\+([0-9]+)\ records\ in ]]; then
      records=$((BASH_REMATCH[1] + BASH_REMATCH[2]))
    elif [[ $line =~ ^([0-9]+)\ byte ]]; then
      taken=${BASH_REMATCH[1]}
    fi
  done
  kept=$(stat -c %s "$1" 2>/dev/null) || kept=$size
  later=0
  if [[ -e $2 ]]; then later=$(stat -c %s "$2" 2>/dev/null) || later=0; fi
  kept=$((kept - size)) drained=$((drained + draining * taken))
  lost=$((taken - kept - later < 0 ? 0 : taken - kept - later)) # one that was cut off may not have said what it took
  # Fewer reads than were asked for: the pipe is closed or, when it is drained, empty.
  if ((records < reads && cut == draining || drained >= 16 * read_bytes)); then ended=1; fi
}

# Each dd that finds no room loses what it has in hand, and the next one tries again.
write_down() { # FILE NEXT
  local next
  if dd bs="$read_bytes" >>"$1"; then return 0; fi
  exec {next}>>"$2" || exec {next}>/dev/null
  until dd bs="$read_bytes" >&"$next"; do :; done
}

# Another process holds the pipe of a job that has ended: what is in the pipe is taken, and no more. The dd is ended
# while it waits with nothing in hand; if the other process goes on writing, after as much as the pipe can have held.
# Told by USR1, it first says what it read.
cut_pipe() {
  local tries=0 idle=0 state before
  if ((cut == 1)) && ! kill -0 "$reader" 2>/dev/null; then return; fi
  cut=1
  before=$(bytes_here)
  while ((tries++ < 100)) && read -r state 2>/dev/null </proc/"$reader"/stat; do
    if [[ $state != "$reader (dd) S"* ]] || read -r -t 0 -u "$pipe"; then
      idle=0
    elif ((++idle == 2)); then
      kill -s USR1 "$reader" 2>/dev/null
    elif ((idle == 3)); then
      break
    fi
    if ((tries > 8 && $(bytes_here) - before > 16 * read_bytes)); then break; fi
    sleep 0.05
  done
  kill -s KILL "$reader" 2>/dev/null
}

bytes_here() {
  local sum=0 one
  while read -r one; do sum=$((sum + one)); done < <(stat -c %s "$file" "$file".* 2>/dev/null)
  echo "$sum"
}
