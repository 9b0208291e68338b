// Admission of idempotent batches: KIP-98, and kafka-protocol.md 3 number 6.
#include "protocol/partition/producer_rules.hpp"
#include "tests/protocol/partition_fixture.hpp"

using namespace pessoa;
using namespace pessoa::protocol;

namespace {

constexpr int32_t sequence_max = 2147483647;

// A table that has seen these batches, at offsets from 0.
producer_table having(const std::vector<batch_facts>& batches) {
  producer_table out;
  offset end{0};
  for (auto batch : batches) {
    batch.header.base_offset = end;
    out.apply(batch.header, timestamp{1});
    end = batch.header.next_offset();
  }
  return out;
}

ec refusal(const producer_table& table, const batch_facts& facts) {
  auto out = admit(table, facts.header);
  return out.ok() ? ec::none : out.error().code;
}

} // namespace

TEST_CASE("producer rules: a batch without a producer is always admitted", "[protocol][producer]") {
  auto table = having({batch_of(7, 0, 0)});
  CHECK(admit(table, plain_batch().header).ok());
  CHECK(find_duplicate(table, plain_batch().header) == nullptr);
}

TEST_CASE("producer rules: an unknown producer may begin at any sequence", "[protocol][producer]") {
  CHECK(admit({}, batch_of(7, 3, 4711).header).ok());
  CHECK(admit(having({batch_of(8, 0, 0)}), batch_of(7, 0, 12).header).ok());
}

TEST_CASE("producer rules: the same epoch goes on with the next sequence and nothing else",
          "[protocol][producer]") {
  auto table = having({batch_of(7, 0, 0, 10)});
  CHECK(admit(table, batch_of(7, 0, 10).header).ok());
  CHECK(refusal(table, batch_of(7, 0, 11)) == ec::out_of_order_sequence);
  CHECK(refusal(table, batch_of(7, 0, 9)) == ec::out_of_order_sequence);
  CHECK(refusal(table, batch_of(7, 0, 0, 9)) == ec::out_of_order_sequence); // overlaps, and is no repetition
  CHECK(admit(table, batch_of(7, 0, 11).header).error().message
        == "producer 7 epoch 0: batch with sequences 11 to 11, but the next sequence is 10");
}

TEST_CASE("producer rules: an older epoch is fenced", "[protocol][producer]") {
  auto table = having({batch_of(7, 5, 0)});
  CHECK(refusal(table, batch_of(7, 4, 1)) == ec::invalid_producer_epoch);
  CHECK(refusal(table, batch_of(7, 4, 0)) == ec::invalid_producer_epoch);
}

TEST_CASE("producer rules: a new epoch begins at sequence 0", "[protocol][producer]") {
  auto table = having({batch_of(7, 5, 0)});
  CHECK(admit(table, batch_of(7, 6, 0).header).ok());
  CHECK(refusal(table, batch_of(7, 6, 1)) == ec::out_of_order_sequence);
}

TEST_CASE("producer rules: the sequence after 2^31-1 is 0", "[protocol][producer]") {
  CHECK(sequence_after(sequence_max) == 0);
  CHECK(sequence_distance(sequence_max, 2) == 3);
  CHECK(sequence_distance(2, sequence_max) == sequence_max - 2);

  auto at_end = having({batch_of(7, 0, sequence_max)});
  CHECK(admit(at_end, batch_of(7, 0, 0).header).ok());
  CHECK(refusal(at_end, batch_of(7, 0, 1)) == ec::out_of_order_sequence);

  // A batch that wraps inside: 2^31-2, 2^31-1, 0, 1.
  auto across = having({batch_of(7, 0, sequence_max - 1, 4)});
  CHECK(admit(across, batch_of(7, 0, 2).header).ok());
  CHECK(find_duplicate(across, batch_of(7, 0, sequence_max - 1, 4).header) != nullptr);
}

TEST_CASE("producer rules: each of the last five batches is recognised, the sixth is not",
          "[protocol][producer]") {
  std::vector<batch_facts> batches;
  for (int32_t i = 0; i < 6; ++i)
    batches.push_back(batch_of(7, 0, i * 2, 2));
  auto table = having(batches);
  for (int32_t i = 1; i < 6; ++i) {
    auto* original = find_duplicate(table, batches[static_cast<size_t>(i)].header);
    REQUIRE(original);
    CHECK(original->first_offset == offset{i * 2});
    CHECK(original->last_offset == offset{i * 2 + 1});
  }
  CHECK(find_duplicate(table, batches[0].header) == nullptr);
  CHECK(refusal(table, batches[0]) == ec::out_of_order_sequence);
}

TEST_CASE("producer rules: a repetition is of the same epoch and the same sequences",
          "[protocol][producer]") {
  auto table = having({batch_of(7, 1, 0, 3)});
  CHECK(find_duplicate(table, batch_of(7, 1, 0, 3).header) != nullptr);
  CHECK(find_duplicate(table, batch_of(7, 0, 0, 3).header) == nullptr);
  CHECK(find_duplicate(table, batch_of(7, 2, 0, 3).header) == nullptr);
  CHECK(find_duplicate(table, batch_of(7, 1, 0, 2).header) == nullptr);
  CHECK(find_duplicate(table, batch_of(8, 1, 0, 3).header) == nullptr);
}

TEST_CASE("producer rules: what follows a refused sequence is refused alike until that came again",
          "[protocol][producer]") { // failures T9
  refused_sequences refused;
  instant now{};
  refused.note(batch_of(7, 0, 5, 2).header, ec::disk_full, now, 10);
  refused.note(batch_of(7, 0, 7).header, ec::disk_full, now, 10); // a later one does not move it
  CHECK(refused.check(batch_of(7, 0, 5, 2).header, now).ok());
  CHECK(refused.check(batch_of(7, 0, 7).header, now).error().code == ec::disk_full);
  CHECK(refused.check(batch_of(7, 0, 4).header, now).ok()); // behind it: admit() judges
  CHECK(refused.check(batch_of(7, 1, 0).header, now).ok()); // a new epoch
  CHECK(refused.check(batch_of(8, 0, 9).header, now).ok());

  refused.admitted(batch_of(7, 0, 5, 2).header);
  CHECK(refused.check(batch_of(7, 0, 7).header, now).ok());
  CHECK(refused.check(batch_of(7, 0, 8).header, now).ok()); // the producer is known now: admit() judges
  CHECK(refused.size() == 0);
}

TEST_CASE("producer rules: a new epoch of the producer forgets what was refused of the old",
          "[protocol][producer]") {
  refused_sequences refused;
  instant now{};
  refused.note(batch_of(7, 0, 5, 2).header, ec::disk_full, now, 10);
  refused.admitted(batch_of(7, 1, 0).header);
  CHECK(refused.size() == 0);
  refused.note(batch_of(7, 1, 0).header, ec::disk_full, now, 10);
  refused.note(batch_of(7, 0, 9).header, ec::disk_full, now, 10); // of the old one: says nothing
  CHECK(refused.check(batch_of(7, 1, 1).header, now).error().code == ec::disk_full);
  refused.note(batch_of(7, 2, 0).header, ec::overloaded, now, 10);
  CHECK(refused.check(batch_of(7, 2, 1).header, now).error().code == ec::overloaded);
}

TEST_CASE("producer rules: the earliest refused sequence counts, across the wrap too",
          "[protocol][producer]") {
  refused_sequences refused;
  instant now{};
  refused.note(batch_of(7, 0, 1).header, ec::overloaded, now, 10);
  refused.note(batch_of(7, 0, sequence_max).header, ec::overloaded, now, 10);
  CHECK(refused.check(batch_of(7, 0, sequence_max).header, now).ok());
  CHECK(refused.check(batch_of(7, 0, 0).header, now).error().code == ec::overloaded);
}

TEST_CASE("producer rules: the memory of refusals is bounded and short", "[protocol][producer]") {
  refused_sequences refused;
  instant now{};
  auto second = std::chrono::seconds{1};
  for (int64_t id = 0; id < 100; ++id)
    refused.note(batch_of(id, 0, 0).header, ec::disk_full, now + id * second, 10);
  CHECK(refused.size() == 10);
  refused.note(plain_batch().header, ec::disk_full, now, 100);
  CHECK(refused.size() == 10);

  // Once the client must have given up, a gap is a gap again, and an unknown producer may begin anywhere.
  auto late = now + refused_sequences::patience;
  CHECK_FALSE(refused.check(batch_of(0, 0, 1).header, late - second).ok());
  CHECK(refused.check(batch_of(0, 0, 1).header, late).ok());
  refused.expire(late + 8 * second);
  CHECK(refused.size() == 1);
  refused.note(batch_of(9, 0, 20).header, ec::disk_full, late + 9 * second, 10); // a stale one gives way
  CHECK(refused.check(batch_of(9, 0, 20).header, late + 9 * second).ok());
  CHECK_FALSE(refused.check(batch_of(9, 0, 21).header, late + 9 * second).ok());
}
