#include "cli/connection.hpp"

#include "cli/profile.hpp"
#include "node/settings.hpp"
#include "schema/topic_config.hpp"

namespace pessoa::cli {

namespace {

// HOST:PORT[,HOST:PORT...], every one of them callable.
result<void> check_addresses(std::string_view text, std::string_view origin) {
  while (true) {
    auto comma = text.find(',');
    auto one = node::parse_endpoint(text.substr(0, comma));
    if (!one || one->port == 0)
      return error{ec::invalid_argument, std::string{origin} + ": " + pessoa::quoted(text.substr(0, comma))
                                             + " is not HOST:PORT, such as 127.0.0.1:18880"};
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

} // namespace

void add_connection(command app, connection_options& options) {
  app.add_text("-b,--bootstrap,--bootstrap-server,--brokers", options.bootstrap,
               "HOST:PORT[,...] of the cluster (PESSOA_BOOTSTRAP, the selected profile, 127.0.0.1:18880)");
  app.add_text("--profile", options.profile, "The profile that names the cluster");
}

result<target> resolve(const connection_options& options, console& term) {
  if (options.bootstrap) {
    PESSOA_CHECK(check_addresses(*options.bootstrap, "--bootstrap"));
    return target{*options.bootstrap, "--bootstrap", {}};
  }
  if (auto text = term.variable("PESSOA_BOOTSTRAP"); !text.empty()) {
    if (options.profile) term.warn("PESSOA_BOOTSTRAP is set and wins over --profile " + *options.profile);
    PESSOA_CHECK(check_addresses(text, "PESSOA_BOOTSTRAP"));
    return target{text, "PESSOA_BOOTSTRAP", {}};
  }
  profile_store store{term.env()};
  auto name = options.profile ? *options.profile : store.selected();
  if (name.empty()) return target{"127.0.0.1:18880", "default", {}};
  PESSOA_TRY(auto found, store.load(name));
  std::string addresses;
  for (auto& address : found.bootstrap)
    addresses += (addresses.empty() ? "" : ",") + address;
  PESSOA_CHECK(check_addresses(addresses, "profile " + name));
  return target{addresses, "profile " + name, found.cluster_id};
}

client::settings settings_for(const target& to) {
  client::settings out;
  out.set("bootstrap.servers", to.bootstrap).value();
  out.set("client.id", "pessoa-cli").value();
  if (!to.cluster_id.empty()) out.set("cluster.id", to.cluster_id).value();
  return out;
}

client::result<client::cluster> connect(const connection_options& options, console& term) {
  auto to = resolve(options, term);
  if (!to) return to.error();
  auto connected = client::cluster::connect(settings_for(*to));
  if (connected || to->origin == "--bootstrap") return connected;
  // Nobody typed this address: say where it came from.
  auto e = connected.error();
  e.message += " (address from: " + to->origin + ")";
  return e;
}

int fail(console& term, const client::error& e) {
  term.flush();
  term.say(term.paint(colour::red, "error:") + " " + client::explain(e));
  return status_of(e.code);
}

void announce(console& term, const client::cluster& cluster) {
  term.say("cluster " + cluster.id() + " (" + cluster.address() + ")");
}

} // namespace pessoa::cli
