// pessoa topic: the family, and what its members share.
#include "cli/topic.hpp"

#include "schema/topic_config.hpp"

namespace pessoa::cli {

void add_topic_name(command app, std::string& target) {
  app.add_parsed(
         "TOPIC", target,
         [](const std::string& text) -> result<std::string> {
           PESSOA_CHECK(check_topic_name(text));
           return text;
         },
         "The topic")
      .required();
}

void add_topic_config(command app, std::map<std::string, std::string>& target, bool empty_resets) {
  std::string about = "KEY=VALUE of the topic's settings; may be repeated";
  if (empty_resets) about += "; an empty value goes back to the default";
  app.add_each_taken(
      "-c,--topic-config",
      [&target, empty_resets](const std::string& entry) -> result<void> {
        auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0)
          return error{ec::invalid_argument, pessoa::quoted(entry) + " is not KEY=VALUE"};
        auto key = entry.substr(0, equals);
        auto value = entry.substr(equals + 1);
        // Checked here with the table that the node uses, so that a slip costs no round trip.
        topic_config scratch;
        bool reset = empty_resets && value.empty();
        auto current = scratch.entries();
        PESSOA_CHECK(scratch.set(key, reset && current.count(key) != 0 ? current[key] : value));
        target[key] = value;
        return {};
      },
      about);
}

std::string settings_footer() {
  std::string out = "Settings:\n";
  for (auto& key : topic_config_keys()) {
    std::string name{key.name};
    name.resize(std::max<size_t>(name.size() + 1, 34), ' ');
    out += "  " + name + std::string{key.about} + " (" + std::string{key.type} + ")\n";
  }
  return out;
}

size_t replicas_of(const client::topic_info& topic) {
  size_t most = 0;
  for (auto& partition : topic.partitions)
    most = std::max(most, partition.replicas.size());
  return most;
}

void add_topic(command root, invocation& inv) {
  auto app = root.add_subcommand("topic", "Create, list, describe, alter and delete topics");
  app.require_subcommand();
  add_topic_create(app, inv);
  add_topic_list(app, inv);
  add_topic_describe(app, inv);
  add_topic_alter(app, inv);
  add_topic_delete(app, inv);
  add_produce(app, inv);
  add_consume(app, inv);
}

} // namespace pessoa::cli
