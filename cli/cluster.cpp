// pessoa cluster info|health
#include "cli/connection.hpp"
#include "cli/interrupt.hpp"
#include "cli/json.hpp"
#include "cli/table.hpp"
#include "cli/values.hpp"

namespace pessoa::cli {

namespace {

struct cluster_options {
  connection_options connection;
  bool as_json = false;
  bool watch = false;
  bool exit_when_healthy = false;
  std::optional<std::chrono::milliseconds> timeout;
};

json text_or_null(const std::string& text) { return text.empty() || text == "off" ? json{} : json(text); }

int info(console& term, const cluster_options& o) {
  auto cluster = connect(o.connection, term);
  if (!cluster) return fail(term, cluster.error());
  auto found = cluster->info();
  if (!found) return fail(term, found.error());
  json nodes = json::array();
  table text{{">node", "state", "rpc", "kafka", "rack", "voter", ">leaders", ">replicas"}};
  for (auto& n : found->nodes) {
    nodes.push_back({{"id", n.id},
                     {"state", n.state},
                     {"rpc", text_or_null(n.rpc)},
                     {"kafka", text_or_null(n.kafka)},
                     {"rack", text_or_null(n.rack)},
                     {"voter", n.voter},
                     {"leaders", n.leaders},
                     {"replicas", n.replicas}});
    text.row({std::to_string(n.id), n.state, n.rpc, n.kafka.empty() ? "off" : n.kafka, n.rack,
              n.voter ? "yes" : "no", std::to_string(n.leaders), std::to_string(n.replicas)});
  }
  if (o.as_json) {
    term.line(print({{"clusterId", found->cluster_id}, {"controller", found->controller}, {"nodes", nodes}}));
    return exit_ok;
  }
  term.line("cluster     " + found->cluster_id);
  term.line("controller  "
            + (found->controller < 0 ? std::string{"none"} : "node " + std::to_string(found->controller)));
  term.line("");
  term.write(text.text());
  return exit_ok;
}

std::string as_json(const client::cluster_health& h) {
  return print({{"healthy", h.healthy},
                {"reasons", h.reasons},
                {"nodesDown", h.nodes_down},
                {"leaderless", h.leaderless},
                {"underReplicated", h.under_replicated},
                {"belowWanted", h.below_wanted}});
}

std::string as_text(const client::cluster_health& h) {
  std::string down;
  for (auto id : h.nodes_down)
    down += (down.empty() ? "" : ",") + std::to_string(id);
  std::string out = std::string{"healthy           "} + (h.healthy ? "yes" : "no");
  for (auto& reason : h.reasons)
    out += "\nreason            " + reason;
  out += "\nnodes down        " + (down.empty() ? "none" : down);
  out += "\nleaderless        " + std::to_string(h.leaderless);
  out += "\nunder-replicated  " + std::to_string(h.under_replicated);
  out += "\nbelow wanted      " + std::to_string(h.below_wanted);
  return out;
}

// Asks again and again, over one connection while it lasts. A cluster that cannot be reached is an unhealthy one: that is
// what this command is asked for.
class health_probe {
public:
  health_probe(const target& to, std::chrono::milliseconds patience) : settings_(settings_for(to)) {
    auto ms = std::to_string(std::max<int64_t>(1, std::min<int64_t>(patience.count(), 5000)));
    settings_.set("default.api.timeout.ms", ms).value();
    settings_.set("socket.connection.setup.timeout.ms", ms).value();
  }

  client::cluster_health ask() {
    if (!cluster_) {
      auto made = client::cluster::connect(settings_);
      if (!made) return unreachable(made.error());
      cluster_ = *made;
    }
    auto found = cluster_->health();
    if (found) return *found;
    cluster_.reset();
    return unreachable(found.error());
  }

private:
  static client::cluster_health unreachable(const client::error& e) {
    client::cluster_health out;
    out.reasons.push_back("the cluster cannot be asked: " + e.message);
    for (auto& cause : e.last_causes)
      out.reasons.push_back(cause);
    return out;
  }
  client::settings settings_;
  std::optional<client::cluster> cluster_;
};

int health(console& term, const cluster_options& o) {
  using clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds between_questions{250};
  if (o.timeout && !o.exit_when_healthy)
    return term.usage("--timeout belongs to -e, which waits for a healthy cluster", "pessoa cluster health");
  auto to = resolve(o.connection, term);
  if (!to) return term.fail(to.error());
  auto timeout = o.timeout.value_or(std::chrono::seconds{60});
  bool waits = o.watch || o.exit_when_healthy;
  interrupts signals;
  health_probe probe{*to, o.exit_when_healthy ? timeout : std::chrono::milliseconds{5000}};
  auto deadline = clock::now() + timeout;
  std::string shown;
  while (true) {
    auto now = probe.ask();
    auto text = o.as_json ? as_json(now) : as_text(now);
    bool last = !waits || (o.exit_when_healthy && (now.healthy || clock::now() >= deadline));
    if ((o.watch || last) && text != shown) {
      if (!shown.empty() && !o.as_json) term.line("");
      term.line(text);
      shown = text;
      if (!term.flush()) return exit_ok;
    }
    if (last) {
      if (!now.healthy && waits) term.say("not healthy within " + std::to_string(timeout.count()) + " ms");
      return now.healthy ? exit_ok : exit_unhealthy;
    }
    if (!signals.wait_for(between_questions) || term.reader_gone())
      return o.exit_when_healthy ? exit_unhealthy : exit_ok;
  }
}

} // namespace

void add_cluster(command root, invocation& inv) {
  auto app = root.add_subcommand("cluster", "The nodes of a cluster, and whether it is healthy");
  app.require_subcommand();
  auto o = std::make_shared<cluster_options>();

  auto show = app.add_subcommand("info", "Cluster id, controller and nodes");
  add_output(show, o->as_json);
  add_connection(show, o->connection);
  show.callback([&inv, o] { inv.run = [&term = inv.term, o] { return info(term, *o); }; });

  auto check = app.add_subcommand("health", "Exit 0 when healthy, 3 when not");
  check.add_flag("-w,--watch", o->watch, "Go on, and print on every change");
  check.add_flag("-e,--exit-when-healthy", o->exit_when_healthy, "Wait until it is healthy");
  check.add_parsed("--timeout", o->timeout, parse_duration, "How long -e waits (60s)");
  add_output(check, o->as_json);
  add_connection(check, o->connection);
  check.callback([&inv, o] { inv.run = [&term = inv.term, o] { return health(term, *o); }; });
}

} // namespace pessoa::cli
