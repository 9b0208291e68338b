#include "kafka/handlers/topic_settings.hpp"

#include "schema/assert.hpp"

namespace pessoa::kafka {

namespace {

struct known {
  std::string_view name;
  config_type type;
  std::string_view broker_name;
};

using t = config_type;
constexpr known all_known[] = {
    {"cleanup.policy", t::list, "log.cleanup.policy"},
    {"compression.type", t::string, "compression.type"},
    {"flush.messages", t::int64, "log.flush.interval.messages"},
    {"max.message.bytes", t::int32, "message.max.bytes"},
    {"message.timestamp.after.max.ms", t::int64, "log.message.timestamp.after.max.ms"},
    {"message.timestamp.before.max.ms", t::int64, "log.message.timestamp.before.max.ms"},
    {"message.timestamp.type", t::string, "log.message.timestamp.type"},
    {"min.insync.replicas", t::int32, "min.insync.replicas"},
    {"preallocate", t::boolean, "log.preallocate"},
    {"retention.bytes", t::int64, "log.retention.bytes"},
    {"retention.ms", t::int64, "log.retention.ms"},
    {"segment.bytes", t::int32, "log.segment.bytes"},
    {"segment.ms", t::int64, "log.roll.ms"},
    {"unclean.leader.election.enable", t::boolean, "unclean.leader.election.enable"},
};

const known& find(std::string_view name) {
  for (auto& k : all_known)
    if (k.name == name) return k;
  PESSOA_ASSERT(false, name); // the table above lacks a new setting
}

// 0 follows the factor; who asks wants to know what that comes to.
std::string effective_insync(size_t replicas) { return std::to_string(replicas <= 2 ? 1 : replicas / 2 + 1); }

} // namespace

std::vector<shown_setting> show_settings(const topic_config& config,
                                         const std::map<std::string, std::string>& chosen, size_t replicas) {
  auto now = config.entries(), by_default = topic_config{}.entries();
  std::vector<shown_setting> out;
  for (auto& key : topic_config_keys()) {
    auto& k = find(key.name);
    std::string name{key.name};
    auto& entry = out.emplace_back();
    entry.name = key.name;
    entry.type = k.type;
    entry.about = key.about;
    entry.broker_name = k.broker_name;
    entry.chosen = chosen.contains(name);
    entry.value = now.at(name);
    entry.default_value = by_default.at(name);
    if (name == "min.insync.replicas") {
      entry.default_value = effective_insync(replicas);
      if (entry.value == "0") entry.value = entry.default_value;
    }
  }
  return out;
}

} // namespace pessoa::kafka
