#include "bench/hops.hpp"

#include "bench/probe_ring.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace pessoa::bench {

namespace {

// Where one part ends and the next begins, with what lies before it.
constexpr std::array parts = {
    "client: the call, until its loop is woken",
    "client: handover to its loop",
    "client: batch, message",
    "wire: socket, and the node's network thread awake",
    "node: read, checks, copy, given to the actor",
    "handover: network thread to actor",
    "actor: offset, stamps, given to the commit service",
    "handover: actor to commit thread",
    "commit: round, free space, frame header",
    "commit: write into the page cache",
    "commit: between write and sync",
    "sync: fdatasync of the segment",
    "commit: durable end, given to the actor",
    "handover: commit thread to actor",
    "actor: high watermark, answer",
    "handover: actor to network thread",
    "node: answer encoded",
    "wire: socket, and the client's loop awake",
    "client: read",
    "rest: answer decoded, future fulfilled, caller awake",
};

std::vector<probe_event> load(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto* at = mmap(nullptr, sizeof(probe_ring), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  auto* ring = static_cast<const probe_ring*>(at);
  auto count = ring->next.load();
  std::vector<probe_event> events{ring->events, ring->events + std::min(count, probe_ring::capacity)};
  munmap(at, sizeof(probe_ring));
  if (count > probe_ring::capacity)
    throw std::runtime_error("more moments than room for them: fewer records");
  std::sort(events.begin(), events.end(), [](auto& a, auto& b) { return a.at_ns < b.at_ns; });
  return events;
}

using event_test = std::function<bool(const probe_event&)>;

// The moments of one trip.
class window {
public:
  window(const probe_event* begin, const probe_event* end) : begin_(begin), end_(end) {}

  const probe_event* first(int64_t from, const event_test& is) const {
    for (auto* e = begin_; e != end_; ++e)
      if (e->at_ns >= from && is(*e)) return e;
    return nullptr;
  }
  const probe_event* last(int64_t from, int64_t to, const event_test& is) const {
    for (auto* e = end_; e != begin_;)
      if (--e; e->at_ns >= from && e->at_ns <= to && is(*e)) return e;
    return nullptr;
  }

private:
  const probe_event *begin_, *end_;
};

event_test in(uint16_t process, moment what) {
  return [=](const probe_event& e) { return e.process == process && e.what == what; };
}
event_test by(int32_t thread, moment what) {
  return [=](const probe_event& e) { return e.thread == thread && e.what == what; };
}

// The ends of all parts; nullopt if the trip did not go the expected way. A wake-up that was not needed, because the thread was
// awake, leaves a part of length 0.
std::optional<std::array<int64_t, parts.size()>> ends_of(const window& w, const trip& t, int32_t caller) {
  // What is always there, found from the sync outwards: at the begin, client and node may still be busy with the end of the
  // trip before.
  auto* sync = w.first(t.begin_ns, in(probed_node, moment::sync));
  auto* synced = sync ? w.first(sync->at_ns, by(sync->thread, moment::synced)) : nullptr;
  auto* written = synced ? w.last(t.begin_ns, sync->at_ns, by(sync->thread, moment::file_written)) : nullptr;
  auto* write = written ? w.last(t.begin_ns, written->at_ns, by(sync->thread, moment::file_write)) : nullptr;
  auto* read = write ? w.last(t.begin_ns, write->at_ns, in(probed_node, moment::socket_read)) : nullptr;
  auto* sent = read ? w.last(t.begin_ns, read->at_ns, in(probed_client, moment::socket_write)) : nullptr;
  auto* answer = sent ? w.first(synced->at_ns, by(read->thread, moment::socket_write)) : nullptr;
  auto* heard = answer ? w.first(answer->at_ns, by(sent->thread, moment::socket_read)) : nullptr;
  if (heard == nullptr) return std::nullopt;

  auto network = read->thread, commit = sync->thread;
  auto other_in_node = [&](moment what) -> event_test {
    return [=](const probe_event& e) {
      return e.process == probed_node && e.what == what && e.thread != network && e.thread != commit;
    };
  };
  std::array<int64_t, parts.size()> ends{};
  size_t at = 0;
  int64_t reached = t.begin_ns;
  auto add = [&](const probe_event* e) {
    if (e != nullptr) reached = std::max(reached, e->at_ns);
    ends[at++] = reached;
  };
  add(w.last(t.begin_ns, sent->at_ns, by(caller, moment::loop_wake)));
  add(w.last(t.begin_ns, sent->at_ns, by(sent->thread, moment::poll_end)));
  add(sent);
  add(w.last(sent->at_ns, read->at_ns, by(network, moment::poll_end)));
  add(w.first(read->at_ns, by(network, moment::thread_wake)));
  auto* posted = w.last(read->at_ns, write->at_ns, other_in_node(moment::thread_wake));
  add(posted ? w.last(read->at_ns, posted->at_ns, by(posted->thread, moment::thread_woken)) : nullptr);
  add(posted);
  add(w.last(read->at_ns, write->at_ns, by(commit, moment::thread_woken)));
  add(write);
  add(written);
  add(sync);
  add(synced);
  add(w.first(synced->at_ns, by(commit, moment::thread_wake)));
  auto* answered = w.last(synced->at_ns, answer->at_ns, other_in_node(moment::loop_wake));
  add(answered ? w.last(synced->at_ns, answered->at_ns, by(answered->thread, moment::thread_woken))
               : nullptr);
  add(answered);
  add(w.last(synced->at_ns, answer->at_ns, by(network, moment::poll_end)));
  add(answer);
  add(w.last(answer->at_ns, heard->at_ns, by(sent->thread, moment::poll_end)));
  add(heard);
  ends[at] = t.end_ns;
  bool in_order = at + 1 == parts.size() && reached <= t.end_ns;
  return in_order ? std::optional{ends} : std::nullopt;
}

} // namespace

void make_probe_file(const std::string& path) {
  int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
  if (fd < 0 || ftruncate(fd, sizeof(probe_ring)) != 0) throw std::runtime_error("cannot make " + path);
  close(fd);
}

hop_table take_apart(const std::string& probe_file, std::vector<trip> trips, int32_t caller) {
  auto events = load(probe_file);
  auto length = [](const trip& t) { return t.end_ns - t.begin_ns; };
  std::sort(trips.begin(), trips.end(), [&](auto& a, auto& b) { return length(a) < length(b); });
  auto first_at = [&](int64_t at) {
    return std::lower_bound(events.data(), events.data() + events.size(), at,
                            [](const probe_event& e, int64_t at) { return e.at_ns < at; });
  };
  hop_table out;
  for (auto* name : parts)
    out.hops.push_back({name, 0});
  for (size_t i = trips.size() * 4 / 10; i < trips.size() * 6 / 10; ++i) {
    auto& t = trips[i];
    auto ends = ends_of({first_at(t.begin_ns), first_at(t.end_ns)}, t, caller);
    if (!ends) {
      ++out.incomplete;
      continue;
    }
    ++out.counted;
    out.trip_micros += static_cast<double>(length(t)) / 1e3;
    auto from = t.begin_ns;
    for (size_t p = 0; p < parts.size(); ++p) {
      out.hops[p].micros += static_cast<double>((*ends)[p] - from) / 1e3;
      from = (*ends)[p];
    }
  }
  if (out.counted == 0) throw std::runtime_error("no trip could be taken apart");
  auto count = static_cast<double>(out.counted);
  out.trip_micros /= count;
  for (auto& h : out.hops)
    h.micros /= count;
  return out;
}

} // namespace pessoa::bench
