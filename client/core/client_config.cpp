#include "client/core/client_config.hpp"

#include "schema/compression.hpp"
#include "schema/limits.hpp"
#include "schema/topic_config.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace pessoa::client {

namespace {

enum class kind { text, ms, bytes, count, boolean, choice };

struct row {
  setting_info info;
  kind type;
  int64_t low = 0;
  int64_t high = 0;
  std::vector<std::string_view> choices{}; // a choice "a=b" is understood as b
  std::string_view tiny{}, huge{};         // what simulated clients draw it from; empty: they do not
};

constexpr int64_t ms_max = 7ll * 24 * 3600 * 1000;
constexpr int64_t bytes_max = 1ll << 40;
// What the batch leaves to everything around it in a request.
constexpr auto batch_limit = static_cast<int64_t>(message_bytes_max);

const std::vector<row>& table() {
  static const std::vector<row> rows = {
      // -- cluster ---
      {{"bootstrap.servers", "text", "", "cluster", "HOST:PORT[,HOST:PORT...] of nodes to begin with."},
       kind::text},
      {{"client.id", "text", "", "cluster", "A name for the node's log and quotas."}, kind::text},
      {{"cluster.id", "text", "", "cluster",
        "The id the cluster must have; empty accepts the first that answers."},
       kind::text},
      {{"socket.connection.setup.timeout.ms", "ms", "10000", "cluster",
        "How long connecting and logging in to one address may take."},
       kind::ms,
       1,
       ms_max,
       {},
       "200",
       "60000"},
      {{"bootstrap.wait.ms", "ms", "0", "cluster",
        "How long connect() goes on trying when no address answers."},
       kind::ms,
       0,
       ms_max},
      {{"request.timeout.ms", "ms", "30000", "cluster",
        "How long one request may go unanswered before its connection is given up."},
       kind::ms,
       1,
       ms_max,
       {},
       "500",
       "60000"},
      {{"default.api.timeout.ms", "ms", "60000", "cluster",
        "How long a call of cluster, admin or consumer may take, retries included."},
       kind::ms,
       1,
       ms_max,
       {},
       "20000",
       "120000"},
      {{"retry.backoff.ms", "ms", "100", "cluster",
        "The pause before the first repetition; it doubles each time, give or take a fifth."},
       kind::ms,
       0,
       ms_max,
       {},
       "0",
       "1000"},
      {{"retry.backoff.max.ms", "ms", "1000", "cluster", "The longest pause between repetitions."},
       kind::ms,
       0,
       ms_max,
       {},
       "100",
       "5000"},
      {{"metadata.max.age.ms", "ms", "300000", "cluster",
        "After this time metadata is asked for again unasked."},
       kind::ms,
       1,
       ms_max,
       {},
       "500",
       "86400000"},
      // -- producer ---
      {{"acks", "one of all, 1, 0", "all", "producer",
        "When a record counts as stored: synced on the in-sync replicas, synced on the leader, or never "
        "told."},
       kind::choice,
       0,
       0,
       {"all", "1", "0", "-1=all"}},
      {{"enable.idempotence", "bool", "true", "producer",
        "Stored at most once and in order, however often it is repeated; needs acks=all."},
       kind::boolean},
      {{"linger.ms", "ms", "0", "producer",
        "How long a batch waits to fill; 0 sends at once while fewer than two of the partition are on their "
        "way, else when they return."},
       kind::ms,
       0,
       ms_max,
       {},
       "5",
       "500"},
      {{"batch.size", "bytes", "65536", "producer",
        "A batch this large does not linger; it grows beyond only while it cannot be sent yet."},
       kind::bytes,
       1,
       batch_limit,
       {},
       "1",
       "1048576"},
      {{"max.request.size", "bytes", "1048576", "producer",
        "The largest batch; the topic's max.message.bytes holds too."},
       kind::bytes,
       1024,
       batch_limit,
       {},
       "4096",
       "7340032"},
      {{"buffer.memory", "bytes", "33554432", "producer",
        "Records that wait or are on their way; beyond it send() waits."},
       kind::bytes,
       1024,
       bytes_max,
       {},
       "16384",
       "1073741824"},
      {{"max.block.ms", "ms", "60000", "producer", "How long send() waits for room and for metadata."},
       kind::ms,
       0,
       ms_max,
       {},
       "1000",
       "120000"},
      {{"max.in.flight.requests.per.connection", "int", "5", "producer",
        "Batches of one partition on their way at once."},
       kind::count,
       1,
       5,
       {},
       "1",
       "5"},
      {{"compression.type", "one of none, gzip, snappy, lz4, zstd", "none", "producer",
        "How a batch is compressed."},
       kind::choice,
       0,
       0,
       {"none", "gzip", "snappy", "lz4", "zstd"}},
      {{"compression.level", "int", "0", "producer",
        "The codec's level, cut to its range (gzip 1 to 9, lz4 to 12, zstd to 19; snappy has none); 0 is its "
        "own default."},
       kind::count,
       0,
       22,
       {},
       "1",
       "22"},
      {{"delivery.timeout.ms", "ms", "120000", "producer", "By then every record is stored or has failed."},
       kind::ms,
       1,
       ms_max,
       {},
       "5000",
       "130000"},
      // -- consumer ---
      {{"fetch.min.bytes", "bytes", "1", "consumer", "A fetch is answered when this much is there ..."},
       kind::bytes,
       0,
       static_cast<int64_t>(fetch_bytes_max),
       {},
       "0",
       "65536"},
      {{"fetch.max.wait.ms", "ms", "500", "consumer", "... or after this time."},
       kind::ms,
       0,
       600'000,
       {},
       "50",
       "5000"},
      {{"max.partition.fetch.bytes", "bytes", "1048576", "consumer",
        "How much one fetch of a partition brings at most; a larger batch comes whole."},
       kind::bytes,
       1,
       static_cast<int64_t>(fetch_bytes_max),
       {},
       "1",
       "4194304"},
      {{"fetch.max.bytes", "bytes", "33554432", "consumer",
        "How much is fetched ahead of poll(), all partitions together."},
       kind::bytes,
       1,
       bytes_max,
       {},
       "1",
       "1073741824"},
      {{"max.poll.records", "int", "500", "consumer", "How many records one poll() returns at most."},
       kind::count,
       1,
       std::numeric_limits<int32_t>::max(),
       {},
       "1",
       "100000"},
      {{"auto.offset.reset", "one of earliest, latest, none", "latest", "consumer",
        "Where to read when there is no position, or it is out of range; none makes the latter an error."},
       kind::choice,
       0,
       0,
       {"earliest", "latest", "none", "start=earliest", "beginning=earliest", "end=latest"}},
  };
  return rows;
}

const row* find(std::string_view key) {
  auto& rows = table();
  auto at = std::find_if(rows.begin(), rows.end(), [&](const row& r) { return r.info.name == key; });
  return at == rows.end() ? nullptr : &*at;
}

error bad_value(const row& r, std::string_view value, const std::string& wanted) {
  return {ec::invalid_config, std::string{r.info.name} + " is " + quoted(value) + ", must be " + wanted};
}

error unknown_key(std::string_view key) {
  std::vector<std::string_view> names;
  for (auto& r : table())
    names.push_back(r.info.name);
  error e{ec::invalid_config, "there is no setting " + quoted(key)};
  auto near = nearest(key, names);
  e.hint = near.empty() ? "docs/client.md lists the settings" : "did you mean '" + near + "'?";
  return e;
}

result<std::string> check(const row& r, std::string_view value) {
  switch (r.type) {
  case kind::text:
    if (value.size() > 65'536) return bad_value(r, value.substr(0, 40), "at most 65536 bytes long");
    if (r.info.name == "client.id" && value.size() > 249)
      return bad_value(r, value, "at most 249 bytes long");
    return std::string{value};
  case kind::boolean:
    if (value == "true" || value == "false") return std::string{value};
    return bad_value(r, value, "true or false");
  case kind::choice:
    for (auto choice : r.choices) {
      auto split = choice.find('=');
      if (choice.substr(0, split) != value) continue;
      return std::string{split == std::string_view::npos ? choice : choice.substr(split + 1)};
    }
    return bad_value(r, value, std::string{r.info.type});
  case kind::ms:
  case kind::bytes:
  case kind::count: {
    int64_t number = 0;
    auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    if (read.ec != std::errc{} || read.ptr != value.data() + value.size() || number < r.low
        || number > r.high)
      return bad_value(r, value, "a number from " + std::to_string(r.low) + " to " + std::to_string(r.high));
    return std::to_string(number);
  }
  }
  return std::string{value};
}

// Typed reading of a checked value.
class reader {
public:
  explicit reader(const settings& from) : from_(from) {}
  [[nodiscard]] std::string text(std::string_view key) const { return from_.get(key).value(); }
  [[nodiscard]] int64_t number(std::string_view key) const { return std::stoll(text(key)); }
  [[nodiscard]] size_t bytes(std::string_view key) const { return static_cast<size_t>(number(key)); }
  [[nodiscard]] duration ms(std::string_view key) const { return std::chrono::milliseconds{number(key)}; }

private:
  const settings& from_;
};

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    auto comma = text.find(',');
    auto part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ')
      part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ')
      part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return parts;
}

} // namespace

std::vector<setting_ends> settings_to_draw() {
  std::vector<setting_ends> out;
  for (auto& r : table())
    if (!r.tiny.empty()) out.push_back({r.info.name, r.tiny, r.info.default_value, r.huge});
  return out;
}

result<std::string> check_setting(std::string_view key, std::string_view value) {
  auto* r = find(key);
  if (!r) return unknown_key(key);
  return check(*r, value);
}

result<void> settings::set(std::string_view key, std::string_view value) {
  PESSOA_TRY(auto checked, check_setting(key, value));
  changed_.insert_or_assign(std::string{key}, std::move(checked));
  return {};
}

result<void> settings::set_all(const std::map<std::string, std::string>& entries) {
  for (auto& entry : entries)
    PESSOA_CHECK(set(entry.first, entry.second));
  return {};
}

result<std::string> settings::get(std::string_view key) const {
  auto* r = find(key);
  if (!r) return unknown_key(key);
  auto at = changed_.find(std::string{key});
  return at == changed_.end() ? std::string{r->info.default_value} : at->second;
}

const std::vector<setting_info>& settings::known() {
  static const std::vector<setting_info> infos = [] {
    std::vector<setting_info> all;
    for (auto& r : table())
      all.push_back(r.info);
    return all;
  }();
  return infos;
}

result<client_config> client_config::from(const settings& settings) {
  reader in{settings};
  client_config c;
  c.bootstrap = split_list(in.text("bootstrap.servers"));
  if (c.bootstrap.empty())
    return {ec::invalid_config, "bootstrap.servers is empty: name at least one node as HOST:PORT"};
  c.client_id = in.text("client.id");
  c.cluster = in.text("cluster.id");
  c.connect_timeout = in.ms("socket.connection.setup.timeout.ms");
  c.bootstrap_wait = in.ms("bootstrap.wait.ms");
  c.request_timeout = in.ms("request.timeout.ms");
  c.api_timeout = in.ms("default.api.timeout.ms");
  c.backoff = in.ms("retry.backoff.ms");
  c.backoff_max = std::max(c.backoff, in.ms("retry.backoff.max.ms"));
  c.metadata_max_age = in.ms("metadata.max.age.ms");

  auto acks = in.text("acks");
  c.acks = acks == "all" ? ack_level::all : acks == "1" ? ack_level::leader : ack_level::none;
  c.idempotent = in.text("enable.idempotence") == "true";
  if (c.idempotent && c.acks != ack_level::all) {
    if (settings.changed().count("enable.idempotence") != 0)
      return {ec::invalid_config, "enable.idempotence needs acks=all, but acks is " + acks};
    c.idempotent =
        false; // only its default: the wish for other acks is the stronger word, as in Kafka's client
  }
  c.linger = in.ms("linger.ms");
  c.request_bytes_max = in.bytes("max.request.size");
  c.batch_bytes = std::min(in.bytes("batch.size"), c.request_bytes_max);
  c.buffer_bytes = in.bytes("buffer.memory");
  c.in_flight_max = in.bytes("max.in.flight.requests.per.connection");
  PESSOA_TRY(c.codec, compression_named(in.text("compression.type")));
  c.compression_level = static_cast<int>(in.number("compression.level"));
  c.delivery_timeout = in.ms("delivery.timeout.ms");
  c.block_max = in.ms("max.block.ms");

  c.fetch_bytes_min = in.bytes("fetch.min.bytes");
  c.fetch_wait = in.ms("fetch.max.wait.ms");
  c.partition_fetch_bytes_max = in.bytes("max.partition.fetch.bytes");
  c.fetch_ahead_bytes_max = in.bytes("fetch.max.bytes");
  c.poll_records_max = in.bytes("max.poll.records");
  auto reset = in.text("auto.offset.reset");
  c.reset = reset == "earliest" ? offset_reset::start
            : reset == "latest" ? offset_reset::end
                                : offset_reset::none;
  return c;
}

} // namespace pessoa::client
