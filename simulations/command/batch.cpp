// Several processes, never threads: the world is for one. Each child takes the next seed when it is done with one, and writes its
// lines and stories whole, so that they do not mix.
#include "simulations/command/batch.hpp"

#include "schema/assert.hpp"
#include "schema/plants.hpp"
#include "simulations/command/lists.hpp"
#include "simulations/command/report.hpp"
#include "simulations/world/streams.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace pessoa::sim {

namespace {

constexpr uint64_t rerun_every = 50; // 2 % of the seeds run twice
constexpr size_t probes_max = 256;

// What the processes of a batch share.
struct board {
  std::atomic<uint64_t> next{0}; // the seed that nobody has taken yet
  std::atomic<uint64_t> ran{0}, failed{0}, idle{0}, diverged{0};
  std::atomic<uint64_t> virtual_ms{0}, load_ms{0}, steps{0}, batches{0};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reached[probes_max] = {}; // seeds that did, by place in the list
};

void note_probes(const outcome& out, board& shared) {
  size_t place = 0;
  for (auto& [name, about] : probes())
    shared.reached[place++] += out.probes.count(name);
}

// While it lives, memory is handed out in another order of addresses than before: what depends on that order shows.
class other_heap {
public:
  explicit other_heap(uint64_t seed) {
    constexpr size_t made = 20'000, kept = 10'000, bytes_max = 1024;
    seeded_random random{seed};
    for (size_t i = 0; i < made; ++i)
      blocks_.push_back(std::make_unique<char[]>(1 + random.below(bytes_max)));
    // Holes of every size, freed in no order.
    while (blocks_.size() > kept) {
      std::swap(blocks_[random.below(blocks_.size())], blocks_.back());
      blocks_.pop_back();
    }
  }

private:
  std::vector<std::unique_ptr<char[]>> blocks_;
};

void write_whole(int to, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    auto n = ::write(to, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) std::_Exit(141); // the reader has gone
    done += static_cast<size_t>(n);
  }
}

char crash_note[512];

// An assertion, or worse, ends the process: which seed it was must be known then, too.
void on_crash(int number) {
  size_t size = 0;
  while (size < sizeof crash_note && crash_note[size] != 0)
    ++size;
  if (::write(2, crash_note, size) < 0) std::_Exit(3);
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run_one(const batch_options& options, uint64_t seed, board& shared) {
  auto replay = replay_command(options, seed);
  std::snprintf(crash_note, sizeof crash_note, "\nseed %llu ended its process; again: %s\n",
                static_cast<unsigned long long>(seed), replay.c_str());
  auto [out, rerun] = judge_seed(options, seed);
  if (rerun == false) ++shared.diverged;
  note_probes(out, shared);
  // A directory that is driven alone has no clients that would wait: its time says nothing of speed.
  uint64_t runs = scenario_of(options, seed).directories > 0 ? 0 : rerun ? 2 : 1;
  shared.virtual_ms += runs * static_cast<uint64_t>(out.virtual_seconds * 1000);
  shared.steps += runs * out.steps;
  shared.load_ms += runs * static_cast<uint64_t>(out.load_seconds * 1000);
  shared.batches += runs * out.batches;
  ++shared.ran;
  if (out.verdict == verdict::idle) ++shared.idle;
  write_whole(1, json_line(out, rerun) + "\n");
  if (out.verdict == verdict::failed) {
    ++shared.failed;
    write_whole(2, story(out, replay) + "\n");
    if (options.stop_at_first) shared.stop = true;
  }
}

void run_share(const batch_options& options, board& shared) {
  for (auto seed = shared.next++; seed <= options.last && !shared.stop; seed = shared.next++)
    run_one(options, seed, shared);
}

// Of this process and of those that have ended.
double cpu_seconds() {
  double sum = 0;
  for (int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(whose, &used);
    for (auto& time : {used.ru_utime, used.ru_stime})
      sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  return sum;
}

batch_result result_of(const board& shared, double began, bool broken) {
  batch_result out;
  out.ran = shared.ran;
  out.failed = shared.failed;
  out.idle = shared.idle;
  out.diverged = shared.diverged;
  out.virtual_seconds = static_cast<double>(shared.virtual_ms) / 1000;
  out.cpu_seconds = cpu_seconds() - began;
  out.steps = shared.steps;
  out.load_seconds = static_cast<double>(shared.load_ms) / 1000;
  out.batches = shared.batches;
  out.broken = broken;
  size_t place = 0;
  for (auto& [name, about] : probes())
    out.reached[name] = shared.reached[place++];
  return out;
}

} // namespace

const scenario& scenario_of(const batch_options& options, uint64_t seed) {
  if (options.what) return *options.what;
  auto& all = known_scenarios();
  seeded_random random{seed ^ 0x5ca1ab1e};
  return all[random.below(all.size())];
}

judged judge_seed(const batch_options& options, uint64_t seed) {
  auto& what = scenario_of(options, seed);
  judged of{run_seed(what, seed), std::nullopt};
  if (seed % rerun_every == 0) {
    other_heap disturbed{seed};
    of.rerun = run_seed(what, seed).trace == of.out.trace;
  }
  if (of.rerun == false && of.out.verdict != verdict::failed) {
    of.out.verdict = verdict::failed;
    of.out.reason = "same_seed_same_trace";
    of.out.why = "a second run of the seed went another way";
  }
  return of;
}

std::string replay_command(const batch_options& options, uint64_t seed) {
  auto out = "pessoa simulate --seed " + std::to_string(seed);
  if (!options.scenario_argument.empty()) out += " --scenario " + options.scenario_argument;
  if (!options.plant.empty()) out += " --plant " + options.plant;
  return out;
}

batch_result run_batch(const batch_options& options) {
  plants::active() = options.plant;
  PESSOA_ASSERT(probes().size() <= probes_max, probes().size());
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
    std::signal(number, on_crash);
  auto began = cpu_seconds();
  if (options.jobs <= 1 || options.first == options.last) {
    board shared;
    shared.next = options.first;
    run_share(options, shared);
    return result_of(shared, began, false);
  }
  void* memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return result_of({}, began, true);
  auto* shared = new (memory) board;
  shared->next = options.first;
  std::vector<pid_t> children;
  bool broken = false;
  for (uint32_t i = 0; i < options.jobs; ++i) {
    auto pid = ::fork();
    if (pid == 0) {
      run_share(options, *shared);
      std::_Exit(0);
    }
    if (pid < 0)
      broken = true;
    else
      children.push_back(pid);
  }
  for (auto pid : children) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) broken = true;
  }
  return result_of(*shared, began, broken);
}

} // namespace pessoa::sim
