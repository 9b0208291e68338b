// pessoa dev: a development cluster on this machine.
#include "cli/dev.hpp"

#include "cli/connection.hpp"
#include "cli/dev_cluster.hpp"
#include "cli/table.hpp"
#include "cli/values.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

struct dev_options {
  std::string name = "dev";
  std::optional<std::string> directory;
  int64_t count = 1;
  int64_t id = 0;
  bool purge = false;
  bool as_json = false;
};

// One command at a time changes a cluster. Released by the end of the process at the latest; children do not inherit it.
class cluster_lock {
public:
  explicit cluster_lock(const std::string& directory) {
    std::error_code ignored;
    std::filesystem::create_directories(directory, ignored);
    descriptor_ = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ >= 0) (void)::flock(descriptor_, LOCK_EX);
  }
  cluster_lock(const cluster_lock&) = delete;
  cluster_lock& operator=(const cluster_lock&) = delete;
  ~cluster_lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

private:
  int descriptor_;
};

std::string default_directory(console& term, const std::string& name) {
  auto base = term.variable("XDG_DATA_HOME");
  if (base.empty()) base = term.variable("HOME") + "/.local/share";
  return base + "/pessoa/" + name;
}

void show(console& term, const dev_cluster& cluster, bool as_json) {
  if (as_json) {
    term.line(print(to_json(cluster)));
    return;
  }
  table text{{">node", "state", ">pid", "rpc", "kafka", "http", "data"}};
  for (auto& node : cluster.nodes) {
    auto state = state_name(node);
    text.row({std::to_string(node.id), std::string{state},
              state == "down" ? "-" : std::to_string(node.runs.pid), node.at.rpc,
              node.at.kafka.value_or("off"), node.at.http.value_or("off"), cluster.data_of(node.id)});
  }
  term.write(text.text());
}

// The id that the profile pins. Empty when the cluster cannot be asked now: then nothing is pinned.
std::string cluster_id_of(const dev_cluster& cluster) {
  client::settings settings;
  settings.set("bootstrap.servers", cluster.nodes.front().at.rpc).value();
  settings.set("bootstrap.wait.ms", "10000").value();
  auto connected = client::cluster::connect(settings);
  return connected ? connected->id() : std::string{};
}

result<void> remember(console& term, const dev_cluster& cluster) {
  return save_dev_cluster(profile_store{term.env()}, cluster, cluster_id_of(cluster));
}

void announce_dev(console& term, const dev_cluster& cluster) {
  auto& rpc = cluster.nodes.front().at.rpc;
  term.say("cluster " + cluster.name + " (" + (rpc.empty() ? "not started" : rpc) + ")");
}

// The default ports, or others where somebody holds them, which is said. What is free now may be taken by the time that the
// node listens there.
void choose_ports(console& term, dev_node& node) {
  auto step = static_cast<uint16_t>(10 * (node.id - 1));
  auto choose = [&](uint16_t port, std::string_view what) {
    auto address = free_or_any(static_cast<uint16_t>(port + step));
    if (address.ends_with(":0"))
      term.say(term.paint(colour::yellow, "port " + std::to_string(port + step) + " is taken: node "
                                              + std::to_string(node.id) + " gets another for "
                                              + std::string{what}));
    return address;
  };
  node.at.rpc = choose(18880, "clients");
  node.at.kafka = choose(9092, "Kafka");
  node.at.http = choose(18882, "HTTP");
}

// Two that begin at once may choose the same: who comes second chooses again, and at last lets the system choose.
result<void> start_on_free_ports(console& term, const dev_cluster& cluster, dev_node& node) {
  constexpr int attempts = 3;
  constexpr const char *any_port = "127.0.0.1:0",
                       *port_taken = "another program is listening there"; // the node's words
  for (int attempt = 1;; ++attempt) {
    if (attempt < attempts)
      choose_ports(term, node);
    else
      for (auto* address : {&node.at.rpc, &node.at.kafka.emplace(), &node.at.http.emplace()})
        *address = any_port;
    auto started = start_node(cluster, node);
    if (started || attempt == attempts || started.error().message.find(port_taken) == std::string::npos)
      return started;
  }
}

void next_steps(console& term, const dev_cluster& cluster) {
  std::string kafka;
  for (auto& node : cluster.nodes)
    if (node.at.kafka) kafka += (kafka.empty() ? "" : ",") + *node.at.kafka;
  if (!kafka.empty()) term.line("export KAFKA_BOOTSTRAP=" + kafka);
  term.say("profile " + cluster.name + " is selected; next:");
  term.say("  pessoa topic create hello");
  term.say("  seq 3 | pessoa produce hello");
  term.say("  pessoa consume hello -e");
  term.say("  pessoa dev kill 1; pessoa dev start 1; pessoa dev down");
}

int up(console& term, const dev_options& o) {
  if (o.count > 1)
    return term.refuse(exit_usage,
                       "-n " + std::to_string(o.count)
                           + ": clusters of several nodes are not there yet in pessoa " PESSOA_VERSION,
                       "-n 1");
  profile_store store{term.env()};
  auto found = load_dev_cluster(store, o.name);
  if (!found && found.error().code != ec::not_found) return term.fail(found.error());
  dev_cluster cluster;
  if (found) cluster = *found;
  std::error_code trouble;
  auto directory = o.directory ? std::filesystem::absolute(*o.directory, trouble).lexically_normal().string()
                   : cluster.directory.empty() ? default_directory(term, o.name)
                                               : cluster.directory;
  if (found && directory != cluster.directory) {
    for (auto& node : cluster.nodes)
      if (state_of(node.runs) != process_state::gone)
        return term.fail({ec::invalid_argument,
                          "cluster " + o.name + " runs in " + cluster.directory
                              + ": 'pessoa dev down' ends it, --name NAME begins another beside it"});
    cluster.nodes.clear();
  }
  cluster.name = o.name;
  cluster.directory = directory;
  cluster_lock lock{directory};
  if (auto selected = store.selected(); selected != o.name) cluster.former = selected;
  if (cluster.nodes.empty()) {
    dev_node first;
    first.id = 1;
    cluster.nodes.push_back(first);
  }
  for (auto& node : cluster.nodes) {
    auto state = state_of(node.runs);
    if (state == process_state::paused)
      term.say("node " + std::to_string(node.id) + " is paused: 'pessoa dev resume " + std::to_string(node.id)
               + "'");
    if (state != process_state::gone) continue;
    if (auto started = start_on_free_ports(term, cluster, node); !started) return term.fail(started.error());
  }
  if (auto saved = remember(term, cluster); !saved) return term.fail(saved.error());
  if (auto selected = store.select(o.name); !selected) return term.fail(selected.error());
  announce_dev(term, cluster);
  show(term, cluster, o.as_json);
  if (!o.as_json) next_steps(term, cluster);
  return exit_ok;
}

int status(console& term, const dev_options& o) {
  auto cluster = load_dev_cluster(profile_store{term.env()}, o.name);
  if (!cluster) return term.fail(cluster.error());
  show(term, *cluster, o.as_json);
  return exit_ok;
}

int down(console& term, const dev_options& o) {
  profile_store store{term.env()};
  auto cluster = load_dev_cluster(store, o.name);
  if (!cluster) return term.fail(cluster.error());
  announce_dev(term, *cluster);
  cluster_lock lock{cluster->directory};
  for (auto& node : cluster->nodes) {
    if (auto stopped = stop_node(node); stopped) continue;
    term.warn("node " + std::to_string(node.id) + " did not stop by itself and is killed");
    if (auto killed = kill_node(node); !killed) return term.fail(killed.error());
  }
  if (store.selected() == o.name)
    if (auto selected = store.select(store.load(cluster->former) ? cluster->former : ""); !selected)
      return term.fail(selected.error());
  if (o.purge) {
    // Only what `up` made: a directory that a person chose may hold other things.
    std::error_code ignored;
    for (auto& node : cluster->nodes)
      std::filesystem::remove_all(cluster->directory + "/node-" + std::to_string(node.id), ignored);
    std::filesystem::remove(cluster->directory + "/lock", ignored);
    std::filesystem::remove(cluster->directory, ignored);
    store.remove(o.name);
    cluster->nodes.clear();
  }
  if (o.as_json) show(term, *cluster, true);
  return exit_ok;
}

using node_verb = result<void> (*)(console&, dev_cluster&, dev_node&);

result<void> do_kill(console&, dev_cluster&, dev_node& node) { return kill_node(node); }

result<void> do_pause(console&, dev_cluster&, dev_node& node) {
  if (!send_signal(node.runs, SIGSTOP))
    return error{ec::disconnected, "node " + std::to_string(node.id) + " is down and cannot be paused"};
  if (await_paused(node.runs, true, std::chrono::seconds{10})) return {};
  return error{ec::timed_out, "node " + std::to_string(node.id) + " is not paused 10 s after SIGSTOP"};
}

result<void> do_resume(console&, dev_cluster& cluster, dev_node& node) {
  if (!send_signal(node.runs, SIGCONT))
    return error{ec::disconnected, "node " + std::to_string(node.id) + " is down: 'pessoa dev start "
                                       + std::to_string(node.id) + "'"};
  (void)await_paused(node.runs, false, std::chrono::seconds{10});
  // Ready means that it answers.
  if (cluster_id_of(cluster).empty())
    return error{ec::timed_out, "node " + std::to_string(node.id) + " runs again but does not answer; see "
                                    + cluster.log_of(node.id)};
  return {};
}

result<void> do_start(console& term, dev_cluster& cluster, dev_node& node) {
  auto state = state_of(node.runs);
  if (state == process_state::paused) return do_resume(term, cluster, node);
  if (state == process_state::up) {
    term.say("node " + std::to_string(node.id) + " runs already");
    return {};
  }
  PESSOA_CHECK(start_node(cluster, node)); // on the ports it had
  return remember(term, cluster);
}

result<void> do_stop(console&, dev_cluster&, dev_node& node) { return stop_node(node); }

result<void> do_restart(console& term, dev_cluster& cluster, dev_node& node) {
  PESSOA_CHECK(stop_node(node));
  return do_start(term, cluster, node);
}

int on_node(console& term, const dev_options& o, node_verb verb) {
  auto cluster = load_dev_cluster(profile_store{term.env()}, o.name);
  if (!cluster) return term.fail(cluster.error());
  cluster_lock lock{cluster->directory};
  cluster = load_dev_cluster(profile_store{term.env()}, o.name); // as it is now that nobody else changes it
  if (!cluster) return term.fail(cluster.error());
  auto* node = cluster->find(static_cast<int>(o.id));
  if (node == nullptr)
    return term.fail({ec::not_found, "there is no node " + std::to_string(o.id) + ": the nodes are 1 to "
                                         + std::to_string(cluster->nodes.size())});
  announce_dev(term, *cluster);
  if (auto done = verb(term, *cluster, *node); !done) return term.fail(done.error());
  show(term, *cluster, o.as_json);
  return exit_ok;
}

void add_name(command app, dev_options& o) {
  app.add_parsed(
      "--name", o.name, [](const std::string& t) { return check_profile_name(t); },
      "The cluster's name and profile (dev)");
}

void add_node_verb(command dev, invocation& inv, const char* name, const char* about, node_verb verb) {
  auto app = dev.add_subcommand(name, about);
  auto o = std::make_shared<dev_options>();
  app.add_parsed(
         "N", o->id, [](const std::string& t) { return parse_integer(t, 1, 10'000, "a node's number"); },
         "The node")
      .required();
  add_name(app, *o);
  add_output(app, o->as_json);
  app.callback(
      [&inv, o, verb] { inv.run = [&term = inv.term, o, verb] { return on_node(term, *o, verb); }; });
}

} // namespace

void add_dev(command root, invocation& inv) {
  auto app = root.add_subcommand("dev", "A development cluster on this machine");
  app.require_subcommand();
  auto o = std::make_shared<dev_options>();
  auto add = [&](const char* name, const char* about, int (*run)(console&, const dev_options&)) {
    auto sub = app.add_subcommand(name, about);
    add_name(sub, *o);
    add_output(sub, o->as_json);
    sub.callback([&inv, o, run] { inv.run = [&term = inv.term, o, run] { return run(term, *o); }; });
    return sub;
  };
  auto start = add("up", "Start the cluster, and select its profile", up);
  start.add_parsed(
      "-n,--nodes", o->count,
      [](const std::string& t) { return parse_integer(t, 1, 100, "a number of nodes"); },
      "How many nodes (1)");
  start.add_text("--dir", o->directory, "Where its data lies (~/.local/share/pessoa/NAME)");
  add("status", "The nodes and their addresses", status);
  add_node_verb(app, inv, "kill", "SIGKILL; returns when the process is gone", do_kill);
  add_node_verb(app, inv, "pause", "SIGSTOP", do_pause);
  add_node_verb(app, inv, "resume", "SIGCONT; returns when the node answers", do_resume);
  add_node_verb(app, inv, "start", "Start a node on the ports it had; returns when it is ready", do_start);
  add_node_verb(app, inv, "stop", "Stop a node cleanly", do_stop);
  add_node_verb(app, inv, "restart", "Stop and start", do_restart);
  add("add", "Add a node (not there yet)", [](console& term, const dev_options&) {
    return term.refuse(exit_failed,
                       "clusters of several nodes are not there yet in pessoa " PESSOA_VERSION
                       "; no node was added",
                       "pessoa dev up --name OTHER, which begins a second cluster");
  });
  auto stop = add("down", "Stop all nodes, and select the former profile again", down);
  stop.add_flag("--purge", o->purge, "Delete the data and the profile too");
  add_dev_run(app, inv);
}

} // namespace pessoa::cli
