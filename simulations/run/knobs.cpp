#include "simulations/run/knobs.hpp"

#include "client/core/client_config.hpp"
#include "schema/assert.hpp"
#include "schema/crc32c.hpp"
#include "schema/topic_config.hpp"
#include "simulations/world/streams.hpp"

namespace pessoa::sim {

namespace {

constexpr int tiny = 0, usual = 1, huge = 2;

} // namespace

int knobs::draw(bool drawn, const std::string& owner, std::string_view setting) const {
  if (!drawn) return usual;
  // One seed in ten is as people run it.
  if (seeded_random{seed_ ^ 0x6b6e6f6273}.below(10) == 0) return usual;
  auto name = owner + "/" + std::string{setting};
  seeded_random random{seed_ ^ uint64_t{crc32c(as_bytes(name))} << 32};
  auto number = random.below(4);
  return number == 0 ? tiny : number == 1 ? huge : usual;
}

void knobs::note(const std::string& owner, const std::map<std::string, std::string>& settings) {
  auto& line = drawn_[owner];
  line.clear();
  for (auto& [name, value] : settings)
    line += (line.empty() ? "" : " ") + name + "=" + value;
}

node::node_settings knobs::of_node(const std::string& address) {
  std::map<std::string, std::string> flags{{"data", "data"},
                                           {"new", "on"},
                                           {"host", address},
                                           {"listen", address + ":18880"},
                                           {"kafka-listen", address + ":9092"},
                                           {"http-listen", address + ":18882"}};
  for (auto& info : node::setting_table()) {
    if (info.tiny.empty()) continue;
    auto drawn = draw(what_.draw_node, address, info.name);
    // As many as the machine has is another number on another machine.
    bool of_machine = info.default_text == "0";
    if (drawn == usual && !of_machine) continue;
    flags.emplace(info.name, drawn == huge ? info.huge : info.tiny);
  }
  for (auto& [name, value] : what_.node)
    flags[name] = value;
  note("node " + address, flags);
  auto loaded = node::load_settings({flags, {}, std::nullopt});
  PESSOA_ASSERT(loaded.ok(), loaded.error());
  return std::move(loaded->settings);
}

std::map<std::string, std::string> knobs::of_client(const std::string& name, const std::string& bootstrap) {
  std::map<std::string, std::string> out{{"bootstrap.servers", bootstrap}, {"auto.offset.reset", "earliest"}};
  for (auto& ends : client::settings_to_draw()) {
    auto drawn = draw(what_.draw_clients, name, ends.name);
    if (drawn != usual) out.emplace(ends.name, drawn == tiny ? ends.tiny : ends.huge);
  }
  constexpr const char* codecs[] = {"none", "none", "gzip", "snappy", "lz4", "zstd"};
  seeded_random random{seed_ ^ uint64_t{crc32c(as_bytes(name))} << 32};
  out.emplace("compression.type", codecs[random.below(std::size(codecs))]);
  for (auto& [setting, value] : what_.client)
    out[setting] = value;
  note(name, out);
  return out;
}

std::map<std::string, std::string> knobs::of_topic(const std::string& name, bool may_shrink) {
  std::map<std::string, std::string> out;
  for (auto& key : topic_config_keys()) {
    if (key.tiny.empty() || (!may_shrink && key.name.starts_with("retention."))) continue;
    auto drawn = draw(what_.draw_topics, name, key.name);
    if (drawn != usual) out.emplace(key.name, drawn == tiny ? key.tiny : key.huge);
  }
  if (draw(what_.draw_topics, name, "message.timestamp.type") == huge)
    out.emplace("message.timestamp.type", "LogAppendTime");
  for (auto& [setting, value] : what_.topic)
    out[setting] = value;
  note("topic " + name, out);
  return out;
}

} // namespace pessoa::sim
