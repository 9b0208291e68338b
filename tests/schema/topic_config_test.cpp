#include "schema/topic_config.hpp"

#include "schema/limits.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;

namespace {

bool refused(std::string_view key, std::string_view value, std::string_view because = "") {
  topic_config config;
  auto set = config.set(key, value);
  if (set.ok() || !(config == topic_config{})) return false;
  UNSCOPED_INFO(set.error().message);
  return set.error().code == ec::invalid_config && set.error().message.find(because) != std::string::npos;
}

} // namespace

TEST_CASE("topic config: the entries of a fresh one are the defaults, in order of name, one per key",
          "[schema][config]") {
  auto entries = topic_config{}.entries();
  CHECK(entries
        == std::map<std::string, std::string>{{"cleanup.policy", "delete"},
                                              {"compression.type", "producer"},
                                              {"flush.messages", "1"},
                                              {"max.message.bytes", "1048576"},
                                              {"message.timestamp.after.max.ms", "3600000"},
                                              {"message.timestamp.before.max.ms", "9223372036854775807"},
                                              {"message.timestamp.type", "CreateTime"},
                                              {"min.insync.replicas", "0"},
                                              {"preallocate", "false"},
                                              {"retention.bytes", "-1"},
                                              {"retention.ms", "604800000"},
                                              {"segment.bytes", "1073741824"},
                                              {"segment.ms", "604800000"},
                                              {"unclean.leader.election.enable", "false"}});
  std::vector<std::string> names;
  for (auto& key : topic_config_keys()) {
    names.emplace_back(key.name);
    CHECK_FALSE(key.type.empty());
    CHECK_FALSE(key.about.empty());
  }
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(names.size() == entries.size());
  for (auto& name : names)
    CHECK(entries.count(name) == 1);
}

TEST_CASE("topic config: what is set is held, shown and read back", "[schema][config]") {
  topic_config config;
  CHECK(config.set("retention.ms", "1000").ok());
  CHECK(config.set("retention.bytes", "2000").ok());
  CHECK(config.set("segment.bytes", "16384").ok());
  CHECK(config.set("segment.ms", "1").ok());
  CHECK(config.set("max.message.bytes", "4096").ok());
  CHECK(config.set("message.timestamp.type", "LogAppendTime").ok());
  CHECK(config.set("message.timestamp.before.max.ms", "5").ok());
  CHECK(config.set("message.timestamp.after.max.ms", "6").ok());
  CHECK(config.set("min.insync.replicas", "2").ok());
  CHECK(config.set("cleanup.policy", "delete").ok());
  CHECK(config.set("compression.type", "producer").ok());
  topic_config expected;
  expected.retention_ms = 1000;
  expected.retention_bytes = 2000;
  expected.segment_bytes = 16384;
  expected.segment_ms = 1;
  expected.max_message_bytes = 4096;
  expected.message_timestamp_type = timestamp_type::log_append_time;
  expected.message_timestamp_before_max_ms = 5;
  expected.message_timestamp_after_max_ms = 6;
  expected.min_insync_replicas = 2;
  CHECK(config == expected);
  CHECK(*topic_config::from(config.entries()) == config);
  CHECK(*topic_config::from({}) == topic_config{});
  CHECK(topic_config::from({{"retention.ms", "1"}, {"segment.ms", "0"}}).error().code == ec::invalid_config);
}

TEST_CASE("topic config: numbers are written as Kafka reads them", "[schema][config]") {
  for (auto text : {"5", "+5", " 5", "5 ", "\t5\n", "0005"}) {
    topic_config config;
    CHECK(config.set("retention.ms", text).ok());
    CHECK(config.retention_ms == 5);
  }
  for (auto text : {"", " ", "-", "+", "+-5", "--5", "5x", "5 5", "0x5", "5.0", "1e3", "5ms", "1_000", "five",
                    "9223372036854775808", "-9223372036854775809", "99999999999999999999999999999999"})
    CHECK(refused("retention.ms", text, "is not a whole number of at least -1"));
}

TEST_CASE("topic config: each number has its range, ends included", "[schema][config]") {
  struct range {
    std::string_view key;
    int64_t low, high;
  };
  const range ranges[] = {{"retention.ms", -1, INT64_MAX},
                          {"retention.bytes", -1, INT64_MAX},
                          {"segment.bytes", 16384, INT32_MAX},
                          {"segment.ms", 1, INT64_MAX},
                          {"max.message.bytes", 1024, static_cast<int64_t>(message_bytes_max)},
                          {"message.timestamp.before.max.ms", 0, INT64_MAX},
                          {"message.timestamp.after.max.ms", 0, INT64_MAX},
                          {"min.insync.replicas", 0, 32767}};
  for (auto& r : ranges) {
    topic_config config;
    CHECK(config.set(r.key, std::to_string(r.low)).ok());
    CHECK(config.entries()[std::string{r.key}] == std::to_string(r.low));
    CHECK(config.set(r.key, std::to_string(r.high)).ok());
    CHECK(config.entries()[std::string{r.key}] == std::to_string(r.high));
    CHECK(refused(r.key, std::to_string(r.low - 1), std::to_string(r.low)));
    if (r.high != INT64_MAX) CHECK(refused(r.key, std::to_string(r.high + 1), std::to_string(r.high)));
  }
}

TEST_CASE("topic config: every number has the ends between which simulated topics draw it",
          "[schema][config]") {
  for (auto& key : topic_config_keys()) {
    bool number = key.type == "ms" || key.type == "bytes" || key.type == "int";
    INFO(key.name);
    CHECK((!number || (!key.tiny.empty() && !key.huge.empty())));
    topic_config config;
    for (auto end : {key.tiny, key.huge})
      if (!end.empty()) CHECK(config.set(key.name, end).ok());
  }
}

TEST_CASE("topic config: values whose effect does not exist are refused, not ignored", "[schema][config]") {
  CHECK(refused("cleanup.policy", "compact", "not there yet"));
  CHECK(refused("cleanup.policy", "compact,delete", "not there yet"));
  CHECK(refused("cleanup.policy", "remove", "is not delete"));
  CHECK(refused("compression.type", "zstd", "not there yet"));
  CHECK(refused("compression.type", "brotli", "is not producer"));
  CHECK(refused("unclean.leader.election.enable", "true", "not there yet"));
  CHECK(refused("preallocate", "yes", "is not false"));
  CHECK(refused("flush.messages", "10000", "is not 1"));
  for (auto key : {"delete.retention.ms", "flush.ms", "segment.jitter.ms", "message.format.version"})
    CHECK(refused(key, "1", "no effect here"));
  topic_config config;
  CHECK(config.set("unclean.leader.election.enable", "false").ok());
  CHECK(config.set("preallocate", " false ").ok());
  CHECK(config.set("flush.messages", "1").ok());
  CHECK(config == topic_config{});
  CHECK(refused("message.timestamp.type", "createtime", "neither CreateTime nor LogAppendTime"));
}

TEST_CASE("topic config: an unknown key is answered with the nearest known one", "[schema][config]") {
  CHECK(refused("retention.msec", "1", "did you mean retention.ms?"));
  CHECK(refused("retention.byte", "1", "did you mean retention.bytes?"));
  CHECK(refused("min.insync.replica", "1", "did you mean min.insync.replicas?"));
  CHECK(refused("message.timestamp.before.ms", "1", "did you mean message.timestamp.before.max.ms?"));
  CHECK(refused("Retention.ms", "1", "did you mean retention.ms?"));
  topic_config config;
  auto far = config.set("x\ny", "1").error().message;
  CHECK(far == "no topic setting is called 'x\\x0ay'");
  CHECK(config.set(std::string(1 << 20, 'r'), "1").error().message.size() < 200);
}

TEST_CASE("topic name: 1 to 249 of the characters of the alphabet", "[schema][config]") {
  for (auto name : {"a", "Z", "0", "-", "_", "...", "a.b-c_D9", "__offsets", ".a"})
    CHECK(check_topic_name(name).ok());
  CHECK(check_topic_name(std::string(249, 'a')).ok());
  for (auto& name :
       {std::string{}, std::string{"."}, std::string{".."}, std::string(250, 'a'), std::string{"a b"},
        std::string{"a/b"}, std::string{"\xc3\xa4"}, std::string{"a\0b", 3}, std::string{"a\n"}}) {
    auto checked = check_topic_name(name);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == ec::invalid_topic_name);
    CHECK(checked.error().message.size() < 160);
  }
  CHECK(check_topic_name("a b").error().message == "topic name 'a b' has ' ' at position 2");
  for (int c = 0; c < 256; ++c) {
    bool legal = std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    std::string name{"xx"};
    name[1] = static_cast<char>(c);
    CHECK(check_topic_name(name).ok() == legal);
  }
}

TEST_CASE("quoted: foreign text is shown in printable characters and never longer than asked",
          "[schema][text]") {
  CHECK(quoted("") == "''");
  CHECK(quoted("plain text") == "'plain text'");
  CHECK(quoted({"\0\n\x7f\xff", 4}) == "'\\x00\\x0a\\x7f\\xff'");
  CHECK(quoted("it's \\ fine") == "'it\\x27s \\x5c fine'");
  CHECK(quoted("12345678", 10) == "'12345678'");
  CHECK(quoted("123456789", 10) == "'12345'...");
  CHECK(quoted("1234567\n", 10) == "'12345'...");
  CHECK(quoted("\n\n\n", 9) == "'\\x0a'...");
  CHECK(quoted(std::string(1'000'000, '\x01')).size() <= 80);
  for (size_t size = 0; size < 30; ++size)
    for (size_t most = 9; most < 40; ++most) {
      CHECK(quoted(std::string(size, 'x'), most).size() <= most);
      CHECK(quoted(std::string(size, '\n'), most).size() <= most);
    }
}

TEST_CASE("nearest: slips of the finger are understood, other words are not", "[schema][text]") {
  const std::vector<std::string_view> commands = {"topic", "produce", "consume", "cluster", "run", "start"};
  CHECK(nearest("tpoic", commands) == "topic");
  CHECK(nearest("prodce", commands) == "produce");
  CHECK(nearest("consumer", commands) == "consume");
  CHECK(nearest("ru", commands) == "run");
  CHECK(nearest("start", commands) == "start");
  CHECK(nearest("xyz", commands).empty());
  CHECK(nearest("", commands).empty());
  CHECK(nearest("topic", {}).empty());
  CHECK(nearest(std::string(100'000, 't'), commands).empty());
  CHECK(nearest("ab", {"abc", "abd"}) == "abc"); // the first of equals
}
