#include "cli/dev_cluster.hpp"

#include "schema/topic_config.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

constexpr std::chrono::seconds ready_patience{60};
constexpr std::chrono::seconds stop_patience{60};
constexpr std::chrono::seconds kill_patience{30};

json address_json(const std::optional<std::string>& address) { return address ? json(*address) : json{}; }

std::optional<std::string> read_address(const json& node, const char* key) {
  auto found = node.find(key);
  if (found == node.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

} // namespace

dev_node* dev_cluster::find(int id) {
  auto at = std::find_if(nodes.begin(), nodes.end(), [&](const dev_node& n) { return n.id == id; });
  return at == nodes.end() ? nullptr : &*at;
}

result<ready_line> parse_ready_line(std::string_view line) {
  auto bad = error{ec::malformed_message, "unexpected ready line " + pessoa::quoted(line, 200)};
  ready_line out;
  bool has_node = false;
  if (!line.starts_with("ready ")) return bad;
  line.remove_prefix(6);
  while (!line.empty()) {
    auto space = line.find(' ');
    auto word = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    auto equals = word.find('=');
    if (equals == std::string_view::npos) return bad;
    auto key = word.substr(0, equals);
    auto value = word.substr(equals + 1);
    auto address = value == "off" ? std::nullopt : std::optional{std::string{value}};
    if (key == "node") {
      auto parsed = std::from_chars(value.data(), value.data() + value.size(), out.id);
      has_node = parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size();
    } else if (key == "rpc") {
      out.at.rpc = value;
    } else if (key == "peer") {
      out.at.peer = address;
    } else if (key == "kafka") {
      out.at.kafka = address;
    } else if (key == "http") {
      out.at.http = address;
    }
  }
  if (!has_node || out.at.rpc.empty()) return bad;
  return out;
}

result<dev_cluster> load_dev_cluster(const profile_store& store, const std::string& name) {
  auto found = store.load(name);
  if (!found && found.error().code == ec::not_found)
    return error{ec::not_found,
                 "there is no development cluster " + pessoa::quoted(name) + ": 'pessoa dev up' starts one"};
  if (!found) return found.error();
  auto& dev = found->dev;
  if (!dev.is_object() || !dev.contains("directory") || !dev["directory"].is_string()
      || !dev.contains("nodes") || !dev["nodes"].is_array())
    return error{ec::invalid_argument, "the profile " + name + " names no development cluster"};
  dev_cluster out;
  out.name = name;
  out.directory = dev["directory"].get<std::string>();
  out.former = read_address(dev, "former").value_or("");
  for (auto& entry : dev["nodes"]) {
    auto number = [&](const char* key) {
      auto at = entry.find(key);
      return at != entry.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
    };
    dev_node node;
    node.id = static_cast<int>(number("id"));
    node.runs = {static_cast<pid_t>(number("pid")), static_cast<uint64_t>(number("startTime"))};
    node.at = {read_address(entry, "rpc").value_or(""), read_address(entry, "peer"),
               read_address(entry, "kafka"), read_address(entry, "http")};
    out.nodes.push_back(std::move(node));
  }
  return out;
}

result<void> save_dev_cluster(const profile_store& store, const dev_cluster& cluster,
                              const std::string& cluster_id) {
  profile p;
  p.name = cluster.name;
  p.cluster_id = cluster_id;
  json nodes = json::array();
  for (auto& node : cluster.nodes) {
    if (!node.at.rpc.empty()) p.bootstrap.push_back(node.at.rpc);
    nodes.push_back({{"id", node.id},
                     {"pid", node.runs.pid},
                     {"startTime", node.runs.start_time},
                     {"rpc", node.at.rpc},
                     {"peer", address_json(node.at.peer)},
                     {"kafka", address_json(node.at.kafka)},
                     {"http", address_json(node.at.http)}});
  }
  p.dev = {{"directory", cluster.directory}, {"former", cluster.former}, {"nodes", nodes}};
  return store.save(p);
}

std::string_view state_name(const dev_node& node) {
  switch (state_of(node.runs)) {
  case process_state::up:
    return "up";
  case process_state::paused:
    return "paused";
  case process_state::gone:
    break;
  }
  return "down";
}

json to_json(const dev_cluster& cluster) {
  json nodes = json::array();
  for (auto& node : cluster.nodes) {
    auto state = state_name(node);
    nodes.push_back({{"id", node.id},
                     {"state", state},
                     {"pid", state == "down" ? json{} : json(node.runs.pid)},
                     {"rpc", node.at.rpc},
                     {"peer", address_json(node.at.peer)},
                     {"kafka", address_json(node.at.kafka)},
                     {"http", address_json(node.at.http)},
                     {"data", cluster.data_of(node.id)}});
  }
  return {{"nodes", nodes}};
}

// No address for peers, whom no node listens to yet: it would only warn.
std::vector<std::string> start_arguments(const std::string& data, const node_addresses& at) {
  return {own_path(),
          "start",
          "--data",
          data,
          "--new",
          "--auto-create",
          "on",
          "--listen",
          at.rpc,
          "--kafka-listen",
          at.kafka.value_or("off"),
          "--http-listen",
          at.http.value_or("off")};
}

result<void> start_node(const dev_cluster& cluster, dev_node& node, bool dies_with_us) {
  auto log = cluster.log_of(node.id);
  std::error_code trouble;
  std::filesystem::create_directories(std::filesystem::path{log}.parent_path(), trouble);
  if (trouble)
    return error{ec::storage_failed, "cannot create " + cluster.directory + ": " + trouble.message()};
  size_t before = std::filesystem::exists(log, trouble) ? std::filesystem::file_size(log, trouble) : 0;
  PESSOA_TRY(auto started, spawn({start_arguments(cluster.data_of(node.id), node.at), log, dies_with_us}));
  auto line = await_line(started, log, before, "ready ", ready_patience);
  if (!line) {
    bool slow = line.error().code == ec::timed_out;
    send_signal(started, SIGKILL);
    (void)await_end(started, kill_patience);
    return error{line.error().code, "node " + std::to_string(node.id)
                                        + (slow ? " was not ready within 60 s" : " ended before it was ready")
                                        + "; its log (" + log + ") ends with:\n" + line.error().message};
  }
  PESSOA_TRY(auto ready, parse_ready_line(*line));
  node.runs = started;
  node.at = ready.at;
  return {};
}

result<void> stop_node(const dev_node& node) {
  if (!send_signal(node.runs, SIGTERM)) return {};
  send_signal(node.runs, SIGCONT); // a paused one would hear nothing
  if (await_end(node.runs, stop_patience)) return {};
  return error{ec::timed_out, "node " + std::to_string(node.id)
                                  + " did not stop within 60 s: 'pessoa dev kill " + std::to_string(node.id)
                                  + "' ends it at once"};
}

result<void> kill_node(const dev_node& node) {
  if (!send_signal(node.runs, SIGKILL)) return {};
  if (await_end(node.runs, kill_patience)) return {};
  return error{ec::timed_out, "node " + std::to_string(node.id) + " (pid " + std::to_string(node.runs.pid)
                                  + ") is still there 30 s after SIGKILL: it hangs in the kernel"};
}

std::string free_or_any(uint16_t port) {
  int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on); // as the node does: old connections are no obstacle
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool free = ::bind(probe, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && ::listen(probe, 1) == 0;
  ::close(probe);
  return "127.0.0.1:" + std::to_string(free ? port : 0);
}

} // namespace pessoa::cli
