#!/usr/bin/env bash
# How long does somebody wait who changed one file? From the touch to the result of all tests of its folder, in the dev tree.
# The compiler cache is told to forget: a real change has not been compiled before.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
  cat <<'T'
usage: bench/touch_to_test.sh [--preset P] [--rounds N]
Brings build/P (dev) up to date, then touches one file of protocol/ and one of actors/ in turn, N times (3), and prints the
seconds until the tests of that folder have passed: building, running, together. The last line has the medians. Exit
status 1 when a test fails or a median is above what is allowed.
T
}
preset=dev rounds=3
while [ $# -gt 0 ]; do
  case "$1" in
    --help|-h) usage; exit 0 ;;
    --preset) preset=${2:?}; shift 2 ;;
    --rounds) rounds=${2:?}; shift 2 ;;
    *) usage >&2; exit 2 ;;
  esac
done
case "$rounds" in ''|*[!0-9]*|0) usage >&2; exit 2 ;; esac

protocol_file=protocol/partition/partition_leader.cpp protocol_allowed=10
actors_file=actors/partition/partition_state.cpp actors_allowed=25

now_ms() { date +%s%3N; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); } # of milliseconds

[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" --target test_protocol test_actors -- --quiet

measure() { # FOLDER FILE: adds the seconds to the array FOLDER_times
  local folder=$1 file=$2 began built all
  touch "$file"
  began=$(now_ms)
  CCACHE_RECACHE=1 cmake --build "build/$preset" --target "test_$folder" -- --quiet
  built=$(($(now_ms) - began))
  "build/$preset/tests/$folder/test_$folder" >"build/$preset/touch_to_test.log" 2>&1 || {
    echo "touch_to_test: the tests of $folder/ fail; see build/$preset/touch_to_test.log" >&2
    exit 1
  }
  all=$(($(now_ms) - began))
  printf 'round %d  %-38s built after %s s, tests passed after %s s\n' "$round" "$file" \
    "$(seconds "$built")" "$(seconds "$all")" >&2
  declare -n times=${folder}_times
  times+=("$all")
}

protocol_times=() actors_times=()
for round in $(seq "$rounds"); do
  measure protocol "$protocol_file"
  measure actors "$actors_file"
done
p=$(median "${protocol_times[@]}") a=$(median "${actors_times[@]}")
echo "protocol/ $(seconds "$p") s (allowed $protocol_allowed), actors/ $(seconds "$a") s (allowed $actors_allowed)"
((p < protocol_allowed * 1000 && a < actors_allowed * 1000))
