#include "schema/compression.hpp"
#include "schema/limits.hpp"
#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;
using Catch::Contains;

namespace {

raw spoilt(raw batch, size_t at) {
  batch[at] ^= 1;
  return batch;
}
raw sealed(raw batch) {
  seal_batch(batch);
  return batch;
}

} // namespace

TEST_CASE("kafka: a batch is stored as it came, in every version that carries it", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  int64_t base = 0;
  for (int16_t version = 3; version <= 9; ++version) {
    CAPTURE(version);
    auto batch = batch_of(3, 700);
    auto told = c.produce("t", batch, 0, version);
    CHECK(told.error_code == 0);
    CHECK(told.base_offset == base);
    CHECK(told.log_append_time_ms == -1);
    if (version >= 5) CHECK(told.log_start_offset == 0);
    CHECK(told.error_message == std::nullopt);
    auto fetched = c.fetch("t", base);
    auto back = fetched.records->view();
    REQUIRE(back.size() == batch.size());
    CHECK(same_bytes(back.subspan(16), byte_view{batch}.subspan(16))); // all but base offset, length, epoch
    base += 3;
  }
  CHECK(c.counted.produced_bytes_in_place == 7 * batch_of(3, 700).size());
  CHECK(c.counted.produced_bytes_moved == 0);
}

TEST_CASE("kafka: the memory of a request is kept by its batches, and goes with the last of them",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  auto asked = node_peer::produce_of("t", batch_of(1, 2000));
  auto& second = asked.topics[0].partitions.emplace_back();
  second.index = 1;
  second.records = payload_of(batch_of(1, 3000));
  n.hold_commits = true;
  auto frame = peer::frame(asked, 9);
  std::weak_ptr<void> data = frame.data, charge = frame.charge;
  auto slot = c.begin(std::move(frame));
  n.settle();
  CHECK_FALSE(slot->got.has_value());
  CHECK_FALSE(data.expired());
  CHECK_FALSE(charge.expired());
  n.hold_commits = false;
  n.settle();
  REQUIRE(slot->got.has_value());
  n.pass(std::chrono::minutes{2}); // the journal lets go of what the segments have
  CHECK(charge.expired());
  CHECK(data.expired());
}

TEST_CASE("kafka: a produce request that is dropped is stored all the same", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  { auto dropped = c.begin(node_peer::produce_of("t", batch_of(2)), 9); }
  n.settle();
  CHECK(c.produce("t", batch_of(1)).base_offset == 2);
}

TEST_CASE("kafka: a batch that cannot be stored is refused with Kafka's number", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 1, {{"max.message.bytes", "2000"}});
  auto fine = batch_of(1);
  auto old = fine;
  old[16] = 1; // magic
  auto two = fine;
  two.insert(two.end(), fine.begin(), fine.end());
  auto cut = fine;
  cut.pop_back();
  auto moved = fine;
  moved[7] = 5; // base offset
  auto control = fine;
  control[22] |= 0x20;
  auto transactional = fine;
  transactional[22] |= 0x10;
  auto unknown_codec = fine;
  unknown_codec[22] |= 0x07;
  struct {
    const char* what;
    raw batch;
    int16_t code;
  } const cases[] = {
      {"fine", fine, 0},
      {"nothing", {}, 87},
      {"old magic", old, 87},
      {"two batches", two, 87},
      {"cut off", cut, 2},
      {"not even a header", raw(30), 2},
      {"a flipped bit", spoilt(fine, 70), 2},
      {"too large", batch_of(1, 3000), 10},
      {"base offset 5", moved, 87},
      {"control", sealed(control), 87},
      {"transactional", sealed(transactional), 87},
      {"unknown codec", sealed(unknown_codec), 76},
      {"in the future", batch_of(1, 16, compression::none, 4'000'000'000'000), 32},
  };
  for (auto& x : cases) {
    CAPTURE(x.what);
    for (int16_t version : {3, 7, 9}) {
      auto told = c.produce("t", x.batch, 0, version);
      CHECK(told.error_code == x.code);
      if (x.code != 0) CHECK(told.base_offset == -1);
      if (version >= 8) CHECK(told.error_message.has_value() == (x.code != 0));
    }
  }
  CHECK(c.produce("t", fine).base_offset == 3); // only the fine ones are there
}

TEST_CASE("kafka: the record that is wrong is named, from version 8 on", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto wrong = batch_of(5, 0);
  // Each record of this batch takes the same bytes: length, attributes, time, offset, no key, no value, no headers.
  auto record_bytes = (wrong.size() - batch_header_size) / 5;
  wrong[batch_header_size + 3 * record_bytes + 3] ^= 0x40; // the fourth's offset
  seal_batch(wrong);
  auto told = c.produce("t", wrong, 0, 8);
  CHECK(told.error_code == 87);
  REQUIRE(told.record_errors.size() == 1);
  CHECK(told.record_errors[0].batch_index == 3);
  CHECK_THAT(told.record_errors[0].batch_index_error_message.value_or(""), Contains("record 3"));
  CHECK_THAT(told.error_message.value_or(""), Contains("record 3"));
  CHECK(c.produce("t", wrong, 0, 7).record_errors.empty());
  // Where the batch is wrong and no record of it, none is named; nor is one of another partition.
  CHECK(c.produce("t", spoilt(batch_of(1), 70), 0, 8).record_errors.empty());
  auto two = node_peer::produce_of("t", batch_of(1), 9);
  auto& second = two.topics[0].partitions.emplace_back();
  second.records = payload_of(wrong);
  auto both = c.ask(two, 8).topics.at(0).partitions;
  CHECK(both.at(0).record_errors.empty());
  CHECK(both.at(1).record_errors.size() == 1);
}

TEST_CASE("kafka: zstd needs a version that knows it, the other codecs do not", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  for (auto codec : {compression::lz4, compression::zstd, compression::gzip, compression::snappy}) {
    auto* found = find_codec(codec).ok() ? *find_codec(codec) : nullptr;
    if (found == nullptr) continue;
    auto batch = batch_of(50, 100, codec);
    REQUIRE(parse_batch_header(batch)->codec() == codec);
    CHECK(c.produce("t", batch, 0, 7).error_code == 0);
    CHECK(c.produce("t", batch, 0, 6).error_code == (codec == compression::zstd ? 76 : 0));
  }
}

TEST_CASE("kafka: each partition of a request has its own outcome, in the order of the request", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 2);
  produce_request asked;
  asked.acks = -1;
  asked.timeout_ms = 1000;
  auto add = [&](const std::string& topic, int32_t index, raw batch) {
    auto& t = asked.topics.emplace_back();
    t.name = topic;
    auto& p = t.partitions.emplace_back();
    p.index = index;
    p.records = payload_of(std::move(batch));
  };
  add("t", 1, batch_of(1));
  add("no", 0, batch_of(1));
  add("t", 2, batch_of(1));
  add("t", -1, batch_of(1));
  add("a b", 0, batch_of(1));
  add("t", 0, spoilt(batch_of(1), 70));
  add("t", 1, batch_of(2));
  add("t", 1, batch_of(1));
  auto told = c.ask(asked, 9);
  int16_t const codes[] = {0, 3, 3, 3, 3, 2, 0, 0};
  int64_t const bases[] = {0, -1, -1, -1, -1, -1, 1, 3};
  REQUIRE(told.topics.size() == 8);
  for (size_t i = 0; i < 8; ++i) {
    CAPTURE(i);
    CHECK(told.topics[i].partitions.at(0).error_code == codes[i]);
    CHECK(told.topics[i].partitions.at(0).base_offset == bases[i]);
  }
  CHECK_THAT(*told.topics[1].partitions[0].error_message, Contains("'no'"));
}

TEST_CASE("kafka: requests of one connection reach a partition in their order", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  std::vector<std::shared_ptr<pending_answer>> slots;
  for (int i = 0; i < 20; ++i)
    slots.push_back(c.begin(node_peer::produce_of("t", batch_of(1 + i % 3)), 9));
  n.settle();
  int64_t base = 0;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(slots[i]->got.has_value());
    CHECK(peer::read<produce_request>(*slots[i]->got, 9).topics[0].partitions[0].base_offset == base);
    base += 1 + i % 3;
  }
}

TEST_CASE("kafka: acks other than all, one and none are refused", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  for (int acks : {2, -2, INT16_MAX, INT16_MIN}) {
    auto told = c.ask(node_peer::produce_of("t", batch_of(1), 0, static_cast<int16_t>(acks)), 9);
    CHECK(told.topics[0].partitions[0].error_code == 21);
    // An unknown topic is told first.
    told = c.ask(node_peer::produce_of("no", batch_of(1), 0, static_cast<int16_t>(acks)), 9);
    CHECK(told.topics[0].partitions[0].error_code == 3);
  }
  for (int acks : {-1, 1})
    CHECK(c.ask(node_peer::produce_of("t", batch_of(1), 0, static_cast<int16_t>(acks)), 9)
              .topics[0]
              .partitions[0]
              .error_code
          == 0);
}

TEST_CASE("kafka: acks=0 gets no answer, and the end of the connection when it fails", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto a = c.get(node_peer::produce_of("t", batch_of(1), 0, 0), 9);
  CHECK_FALSE(a.message.has_value());
  CHECK_FALSE(a.close.has_value());
  CHECK(c.produce("t", batch_of(1)).base_offset == 1);
  CHECK(c.end_of(node_peer::produce_of("no", batch_of(1), 0, 0), 9) == ec::unknown_topic);
  CHECK(c.end_of(node_peer::produce_of("t", batch_of(1), 5, 0), 9) == ec::unknown_partition);
  CHECK(c.end_of(node_peer::produce_of("t", spoilt(batch_of(1), 70), 0, 0), 9) == ec::corrupt_message);
  CHECK(c.end_of(node_peer::produce_of("t", batch_of(1), 0, 0), 1) == ec::unsupported_version);
}

TEST_CASE("kafka: message formats of before 2017 are refused by partition", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  for (int16_t version : {0, 1, 2}) {
    auto told = c.produce("t", batch_of(1), 0, version);
    CHECK(told.error_code == 43);
    CHECK(told.base_offset == -1);
  }
}

TEST_CASE("kafka: a transactional produce is refused", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto asked = node_peer::produce_of("t", batch_of(1));
  asked.transactional_id = "x";
  for (int16_t version : {3, 9})
    CHECK(c.ask(asked, version).topics[0].partitions[0].error_code == 53);
  asked.acks = 0;
  CHECK(c.end_of(asked, 9) == ec::denied);
  CHECK(c.produce("t", batch_of(1)).base_offset == 0);
}

TEST_CASE("kafka: an idempotent producer's repetition gets the first answer, a gap is refused", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto batch = [](int32_t sequence, int16_t epoch = 0) {
    return batch_of(2, 16, compression::none, 1'700'000'000'000,
                    {producer_id{77}, producer_epoch{epoch}, sequence});
  };
  CHECK(c.produce("t", batch(0)).base_offset == 0);
  CHECK(c.produce("t", batch(2)).base_offset == 2);
  auto again = c.produce("t", batch(0));
  CHECK(again.error_code == 0);
  CHECK(again.base_offset == 0);
  CHECK(c.produce("t", batch(8)).error_code == 45);
  CHECK(c.produce("t", batch(0, 1)).base_offset == 4);
  CHECK(c.produce("t", batch(4, 0)).error_code == 47);
}

TEST_CASE("kafka: with LogAppendTime a producer is told the time, and its batch is stamped", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t", 1, {{"message.timestamp.type", "LogAppendTime"}});
  auto told = c.produce("t", batch_of(1, 600));
  CHECK(told.error_code == 0);
  CHECK(told.log_append_time_ms == n.time.wall().value());
  auto header = parse_batch_header(c.fetch("t", 0).records->view());
  CHECK(header->log_append_time());
  CHECK(batch_crc_matches(c.fetch("t", 0).records->view()));
}

TEST_CASE("kafka: what is not on disk in time is told as timed out, and acks=1 has more patience",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  n.hold_commits = true;
  auto asked = node_peer::produce_of("t", batch_of(1));
  asked.timeout_ms = 500;
  auto all = c.begin(asked, 9);
  asked.acks = 1;
  auto one = c.begin(asked, 9);
  asked.acks = -1;
  asked.timeout_ms = INT32_MIN;
  auto never = c.begin(asked, 9);
  n.pass(std::chrono::milliseconds{600});
  REQUIRE(all->got.has_value());
  CHECK(peer::read<produce_request>(*all->got, 9).topics[0].partitions[0].error_code == 7);
  REQUIRE(never->got.has_value());
  CHECK(peer::read<produce_request>(*never->got, 9).topics[0].partitions[0].error_code == 7);
  CHECK_FALSE(one->got.has_value());
  n.hold_commits = false;
  n.settle();
  REQUIRE(one->got.has_value());
  CHECK(peer::read<produce_request>(*one->got, 9).topics[0].partitions[0].base_offset == 1);
}

TEST_CASE("kafka: more partitions than a node can have are nonsense", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  produce_request asked;
  asked.acks = -1;
  asked.topics.emplace_back().name = "t";
  asked.topics[0].partitions.resize(partitions_per_node_max + 1);
  CHECK(c.end_of(asked, 9) == ec::malformed_message);
  asked.topics[0].partitions.resize(partitions_per_node_max);
  CHECK(c.ask(asked, 9).topics.at(0).partitions.size() == partitions_per_node_max);
}
