#include "simulations/command/find_plants.hpp"

#include "schema/plants.hpp"
#include "simulations/command/lists.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <new>

namespace pessoa::sim {

namespace {

// A seed takes a second or two. One that takes this long works without end inside one step, where no checker looks.
constexpr unsigned seed_seconds_max = 300;
constexpr size_t plants_max = 512;

// What the process that tries a plant leaves behind, also when it dies.
struct note {
  std::atomic<uint64_t> seed{0}; // begun
  std::atomic<uint64_t> tried{0};
  std::atomic<bool> failed{false}, ok_without{false};
  char checker[64] = {};
};
struct board {
  std::atomic<size_t> next{0};
  note notes[plants_max];
};

// In a process of its own; whether that came to its end.
bool in_child(const std::function<void()>& work) {
  auto pid = ::fork();
  if (pid == 0) {
    work();
    std::_Exit(0);
  }
  if (pid < 0) return false;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void keep(note& into, const std::string& checker) {
  std::strncpy(into.checker, checker.c_str(), sizeof into.checker - 1);
  into.failed = true;
}

void try_seeds(const batch_options& options, const std::string& plant, uint64_t from, note& into) {
  plants::active() = plant;
  for (auto seed = from; seed <= options.last; ++seed) {
    into.seed = seed;
    ::alarm(seed_seconds_max);
    auto out = judge_seed(options, seed);
    ++into.tried;
    if (out.out.verdict == verdict::failed) return keep(into, out.out.reason);
  }
}

void search(const batch_options& options, const std::string& plant, note& into) {
  for (auto from = options.first; from <= options.last; from = into.seed + 1) {
    into.failed = false;
    if (!in_child([&] { try_seeds(options, plant, from, into); })) keep(into, "process_lives");
    if (!into.failed) return;
    in_child([&] {
      plants::active().clear();
      ::alarm(seed_seconds_max);
      into.ok_without = judge_seed(options, into.seed).out.verdict != verdict::failed;
    });
    if (into.ok_without) return; // else the seed says nothing of the plant
  }
}

std::vector<std::string> wanted(const batch_options& options) {
  std::vector<std::string> all;
  for (auto& [name, about] : planted_bugs())
    if (options.plant.empty() || options.plant == name) all.push_back(name);
  return all;
}

} // namespace

std::vector<plant_search> find_plants(const batch_options& options) {
  auto names = wanted(options);
  std::vector<plant_search> out;
  void* memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || names.size() > plants_max) return out;
  auto* shared = new (memory) board;
  auto take_turns = [&] {
    for (auto i = (shared->next)++; i < names.size(); i = (shared->next)++) {
      auto& into = shared->notes[i];
      search(options, names[i], into);
      auto line = into.failed ? fmt::format("{}: seed {}, {}{}\n", names[i], into.seed.load(), into.checker,
                                            into.ok_without ? "" : ", which fails without it, too")
                              : fmt::format("{}: not found\n", names[i]);
      std::fputs(line.c_str(), stderr);
    }
  };
  std::vector<pid_t> workers;
  for (uint32_t i = 0; i < options.jobs; ++i) {
    auto pid = ::fork();
    if (pid == 0) {
      take_turns();
      std::_Exit(0);
    }
    if (pid > 0) workers.push_back(pid);
  }
  for (auto pid : workers)
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  for (size_t i = 0; i < names.size(); ++i) {
    auto& of = shared->notes[i];
    plant_search one{names[i], std::nullopt, of.checker, of.ok_without, of.tried};
    if (of.failed) one.seed = of.seed;
    out.push_back(std::move(one));
  }
  ::munmap(memory, sizeof(board));
  return out;
}

std::string to_markdown(const std::vector<plant_search>& found) {
  std::string out = "| Plant | First seed | Checker | Without it |\n|---|---:|---|---|\n";
  for (auto& one : found)
    out += one.seed ? fmt::format("| {} | {} | {} | {} |\n", one.plant, *one.seed, one.checker,
                                  one.ok_without ? "ok" : "fails, too")
                    : fmt::format("| {} | not in {} | | |\n", one.plant, one.tried);
  return out;
}

} // namespace pessoa::sim
