#include "node/kafka_metrics.hpp"

namespace pessoa::node {

metric_handles kafka_service_metrics(metrics_registry& registry, const kafka::counters& counted) {
  auto count = [&](const char* name, const char* help, const std::atomic<uint64_t>& value,
                   metric_labels labels = {}) {
    return registry.counter_callback(name, help, labels,
                                     [&value] { return static_cast<double>(value.load()); });
  };
  constexpr auto bytes = "pessoa_kafka_record_bytes_total";
  constexpr auto bytes_help =
      "Record bytes of Kafka clients: in place, or moved in memory. None is encoded again.";
  metric_handles out;
  out.push_back(count("pessoa_kafka_requests_refused_total", "Requests for which the connection was closed.",
                      counted.refused));
  out.push_back(count(bytes, bytes_help, counted.produced_bytes_in_place, {{"api", "produce"}, {"how", "in place"}}));
  out.push_back(count(bytes, bytes_help, counted.produced_bytes_moved, {{"api", "produce"}, {"how", "moved"}}));
  out.push_back(count(bytes, bytes_help, counted.fetched_bytes_in_place, {{"api", "fetch"}, {"how", "in place"}}));
  out.push_back(count(bytes, bytes_help, counted.fetched_bytes_moved, {{"api", "fetch"}, {"how", "moved"}}));
  return out;
}

} // namespace pessoa::node
