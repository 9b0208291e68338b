#include "persistence/directory_identity.hpp"

#include "schema/crc32c.hpp"
#include "schema/seams/random.hpp"

#include <charconv>
#include <cstdio>
#include <optional>

namespace pessoa::persistence {

namespace {

constexpr std::string_view identity_title = "pessoa-directory ";
constexpr int format_version = 1;

std::string with_checksum(std::string text) {
  char line[16];
  std::snprintf(line, sizeof line, "crc %08x\n", crc32c(as_bytes(text)));
  return text += line;
}

// Takes "NAME VALUE\n" off the front of `text`.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  auto end = text.find('\n');
  if (end == std::string_view::npos || text.substr(0, name.size()) != name) return std::nullopt;
  auto value = text.substr(name.size(), end - name.size());
  text.remove_prefix(end + 1);
  return value;
}

std::optional<int32_t> parse_number(std::string_view text) {
  int32_t number = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

} // namespace

directory_identity directory_identity::draw(cluster_id cluster, node_id node, random_source& random) {
  return {cluster, directory_id{draw_uuid(random)}, node};
}

std::string directory_identity::encode() const {
  return with_checksum(std::string{identity_title} + std::to_string(format_version) + "\ncluster "
                       + to_string(cluster) + "\ndirectory " + to_string(directory) + "\nnode "
                       + std::to_string(node.value()) + "\n");
}

result<directory_identity> directory_identity::decode(byte_view data) {
  auto text = as_text(data);
  auto damaged = [](const char* what) { return error{ec::corrupt_data, std::string{"identity: "} + what}; };
  auto version = take_line(text, identity_title);
  auto number = version ? parse_number(*version) : std::nullopt;
  if (!number) return damaged("it does not begin with 'pessoa-directory VERSION'");
  if (*number > format_version)
    return {ec::unsupported_version, "the data directory has format " + std::to_string(*number)
                                         + ", this software knows " + std::to_string(format_version)};
  auto cluster = take_line(text, "cluster ");
  auto directory = take_line(text, "directory ");
  auto node = take_line(text, "node ");
  auto cluster_raw = cluster ? parse_uuid(*cluster) : std::nullopt;
  auto directory_raw = directory ? parse_uuid(*directory) : std::nullopt;
  auto node_number = node ? parse_number(*node) : std::nullopt;
  if (!cluster_raw || !directory_raw || !node_number) return damaged("a line is missing or damaged");
  directory_identity identity{cluster_id{*cluster_raw}, directory_id{*directory_raw}, node_id{*node_number}};
  if (identity.encode() != as_text(data)) return damaged("it contradicts its checksum");
  return identity;
}

std::ostream& operator<<(std::ostream& out, const directory_identity& identity) {
  return out << "cluster " << identity.cluster << " directory " << identity.directory << " node "
             << identity.node;
}

std::string clean_stop_mark(const directory_id& directory) {
  return with_checksum("pessoa-clean-stop " + std::to_string(format_version) + "\ndirectory "
                       + to_string(directory) + "\n");
}

} // namespace pessoa::persistence
