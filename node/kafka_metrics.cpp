#include "node/kafka_metrics.hpp"

namespace pessoa::node {

<<<<<<< HEAD
metric_handles kafka_service_metrics(metrics_registry& registry, const kafka::counters& counted) {
  auto counter = [&](const char* name, const char* about, const std::atomic<uint64_t>& value) {
    return registry.counter_callback(std::string{"pessoa_kafka_"} + name, about, {},
                                     [&value] { return static_cast<double>(value.load()); });
  };
  metric_handles out;
  out.push_back(counter("requests_refused_total", "Requests that ended their connection.", counted.refused));
  out.push_back(counter("produced_bytes_in_place_total", "Batches handed to the log where the request lay.",
                        counted.produced_bytes_in_place));
  out.push_back(counter("produced_bytes_moved_total", "Batches copied on their way to the log.",
                        counted.produced_bytes_moved));
  out.push_back(counter("fetched_bytes_in_place_total", "Batches sent from where the log was read to.",
                        counted.fetched_bytes_in_place));
  out.push_back(counter("fetched_bytes_moved_total", "Batches copied into an answer: too small for a piece of their own.",
                        counted.fetched_bytes_moved));
  return out;
=======
metric_handles kafka_metrics(metrics_registry& registry, const kafka::counters& counted) {
  auto count = [&](const char* name, const char* help, const std::atomic<uint64_t>& value,
                   metric_labels labels = {}) {
    return registry.counter_callback(name, help, labels,
                                     [&value] { return static_cast<double>(value.load()); });
  };
  constexpr auto bytes = "pessoa_kafka_record_bytes_total";
  constexpr auto bytes_help =
      "Record bytes of Kafka clients: in place, or moved in memory. None is encoded again.";
  return {
      count("pessoa_kafka_requests_total", "Requests of Kafka clients.", counted.requests),
      count("pessoa_kafka_refused_total", "Requests for which the connection was closed.", counted.refused),
      count(bytes, bytes_help, counted.produced_bytes_in_place, {{"api", "produce"}, {"how", "in place"}}),
      count(bytes, bytes_help, counted.produced_bytes_moved, {{"api", "produce"}, {"how", "moved"}}),
      count(bytes, bytes_help, counted.fetched_bytes_in_place, {{"api", "fetch"}, {"how", "in place"}}),
      count(bytes, bytes_help, counted.fetched_bytes_moved, {{"api", "fetch"}, {"how", "moved"}}),
  };
>>>>>>> khandle
}

} // namespace pessoa::node
