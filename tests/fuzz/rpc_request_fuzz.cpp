// Whatever bytes stand where a request should: each reader of node/rpc/requests.hpp answers with values under their caps, with
// an error that says something, or with Cap'n Proto's exception; twice the same; and takes memory in proportion.
//
// Input: one byte that says which request it is, one byte for the number of segments (1 to 4, of equal size), then the
// segments. The limits of the message's reader are those of the connection.
#include "node/rpc/requests.hpp"
#include "schema/assert.hpp"
#include "schema/limits.hpp"
#include "schema/record_batch.hpp"

#include <sanitizer/allocator_interface.h>

#include <atomic>
#include <cstring>

using namespace pessoa;
using namespace pessoa::node;

namespace {

std::atomic<size_t> taken{0}; // since the last reset; what was given back is not subtracted

void note_taken(const volatile void*, size_t size) { taken += size; }
void note_given(const volatile void*) {}

template <class T>
T checked(result<T> outcome, const char*& refused) {
  if (outcome) return std::move(*outcome);
  PESSOA_ASSERT(!outcome.error().message.empty());
  refused = "refused";
  return T{};
}

void check(const produce_target& to) { PESSOA_ASSERT(to.acks >= -1 && to.acks <= 1, int{to.acks}); }

// What was read, as text to compare.
std::string read(uint8_t kind, capnp::MessageReader& message, size_t words) {
  const char* refused = "";
  std::string told;
  switch (kind) {
  case 0: {
    auto said = checked(read_hello(message.getRoot<wire::Hello>()), refused);
    PESSOA_ASSERT(said.client_id.size() <= 249, said.client_id.size());
    told = said.client_id;
    break;
  }
  case 1: {
    auto asked = checked(read_metadata_request(message.getRoot<wire::MetadataRequest>()), refused);
    PESSOA_ASSERT(!asked.all || (asked.topics.empty() && !asked.create));
    for (auto& name : asked.topics)
      told += name + "\n";
    PESSOA_ASSERT(told.size() <= rpc_message_bytes_max, told.size());
    break;
  }
  case 2: {
    auto asked = checked(read_produce_request(message.getRoot<wire::ProduceRequest>()), refused);
    check(asked.to);
    told = std::to_string(asked.batch.size());
    break;
  }
  case 3: {
    auto asked = checked(read_produce_records_request(message.getRoot<wire::ProduceRecordsRequest>(),
                                                      timestamp{1'700'000'000'000}),
                         refused);
    check(asked.to);
    if (*refused != 0) break;
    // What the node builds passes the node's own check.
    batch_limits limits;
    limits.batch_bytes_max = message_bytes_max;
    auto facts = validate_batch(asked.batch, limits);
    PESSOA_ASSERT(facts.ok(), to_string(facts.error()));
    // Nor does a record come out of nothing.
    auto records = static_cast<size_t>(facts->header.record_count);
    PESSOA_ASSERT(records <= words * sizeof(capnp::word), records, words);
    told.assign(asked.batch.begin(), asked.batch.end());
    break;
  }
  case 4: {
    auto asked = checked(read_fetch_request(message.getRoot<wire::FetchRequest>()), refused);
    PESSOA_ASSERT(asked.bytes_max <= fetch_bytes_max, asked.bytes_max);
    told = std::to_string(asked.from.value());
    break;
  }
  case 5: {
    auto asked = checked(read_offset_request(message.getRoot<wire::OffsetRequest>()), refused);
    told = std::to_string(static_cast<int>(asked.at)) + " " + std::to_string(asked.time.value());
    break;
  }
  case 6: {
    auto asked = checked(read_create_topic_request(message.getRoot<wire::CreateTopicRequest>()), refused);
    PESSOA_ASSERT(asked.config.size() <= 100, asked.config.size());
    told = asked.name;
    break;
  }
  default: {
    auto asked = checked(read_alter_topic_request(message.getRoot<wire::AlterTopicRequest>()), refused);
    PESSOA_ASSERT(asked.config.size() <= 100, asked.config.size());
    told = asked.name;
  }
  }
  return refused + told;
}

// The same, with what Cap'n Proto throws as text. Read limits are per message reader: each time a new one.
std::string read_bytes(uint8_t kind, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  std::string out;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] {
                 capnp::SegmentArrayMessageReader message{segments, rpc_reader_options()};
                 size_t words = 0;
                 for (auto& segment : segments)
                   words += segment.size();
                 out = read(kind, message, words);
               }))
    out = "broken";
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static int hooked = __sanitizer_install_malloc_and_free_hooks(note_taken, note_given);
  PESSOA_ASSERT(hooked != 0);
  if (size < 2) return 0;
  auto kind = static_cast<uint8_t>(data[0] % 8);
  size_t count = 1 + data[1] % 4;
  auto words = (size - 2) / sizeof(capnp::word);
  if (words < count) return 0;
  auto copy = kj::heapArray<capnp::word>(words);
  std::memcpy(copy.begin(), data + 2, words * sizeof(capnp::word));
  kj::ArrayPtr<const capnp::word> segments[4];
  for (size_t i = 0; i < count; ++i)
    segments[i] = copy.slice(words * i / count, words * (i + 1) / count);
  auto view = kj::arrayPtr(static_cast<const kj::ArrayPtr<const capnp::word>*>(segments), count);

  taken = 0;
  auto first = read_bytes(kind, view);
  // Texts may share their bytes, but Cap'n Proto reads no more than its limit of them; vectors grow by doubling.
  constexpr size_t reads_max = 4 * rpc_message_bytes_max;
  PESSOA_ASSERT(taken <= 8 * reads_max, taken.load());
  PESSOA_ASSERT(first == read_bytes(kind, view));
  return 0;
}
