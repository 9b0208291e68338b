// The versions that clients are told, at most: a promise that all their meaning is there.
//
// The one table; handlers must cover exactly it (kafka/handlers/handlers.hpp asserts so when it is compiled), and
// advertised.hpp hands it out, lowered as configured. A row's comment says why a number is not simply what is possible.
#pragma once

#include "kafka/codec/api.hpp"

#include <array>

namespace pessoa::kafka {

struct api_promise {
  api_key key;
  version_range versions;
};

inline constexpr std::array api_promises{
    // From 0, although 0-2 are refused when used: librdkafka before 2.11.1 turns compression off without it.
    // To 9: sarama of 2021 sends 9 without asking; 10 and more bring addresses of new leaders and topic ids.
    api_promise{api_key::produce, {0, 9}},
    // From 4: batch v2. To 12: 13 names topics by id only.
    api_promise{api_key::fetch, {4, 12}},
    // To 6: 7 asks for the largest timestamp, which no index of ours finds yet. From 0 costs an old form of answer.
    api_promise{api_key::list_offsets, {1, 6}},
    // From 10 on topic ids are in the answers, and they are real.
    api_promise{api_key::metadata, {0, 12}},
    api_promise{api_key::find_coordinator, {0, 4}},
    api_promise{api_key::api_versions, {0, 4}},
    api_promise{api_key::create_topics, {2, 7}},
    api_promise{api_key::delete_topics, {1, 6}},
    api_promise{api_key::init_producer_id, {0, 4}},
    api_promise{api_key::offset_for_leader_epoch, {2, 4}},
    api_promise{api_key::describe_configs, {0, 4}},
};

// An empty range when nothing is promised.
constexpr version_range promised(api_key key) {
  for (auto& promise : api_promises)
    if (promise.key == key) return promise.versions;
  return {0, -1};
}

} // namespace pessoa::kafka
