// What the members of `pessoa topic` share.
#pragma once

#include "cli/command.hpp"
#include "cli/connection.hpp"

#include <map>

namespace pessoa::cli {

void add_topic_alter(command topic, invocation& inv);
void add_topic_create(command topic, invocation& inv);
void add_topic_delete(command topic, invocation& inv);
void add_topic_describe(command topic, invocation& inv);
void add_topic_list(command topic, invocation& inv);

// The positional TOPIC, required and checked.
void add_topic_name(command app, std::string& target);
// -c KEY=VALUE, checked against the table of settings.
void add_topic_config(command app, std::map<std::string, std::string>& target, bool empty_resets);
// The table of settings, for --help.
std::string settings_footer();

// How many copies each partition has now; more may be wanted than there are nodes.
size_t replicas_of(const client::topic_info& topic);

// Creates it and tells what people should know about it (one consumer per group; how long records are kept).
client::result<client::topic_info> create_topic(console& term, const client::cluster& cluster,
                                                const client::new_topic& wanted);

} // namespace pessoa::cli
