// What the node counts, and its text for Prometheus (exposition format 0.0.4).
//
// A series is a name and fixed labels. Whoever registers one gets a handle and keeps it: the series is there
// as long as the handle, so that a topic's counters go with the topic. Counting is one relaxed atomic
// addition. Values that something else keeps already are read by callback when somebody asks; dropping the
// handle of a callback waits for one that is running, so that it may point at what goes next.
//
// Names are full names (pessoa_requests_total), in base units (seconds, bytes); wrong ones are mistakes of
// ours. Thread-safe. Callbacks must be quick and must not touch the registry.
#pragma once

#include "schema/seams/clock.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace pessoa::node {

class metric_counter {
public:
  void add(uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  alignas(64) std::atomic<uint64_t> value_{0}; // hot counters do not share a cache line
};

// Counts by size, in buckets that double: of 1 us to 67 s for times, of 64 B to 64 MiB for sizes.
class metric_histogram {
public:
  enum class unit { seconds, bytes };
  static constexpr size_t doublings_max = 27;

  explicit metric_histogram(unit u) : unit_(u) {}
  void observe(duration d) {
    record(d.count() < 0 ? 0 : static_cast<uint64_t>(d.count()));
  }                                                     // requires unit::seconds
  void observe_bytes(uint64_t bytes) { record(bytes); } // requires unit::bytes

  struct snapshot {
    std::vector<std::pair<double, uint64_t>>
        cumulative;     // upper bound in base units, how many were not above it
    uint64_t count = 0; // all, also above the last bound
    double sum = 0;
  };
  [[nodiscard]] snapshot now() const;

private:
  [[nodiscard]] uint64_t first_bound() const { return unit_ == unit::seconds ? 1000 : 64; } // ns, bytes
  [[nodiscard]] size_t doublings() const { return unit_ == unit::seconds ? doublings_max : 21; }
  void record(uint64_t value);

  const unit unit_;
  std::array<std::atomic<uint64_t>, doublings_max + 1> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

struct metric_label {
  std::string name, value;
};
using metric_labels = std::vector<metric_label>;
using metric_handle = std::shared_ptr<void>;

class metrics_registry {
public:
  // The same name and labels while a handle is alive give the same counter or histogram.
  [[nodiscard]] std::shared_ptr<metric_counter> counter(const std::string& name, const std::string& help,
                                                        const metric_labels& labels = {});
  [[nodiscard]] std::shared_ptr<metric_histogram> histogram(const std::string& name, const std::string& help,
                                                            metric_histogram::unit unit,
                                                            const metric_labels& labels = {});
  [[nodiscard]] metric_handle counter_callback(const std::string& name, const std::string& help,
                                               const metric_labels& labels, std::function<double()> read);
  [[nodiscard]] metric_handle gauge(const std::string& name, const std::string& help,
                                    const metric_labels& labels, std::function<double()> read);

  [[nodiscard]] metric_handle histogram_callback(const std::string& name, const std::string& help,
                                                 const metric_labels& labels,
                                                 std::function<metric_histogram::snapshot()> read);

  // Families by name, series by labels.
  [[nodiscard]] std::string exposition() const;
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

private:
  struct series {
    std::weak_ptr<metric_counter> counter;
    std::weak_ptr<metric_histogram> histogram;
    std::weak_ptr<void> callback_alive;
    std::function<double()> read;
    std::function<metric_histogram::snapshot()> read_histogram;
    [[nodiscard]] bool alive() const;
  };
  struct family {
    std::string help;
    const char* type;
    std::map<std::string, series> by_labels; // the text between the braces
  };
  struct table {
    mutable std::mutex mutex;
    std::map<std::string, family> families;
  };
  series& place(const std::string& name, const std::string& help, const char* type,
                const std::string& labels);
  metric_handle callback(const std::string& name, const std::string& help, const char* type,
                         const metric_labels& labels, series made);

  std::shared_ptr<table> table_ = std::make_shared<table>(); // handles may outlive the registry
};

} // namespace pessoa::node
