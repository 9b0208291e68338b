#include "persistence/producer_snapshots.hpp"

#include "persistence/log_files.hpp"
#include "schema/plants.hpp"

#include <algorithm>

namespace pessoa::persistence {

namespace {

constexpr size_t snapshot_bytes_max = 256u << 20;
constexpr size_t newest = 2;

} // namespace

std::string producer_snapshots::path(offset end) const {
  return directory_ + "/" + file_name(end, producers_suffix);
}

result<std::vector<offset>> producer_snapshots::list() {
  PESSOA_TRY(auto names, env_.list_directory(directory_));
  std::vector<offset> ends;
  for (auto& name : names)
    if (auto end = parse_file_name(name, producers_suffix)) ends.push_back(*end);
  std::sort(ends.begin(), ends.end());
  return ends;
}

result<void> producer_snapshots::write(offset end, const producer_table& table, bool durable, offset kept) {
  auto data = table.encode();
  if (durable) { // one of that offset may be all there is of it
    PESSOA_CHECK(replace_file(env_, path(end), byte_view{data}));
  } else {
    PESSOA_CHECK(env_.remove_file(path(end)));
    PESSOA_TRY(auto file, env_.open_file(path(end), open_mode::create_new));
    PESSOA_CHECK(file->write_at(0, byte_view{data}));
  }
  PESSOA_TRY(auto ends, list());
  for (size_t i = 0; i + newest < ends.size(); ++i)
    if (ends[i] != kept) PESSOA_CHECK(env_.remove_file(path(ends[i])));
  return {};
}

std::pair<offset, producer_table> producer_snapshots::load(offset end, bool& lost) {
  auto ends = list();
  if (!ends.ok()) {
    lost = true;
    return {offset{0}, producer_table{}};
  }
  for (auto at = ends->rbegin(); at != ends->rend(); ++at) {
    if (*at > end) continue;
    auto data = read_whole_file(env_, path(*at), snapshot_bytes_max);
    auto table = data.ok() ? producer_table::decode(*data) : result<producer_table>{data.error()};
    if (table.ok()) {
      PESSOA_PROBE("producers_from_snapshot");
      return {*at, std::move(*table)};
    }
    PESSOA_PROBE("snapshot_damaged");
    lost = true;
  }
  return {offset{0}, producer_table{}};
}

result<offset> producer_snapshots::sync_newest() {
  bool lost = false;
  auto newest = load(offset_max, lost).first;
  if (newest == offset{0}) return newest;
  PESSOA_TRY(auto file, env_.open_file(path(newest), open_mode::read_write));
  PESSOA_CHECK(file->sync());
  PESSOA_CHECK(env_.sync_directory(directory_));
  return newest;
}

result<void> producer_snapshots::remove_above(offset end) {
  PESSOA_TRY(auto ends, list());
  for (auto at : ends)
    if (at > end) PESSOA_CHECK(env_.remove_file(path(at)));
  return {};
}

} // namespace pessoa::persistence
