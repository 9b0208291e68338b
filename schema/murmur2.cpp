#include "schema/murmur2.hpp"

#include "schema/endian.hpp"

namespace pessoa {

int32_t murmur2(byte_view data) {
  constexpr uint32_t seed = 0x9747b28c;
  constexpr uint32_t m = 0x5bd1e995;
  const uint8_t* at = data.data();
  size_t left = data.size();
  uint32_t h = seed ^ static_cast<uint32_t>(left);
  for (; left >= 4; left -= 4, at += 4) {
    uint32_t k = load_le<uint32_t>(at);
    k *= m;
    k ^= k >> 24;
    k *= m;
    h = (h * m) ^ k;
  }
  if (left > 0) {
    for (size_t i = left; i-- > 0;)
      h ^= static_cast<uint32_t>(at[i]) << (8 * i);
    h *= m;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return static_cast<int32_t>(h);
}

partition_id partition_of_key(byte_view key, int32_t partitions) {
  PESSOA_ASSERT(partitions > 0, partitions);
  // Kafka clears the sign bit rather than taking the absolute value: the smallest number has none.
  return partition_id{(murmur2(key) & 0x7fffffff) % partitions};
}

} // namespace pessoa
