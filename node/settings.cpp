#include "node/settings.hpp"

#include "kafka/codec/advertised.hpp"
#include "node/settings_values.hpp"
#include "schema/topic_config.hpp"

#include <fstream>
#include <iterator>

namespace pessoa::node {

namespace {

// A row of the table and how its text becomes a value.
struct row {
  setting_info info;
  result<void> (*apply)(node_settings&, std::string_view);
};

template <auto Member>
result<void> set_text(node_settings& s, std::string_view text) {
  s.*Member = std::string{text};
  return {};
}
template <auto Member>
result<void> set_switch(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.*Member, parse_switch(text));
  return {};
}
template <auto Member>
result<void> set_endpoint(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.*Member, parse_endpoint(text));
  return {};
}
template <auto Member>
result<void> set_optional_endpoint(node_settings& s, std::string_view text) {
  if (text == "off") {
    s.*Member = std::nullopt;
    return {};
  }
  PESSOA_TRY(s.*Member, parse_endpoint(text));
  return {};
}
template <auto Member, uint64_t Min, uint64_t Max>
result<void> set_bytes(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.*Member, parse_bytes(text, Min, Max));
  return {};
}
template <auto Member, uint32_t Min, uint32_t Max>
result<void> set_count(node_settings& s, std::string_view text) {
  PESSOA_TRY(auto value, parse_count(text, Min, Max));
  s.*Member = static_cast<uint32_t>(value);
  return {};
}

template <auto Member, int64_t MinMs, int64_t MaxMs>
result<void> set_duration(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.*Member,
             parse_duration(text, std::chrono::milliseconds{MinMs}, std::chrono::milliseconds{MaxMs}));
  return {};
}
constexpr int64_t second_ms = 1000, minute_ms = 60 * second_ms, day_ms = 24 * 60 * minute_ms;

result<void> set_data(node_settings& s, std::string_view text) {
  if (text.empty()) return error{ec::invalid_argument, "an empty path"};
  s.data = std::string{text};
  return {};
}
result<void> set_host(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.host, parse_host(text));
  return {};
}
result<void> set_advertise(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.advertise, parse_host(text));
  return {};
}
result<void> set_kafka_api_max(node_settings& s, std::string_view text) {
  PESSOA_CHECK(kafka::advertised_apis::limited(text));
  s.kafka_api_max = std::string{text};
  return {};
}
result<void> set_join(node_settings& s, std::string_view text) {
  PESSOA_TRY(s.join, parse_endpoints(text));
  return {};
}
result<void> set_log_level(node_settings& s, std::string_view text) {
  for (auto level : {"error", "warning", "info", "debug"}) {
    if (text == level) {
      s.log_level = level;
      return {};
    }
  }
  return error{ec::invalid_argument, "not one of error, warning, info, debug"};
}

using s = node_settings;

const std::vector<row>& rows() {
  static const std::vector<row> table = {
      {{"data", "path", "", "",
        "The data directory: created with --new or --join, opened as it is otherwise."},
       set_data},
      {{"new", "switch", "", "off", "Begin a cluster if the directory is empty."}, set_switch<&s::begin_new>},
      {{"join", "host:port list", "", "",
        "Enter the cluster of one of these nodes if the directory is empty."},
       set_join},
      {{"host", "host", "", "127.0.0.1", "Where all listeners listen that say nothing else."}, set_host},
      {{"advertise", "host", "", "", "What others are told; by default the address that the caller reached."},
       set_advertise},
      {{"listen", "host:port", "", "127.0.0.1:18880", "The listener for clients."}, set_endpoint<&s::listen>},
      {{"peer-listen", "host:port", "", "127.0.0.1:18881", "The listener for other nodes."},
       set_endpoint<&s::peer_listen>},
      {{"kafka-listen", "host:port", "or off", "127.0.0.1:9092", "The listener for Kafka clients."},
       set_optional_endpoint<&s::kafka_listen>},
      {{"kafka-api-max", "api=version list", "or api=off", "",
        "Highest versions that Kafka clients are told, for those that stumble over newer ones: "
        "Fetch=11,Produce=7."},
       set_kafka_api_max},
      {{"http-listen", "host:port", "or off", "127.0.0.1:18882", "The listener for health and metrics."},
       set_optional_endpoint<&s::http_listen>},
      {{"rack", "text", "", "", "Where the node stands; replicas of a partition are spread over racks."},
       set_text<&s::rack>},
      {{"log-level", "word", "error, warning, info, debug", "info", "How much is logged to stderr."},
       set_log_level},
      {{"auto-create", "switch", "", "off", "Whether a topic comes into being when it is first written to.",
        "off", "on"},
       set_switch<&s::auto_create>},
      {{"default-partitions", "count", "1 to 10000", "1",
        "Partitions of a topic that is created without a number.", "1", "7"},
       set_count<&s::default_partitions, 1, 10'000>},
      {{"memory-budget", "bytes", "32MiB to 1TiB", "256MiB",
        "Bytes in flight before the node stops reading from clients.", "32MiB", "4GiB"},
       set_bytes<&s::memory_budget_bytes, 32ull << 20, 1ull << 40>},
      {{"disk-reserve", "bytes", "0 to 1TiB", "256MiB", "Free space below which writes are refused.", "0",
        "1GiB"},
       set_bytes<&s::disk_reserve_bytes, 0, 1ull << 40>},
      // What these three mean by default depends on the machine: simulated nodes draw other values.
      {{"workers", "count", "0 to 256", "0", "Threads that run actors; 0 is one per core.", "1", "8"},
       set_count<&s::workers, 0, 256>},
      {{"network-threads", "count", "0 to 64", "0", "Threads that serve connections; 0 is one per two cores.",
        "1", "4"},
       set_count<&s::network_threads, 0, 64>},
      {{"io-threads", "count", "1 to 64", "4", "Threads that may block on the disk.", "1", "16"},
       set_count<&s::io_threads, 1, 64>},
      // -- connections ---
      {{"connections-max", "count", "8 to 1000000", "10000",
        "Connections of one listener; who comes above that is turned away.", "24", "1000000"},
       set_count<&s::connections_max, 8, 1'000'000>},
      {{"connections-per-address-max", "count", "1 to 1000000", "2000", "The same, from one address.", "8",
        "1000000"},
       set_count<&s::connections_per_address_max, 1, 1'000'000>},
      {{"slow-reader-deadline", "duration", "100ms to 1d", "30s",
        "A peer that does not take its answers for so long is cut.", "2s", "1h"},
       set_duration<&s::slow_reader_deadline, 100, day_ms>},
      {{"idle-deadline", "duration", "1s to 365d", "10m",
        "A Kafka connection on which nothing is asked for so long is closed.", "1s", "1d"},
       set_duration<&s::idle_deadline, second_ms, 365 * day_ms>},
      // -- partitions ---
      {{"partition-queue-max", "bytes", "1KiB to 16GiB", "64MiB",
        "Bytes of one partition that may wait for the disk before more are refused.", "1KiB", "1GiB"},
       set_bytes<&s::partition_queue_bytes_max, 1 << 10, 16ull << 30>},
      {{"parked-fetches-max", "count", "1 to 1000000", "10000",
        "Fetches that may wait for new records of one partition; one more is answered at once.", "1",
        "1000000"},
       set_count<&s::parked_fetches_max, 1, 1'000'000>},
      // -- logs ---
      {{"upkeep-interval", "duration", "10ms to 1d", "30s",
        "How often retention runs, idle files are closed and free space is looked at.", "200ms", "60s"},
       set_duration<&s::upkeep_interval, 10, day_ms>},
      {{"opens-in-parallel", "count", "1 to 1000", "8", "Logs that are recovered side by side at a start.",
        "1", "100"},
       set_count<&s::opens_in_parallel, 1, 1000>},
      {{"journal-from-logs", "count", "1 to 1000000", "4",
        "Logs written to at once from which on one journal is synced in the place of each log's files.", "1",
        "1000000"},
       set_count<&s::journal_from_logs, 1, 1'000'000>},
      {{"journal-max", "bytes", "16KiB to 1TiB", "256MiB",
        "Journal beyond which it waits for its logs to be synced, so that it can be cut.", "16KiB", "16GiB"},
       set_bytes<&s::journal_bytes_max, 16ull << 10, 1ull << 40>},
      {{"index-interval", "bytes", "512 to 1GiB", "64KiB",
        "Bytes of a log from one entry of its index to the next.", "512", "1GiB"},
       set_bytes<&s::index_interval_bytes, 512, 1ull << 30>},
      {{"producer-snapshot-interval", "bytes", "1KiB to 1GiB", "64KiB",
        "Bytes of a log that a start may have to read to know its idempotent producers.", "1KiB", "1GiB"},
       set_bytes<&s::producer_snapshot_bytes, 1 << 10, 1ull << 30>},
      {{"producers-max", "count", "8 to 1000000", "10000",
        "Idempotent producers that a partition remembers; the longest idle one makes room.", "8", "1000000"},
       set_count<&s::producers_max, 8, 1'000'000>},
      // Shorter than a client repeats, it would forget what it must still know.
      {{"producer-expiry", "duration", "3m to 3650d", "1d",
        "An idempotent producer that has been idle for so long is forgotten.", "3m", "3650d"},
       set_duration<&s::producer_expiry, 3 * minute_ms, 3650 * day_ms>},
  };
  return table;
}

const row* find(std::string_view name) {
  for (auto& r : rows())
    if (r.info.name == name) return &r;
  return nullptr;
}

std::string near(std::string_view word) {
  std::vector<std::string_view> names;
  for (auto& r : rows())
    names.push_back(r.info.name);
  return nearest(word, names);
}

error unknown_key(std::string_view source, std::string_view key) {
  auto guess = near(key);
  return {ec::invalid_argument,
          std::string{source} + ": unknown setting " + pessoa::quoted(key)
              + (guess.empty() ? "; 'pessoa start --help' lists them all" : "; did you mean " + guess + "?")};
}

// Variables of the command line and of `dev run`, which a node may see and need not know.
bool belongs_to_others(std::string_view name) {
  for (auto known : {"PESSOA_BOOTSTRAP", "PESSOA_PROFILE", "PESSOA_HTTP", "PESSOA_CONFIG", "PESSOA_OUTPUT"})
    if (name == known) return true;
  return false;
}

result<void> apply(loaded_settings& loaded, const row& r, std::string_view value, const std::string& source) {
  if (auto done = r.apply(loaded.settings, value); !done) {
    std::string range = r.info.range.empty() ? std::string{} : " " + std::string{r.info.range};
    return error{ec::invalid_argument, source + " " + pessoa::quoted(value) + ": " + done.error().message
                                           + " (expected: " + std::string{r.info.type}
                                           + (range.empty() ? "" : "," + range) + ")"};
  }
  loaded.origin[std::string{r.info.name}] = source;
  return {};
}

result<void> apply_environment(loaded_settings& loaded,
                               const std::map<std::string, std::string>& environment) {
  constexpr std::string_view prefix = "PESSOA_";
  for (auto& variable : environment) {
    auto& name = variable.first;
    if (!name.starts_with(prefix) || belongs_to_others(name)) continue;
    std::string key = name.substr(prefix.size());
    for (auto& c : key)
      c = c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (auto* r = find(key); r != nullptr && environment_name(key) == name) {
      PESSOA_CHECK(apply(loaded, *r, variable.second, name));
      continue;
    }
    // Short names resemble something by chance; only a likely slip of the fingers stops the node.
    auto guess = key.size() >= 5 ? near(key) : std::string{};
    if (!guess.empty())
      return error{ec::invalid_argument, "environment: unknown setting " + pessoa::quoted(name)
                                             + "; did you mean " + environment_name(guess) + "?"};
    loaded.warnings.push_back("the environment variable " + pessoa::quoted(name)
                              + " is no setting of a node; ignored");
  }
  return {};
}

result<void> apply_file(loaded_settings& loaded, const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in)
    return error{ec::invalid_argument, "cannot read the configuration file " + pessoa::quoted(path, 300)};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  PESSOA_TRY(auto entries, parse_settings_file(text, path));
  for (auto& entry : entries) {
    auto* r = find(entry.first);
    if (r == nullptr) return unknown_key(path, entry.first);
    PESSOA_CHECK(apply(loaded, *r, entry.second, path + ": " + entry.first));
  }
  return {};
}

} // namespace

const std::vector<setting_info>& setting_table() {
  static const std::vector<setting_info> table = [] {
    std::vector<setting_info> out;
    for (auto& r : rows())
      out.push_back(r.info);
    return out;
  }();
  return table;
}

std::string environment_name(std::string_view setting) {
  std::string name = "PESSOA_";
  for (char c : setting)
    name.push_back(c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
  return name;
}

result<loaded_settings> load_settings(const settings_sources& sources) {
  loaded_settings loaded;
  for (auto& r : rows())
    loaded.origin[std::string{r.info.name}] = "default";
  // The weakest first, so that each next one replaces what it says.
  std::optional<std::string> file = sources.config_file;
  if (auto found = sources.environment.find("PESSOA_CONFIG"); !file && found != sources.environment.end())
    file = found->second;
  if (file) PESSOA_CHECK(apply_file(loaded, *file));
  PESSOA_CHECK(apply_environment(loaded, sources.environment));
  for (auto& flag : sources.flags) {
    auto* r = find(flag.first);
    if (r == nullptr) return unknown_key("flags", flag.first);
    PESSOA_CHECK(apply(loaded, *r, flag.second, "--" + flag.first));
  }
  auto& out = loaded.settings;
  auto by_default = [&](const char* name) { return loaded.origin[name] == "default"; };
  if (by_default("listen")) out.listen.host = out.host;
  if (by_default("peer-listen")) out.peer_listen.host = out.host;
  if (by_default("kafka-listen")) out.kafka_listen->host = out.host;
  if (by_default("http-listen")) out.http_listen->host = out.host;
  // Who asks for a listener by name and gets none must hear it; the default is there for the release that has it.
  if (!by_default("peer-listen"))
    loaded.warnings.push_back(loaded.origin["peer-listen"]
                              + ": this version has no such listener; it is off");
  if (out.data.empty())
    return error{ec::invalid_argument, "no data directory: --data DIR says where the node keeps its records"};
  return loaded;
}

} // namespace pessoa::node
