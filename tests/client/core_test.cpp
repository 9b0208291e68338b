#include "client/core/client_config.hpp"
#include "client/core/metadata_cache.hpp"
#include "client/core/partitioner.hpp"
#include "client/core/retry.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <set>

using namespace pessoa;
using namespace pessoa::client;
using namespace std::chrono_literals;

namespace {

metadata_answer answer_at(int64_t index, int32_t leader, int32_t epoch) {
  metadata_answer a;
  a.index = metadata_index{index};
  node_info node;
  node.id = leader;
  a.nodes = {node};
  known_topic t;
  t.info.name = "t";
  partition_info p;
  p.index = 0;
  p.leader = leader;
  p.epoch = epoch;
  t.info.partitions = {p};
  a.topics = {t};
  return a;
}

} // namespace

TEST_CASE("settings: an unknown key names the nearest known one", "[client][settings]") {
  client::settings s;
  auto wrong = s.set("linger.msec", "5");
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().code == ec::invalid_config);
  CHECK(wrong.error().hint == "did you mean 'linger.ms'?");
  CHECK_FALSE(s.get("nonsense").ok());
}

TEST_CASE("settings: a value outside its range is refused with the range", "[client][settings]") {
  client::settings s;
  for (auto* bad : {"6", "0", "-1", "five", "5x", "", "99999999999999999999"}) {
    auto wrong = s.set("max.in.flight.requests.per.connection", bad);
    INFO(bad);
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.error().message.find("from 1 to 5") != std::string::npos);
  }
  CHECK(s.set("compression.type", "brotli").error().message.find("none, gzip, snappy, lz4, zstd")
        != std::string::npos);
  CHECK(s.changed().empty());
}

TEST_CASE("settings: every default is a legal value and other tools' words are understood",
          "[client][settings]") {
  client::settings s;
  std::set<std::string_view> names;
  for (auto& info : client::settings::known()) {
    INFO(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(check_setting(info.name, info.default_value).ok());
    CHECK_FALSE(info.about.empty());
  }
  CHECK(s.set("auto.offset.reset", "beginning").ok());
  CHECK(*s.get("auto.offset.reset") == "earliest");
  CHECK(s.set("acks", "-1").ok());
  CHECK(*s.get("acks") == "all");
}

TEST_CASE("settings: docs/client.md has every setting with its type, default and sentence",
          "[client][settings]") {
  std::ifstream file{PESSOA_SOURCE_DIR "/docs/client.md"};
  std::string document{std::istreambuf_iterator<char>{file}, {}};
  REQUIRE_FALSE(document.empty());
  for (auto& info : client::settings::known()) {
    auto value =
        info.default_value.empty() ? std::string{"(none)"} : "`" + std::string{info.default_value} + "`";
    auto row = "| `" + std::string{info.name} + "` | " + std::string{info.type} + " | " + value + " | "
               + std::string{info.about} + " |";
    INFO(row);
    CHECK(document.find(row) != std::string::npos);
  }
}

// A new setting is in the swarm by being declared: one that simulated clients do not draw is a hole in it.
TEST_CASE("client settings: every number has the ends between which simulated clients draw it", "[client]") {
  std::set<std::string_view> drawn;
  for (auto& ends : client::settings_to_draw()) {
    drawn.insert(ends.name);
    for (auto value : {ends.tiny, ends.usual, ends.huge})
      CHECK(client::check_setting(ends.name, value).ok());
  }
  // How long connect() waits is for people: a simulated client begins again by itself.
  for (auto& info : client::settings::known()) {
    bool number = info.type == "ms" || info.type == "bytes" || info.type == "int";
    INFO(info.name);
    if (number && info.name != "bootstrap.wait.ms") CHECK(drawn.count(info.name) == 1);
  }
}

TEST_CASE("settings: idempotence and acks must agree when both were asked for", "[client][settings]") {
  client::settings s;
  REQUIRE(s.set("bootstrap.servers", "a:1, b:2,").ok());
  REQUIRE(s.set("acks", "1").ok());
  auto config = client_config::from(s);
  REQUIRE(config.ok());
  CHECK_FALSE(config->idempotent);
  CHECK(config->bootstrap == std::vector<std::string>{"a:1", "b:2"});
  REQUIRE(s.set("enable.idempotence", "true").ok());
  CHECK(client_config::from(s).error().code == ec::invalid_config);
  CHECK(client_config::from(client::settings{}).error().code == ec::invalid_config);
}

TEST_CASE("metadata cache: an older answer changes nothing", "[client][metadata]") { // failures N8
  metadata_cache cache;
  CHECK(cache.apply(answer_at(10, 2, 5)) == metadata_cache::verdict::taken);
  CHECK(cache.apply(answer_at(9, 1, 4)) == metadata_cache::verdict::too_old);
  CHECK(cache.topic("t")->info.partitions[0].leader == 2);
  CHECK(cache.node(1) == nullptr);
  SECTION("nor does one older than what an admin call was told") {
    cache.at_least(metadata_index{20});
    CHECK(cache.apply(answer_at(19, 3, 6)) == metadata_cache::verdict::too_old);
    CHECK(cache.apply(answer_at(20, 3, 6)) == metadata_cache::verdict::taken);
    CHECK(cache.topic("t")->info.partitions[0].leader == 3);
  }
}

TEST_CASE("metadata cache: a leader's epoch never falls, unless the topic is a new one",
          "[client][metadata]") {
  metadata_cache cache;
  (void)cache.apply(answer_at(10, 2, 5));
  (void)cache.apply(answer_at(11, 1, 4));
  CHECK(cache.topic("t")->info.partitions[0].epoch == 5);
  auto recreated = answer_at(12, 1, 0);
  recreated.topics[0].id = topic_id{{1, 2, 3}};
  (void)cache.apply(recreated);
  CHECK(cache.topic("t")->info.partitions[0].epoch == 0);
}

TEST_CASE("metadata cache: a topic that was deleted is gone with its reason", "[client][metadata]") {
  metadata_cache cache;
  (void)cache.apply(answer_at(10, 2, 5));
  metadata_answer gone;
  gone.index = metadata_index{11};
  gone.missing = {{"t", client::error{ec::unknown_topic, "there is no topic 't'"}}};
  (void)cache.apply(gone);
  CHECK(cache.topic("t") == nullptr);
  REQUIRE(cache.missing("t") != nullptr);
  CHECK(cache.missing("t")->code == ec::unknown_topic);
  (void)cache.apply(answer_at(12, 2, 0));
  CHECK(cache.missing("t") == nullptr);
}

TEST_CASE("partitioner: keys go where Kafka's clients put them", "[client][partitioner]") {
  // kafka-clients 3.x: Utils.toPositive(Utils.murmur2(key)) % partitions
  CHECK(partitioner::by_key(as_bytes("21"), 1'000) == (murmur2(as_bytes("21")) & 0x7fffffff) % 1'000);
  CHECK(murmur2(as_bytes("21")) == -973932308);
  CHECK(murmur2(as_bytes("foobar")) == -790332482);
}

TEST_CASE("partitioner: without a key it stays for a batch's worth and avoids partitions without a leader",
          "[client][partitioner]") {
  seeded_random random{1};
  partitioner p{1'000};
  std::vector<partition_info> partitions(4);
  for (int i = 0; i < 4; ++i) {
    partitions[static_cast<size_t>(i)].index = i;
    partitions[static_cast<size_t>(i)].leader = i == 2 ? -1 : 1;
  }
  std::map<int32_t, int> used;
  for (int i = 0; i < 300; ++i) {
    auto first = p.without_key(partitions, 100, random);
    for (int k = 1; k < 10; ++k)
      REQUIRE(p.without_key(partitions, 100, random) == first);
    ++used[first];
  }
  CHECK(used.count(2) == 0);
  CHECK(used.size() == 3);
  for (auto& entry : used)
    CHECK(entry.second > 50);
}

TEST_CASE("backoff: pauses double up to the maximum, give or take a fifth", "[client][retry]") {
  seeded_random random{3};
  backoff_policy policy{100ms, 1000ms};
  for (uint32_t n : {1u, 2u, 3u, 4u, 5u, 50u}) {
    auto base = std::min<duration>(100ms * (1 << std::min(n - 1, 10u)), 1000ms);
    for (int i = 0; i < 100; ++i) {
      auto pause = policy.pause(n, random);
      CHECK(pause >= base * 4 / 5);
      CHECK(pause <= base * 6 / 5);
    }
  }
  // Without pauses a client would storm a node that has gone.
  for (uint32_t n : {1u, 2u, 100'000u})
    CHECK(backoff_policy{}.pause(n, random) >= 800us);
  CHECK(backoff_policy{0ms, 100ms}.pause(100'000, random) >= 80ms);
}

TEST_CASE("causes: the last five are kept, repeated ones once", "[client][retry]") {
  cause_list causes;
  for (int i = 0; i < 8; ++i) {
    causes.add("cause " + std::to_string(i));
    causes.add("cause " + std::to_string(i));
  }
  CHECK(causes.list() == std::vector<std::string>{"cause 3", "cause 4", "cause 5", "cause 6", "cause 7"});
}
