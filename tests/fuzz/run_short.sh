#!/usr/bin/env bash
# One fuzz target for a few seconds on its kept corpus, as a test. The kept corpus is read, never written.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage() {
  cat <<'T'
usage: tests/fuzz/run_short.sh NAME
Runs build/fuzz/tests/fuzz/NAME_fuzz on tests/fuzz/corpus/NAME with a fixed seed, at most PESSOA_FUZZ_SECONDS (5) and
PESSOA_FUZZ_RUNS (200000). Fails on a crash, a leak, a hang, and if the corpus reaches no more of our code than an
empty input does: then the target is blind. Exit 77 (skipped) if the fuzz preset is not built; scripts/test and CI
set PESSOA_FUZZ_REQUIRED or CI, which makes that a failure.
T
}
case "${1:-}" in "") usage >&2; exit 2 ;; --help|-h) usage; exit 0 ;; esac
name=$1 binary=$PWD/build/fuzz/tests/fuzz/$1_fuzz corpus=$PWD/tests/fuzz/corpus/$1
if [ ! -x "$binary" ]; then
  echo "fuzz: ${binary#"$PWD"/} is not built; build it with scripts/build --preset fuzz ${name}_fuzz" >&2
  [ -z "${PESSOA_FUZZ_REQUIRED:-}${CI:-}" ] || exit 1
  exit 77
fi
[ -n "$(ls -A "$corpus" 2>/dev/null || true)" ] || { echo "fuzz: tests/fuzz/corpus/$name holds no seed" >&2; exit 1; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/pessoa-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch"/{found,nothing,artifacts}
export TMPDIR=$scratch
options=(-seed=1 -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=10 -artifact_prefix="$scratch/artifacts/")

# libFuzzer prints "cov: N", the edges of instrumented code that were reached.
coverage() { sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$1" | tail -n 1; }

run() { # LOG ARGUMENTS...
  local log=$1
  shift
  (cd "$scratch" && "$binary" "${options[@]}" "$@") >"$log" 2>&1 && return
  tail -n 60 "$log" >&2
  local artifact
  for artifact in "$scratch"/artifacts/*; do
    [ -f "$artifact" ] || continue
    mkdir -p build/fuzz/artifacts
    cp "$artifact" "build/fuzz/artifacts/$name-$(basename "$artifact")"
    echo "fuzz: replay with build/fuzz/tests/fuzz/${name}_fuzz build/fuzz/artifacts/$name-$(basename "$artifact")" >&2
    echo "fuzz: the input in base64 (at most 4 KiB of it): $(head -c 4096 "$artifact" | base64 -w 0)" >&2
  done
  exit 1
}

run "$scratch/empty.log" -runs=1 "$scratch/nothing"
run "$scratch/short.log" -max_total_time="${PESSOA_FUZZ_SECONDS:-5}" -runs="${PESSOA_FUZZ_RUNS:-200000}" \
  "$scratch/found" "$corpus"
empty=$(coverage "$scratch/empty.log") reached=$(coverage "$scratch/short.log")
grep -E '^Done' "$scratch/short.log"
echo "fuzz: $name: $(ls "$corpus" | wc -l) seeds; edges reached: ${empty:-0} with nothing, ${reached:-0} with the corpus and what it grew"
if [ "${reached:-0}" -le "${empty:-0}" ]; then
  echo "fuzz: $name is blind: its corpus reaches no more of our code than an empty input" >&2
  exit 1
fi
