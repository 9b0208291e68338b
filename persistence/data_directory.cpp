#include "persistence/data_directory.hpp"

#include "schema/plants.hpp"

#include <algorithm>
#include <charconv>

namespace pessoa::persistence {

namespace {

constexpr std::string_view lock_name = "pessoa.lock";
constexpr std::string_view identity_name = "identity";
constexpr std::string_view temporary_suffix = ".tmp";
constexpr std::string_view deleted_prefix = "deleted-";
constexpr size_t uuid_text_size = 22;

bool is_temporary(std::string_view name) {
  return name.size() > temporary_suffix.size()
         && name.substr(name.size() - temporary_suffix.size()) == temporary_suffix;
}
bool is_deleted(std::string_view name) { return name.substr(0, deleted_prefix.size()) == deleted_prefix; }

// What a first start may leave behind when it dies before the identity is there, and what a file system puts
// there.
bool is_nobodys(std::string_view name) {
  return name == lock_name || name == "identity.tmp" || name == "lost+found";
}

// The key whose directory has exactly this name.
std::optional<partition_key> parse_partition_name(std::string_view name) {
  if (name.size() < uuid_text_size + 2 || name[uuid_text_size] != '-') return std::nullopt;
  auto topic = parse_uuid(name.substr(0, uuid_text_size));
  auto digits = name.substr(uuid_text_size + 1);
  int32_t index = -1;
  auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (!topic || failed != std::errc{} || end != digits.data() + digits.size() || index < 0)
    return std::nullopt;
  partition_key key{topic_id{*topic}, partition_id{index}};
  if (to_string(key) != name) return std::nullopt; // "-007", another spelling of the id
  return key;
}

std::string mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

} // namespace

// -- opening ---

result<directory_kind> data_directory::inspect(storage_env& env, const std::string& path) {
  auto names = env.list_directory(path);
  if (!names.ok() && names.error().code == ec::not_found) return directory_kind::missing;
  if (!names.ok()) return names.error();
  if (std::find(names->begin(), names->end(), identity_name) != names->end()) return directory_kind::known;
  for (auto& name : *names)
    if (!is_nobodys(name))
      return {ec::directory_foreign, path + " holds '" + name + "' and no identity of a data directory"};
  return directory_kind::fresh;
}

result<std::unique_ptr<data_directory>> data_directory::open(storage_env& env, const std::string& path,
                                                             data_directory_options options) {
  PESSOA_TRY(auto kind, inspect(env, path));
  if (kind == directory_kind::missing) PESSOA_CHECK(create_directories_durably(env, path));
  std::unique_ptr<data_directory> opened{new data_directory{env, path, options}};
  PESSOA_TRY(opened->lock_, env.lock_exclusively(path + "/" + std::string{lock_name}));
  PESSOA_CHECK(opened->read_identity()); // under the lock: another process may just have made it
  PESSOA_CHECK(opened->read_mark());
  return opened;
}

result<void> data_directory::read_identity() {
  auto data = read_whole_file(env_, path_ + "/" + std::string{identity_name}, identity_bytes_max);
  if (!data.ok() && data.error().code == ec::not_found) return {};
  if (!data.ok()) return data.error();
  auto identity = directory_identity::decode(*data);
  if (!identity.ok()) return {identity.error().code, path_ + ": " + identity.error().message};
  if (options_.expected_cluster && *options_.expected_cluster != identity->cluster)
    return {ec::directory_foreign, path_ + " belongs to cluster " + to_string(identity->cluster) + ", not to "
                                       + to_string(*options_.expected_cluster)};
  identity_ = *identity;
  return {};
}

result<void> data_directory::read_mark() {
  if (is_fresh()) {
    was_clean_ = true;
    return {};
  }
  auto data = read_whole_file(env_, mark_path(), identity_bytes_max);
  if (!data.ok() && data.error().code == ec::not_found) return {};
  if (!data.ok() && data.error().code != ec::corrupt_data) return data.error();
  has_mark_ = true;
  was_clean_ = data.ok() && as_text(*data) == clean_stop_mark(identity_->directory);
  return {};
}

const directory_identity& data_directory::identity() const {
  PESSOA_ASSERT(identity_, path_);
  return *identity_;
}

// -- the beginning and the end of a life ---

result<void> data_directory::initialise(const directory_identity& identity) {
  PESSOA_ASSERT(is_fresh(), path_);
  PESSOA_CHECK(replace_file(env_, path_ + "/" + std::string{identity_name}, as_bytes(identity.encode())));
  identity_ = identity;
  return {};
}

result<void> data_directory::begin_writing() {
  PESSOA_ASSERT(!is_fresh() && !writing_, path_);
  if (has_mark_ && !PESSOA_PLANT("keep_clean_mark")) {
    PESSOA_CHECK(env_.remove_file(mark_path()));
    PESSOA_CHECK(env_.sync_directory(path_));
    has_mark_ = false;
  }
  writing_ = true;
  PESSOA_CHECK(remove_leftovers(path_));
  for (auto& folder : {topics_path(), metadata_path(), journal_path(), path_ + "/tables"})
    PESSOA_CHECK(env_.create_directories(folder));
  PESSOA_CHECK(env_.sync_directory(path_));
  PESSOA_CHECK(remove_leftovers(topics_path()));
  PESSOA_CHECK(remove_leftovers(path_ + "/tables"));
  // What the last life created or deleted may be seen without being durable. It counts from now on, so it
  // must stay: what is freed now must not come back in part, under the name it had.
  if (!PESSOA_PLANT("deleted_names_not_synced")) PESSOA_CHECK(env_.sync_directory(topics_path()));
  PESSOA_CHECK(finish_deletions());
  return {};
}

result<void> data_directory::remove_leftovers(const std::string& directory) {
  PESSOA_TRY(auto names, env_.list_directory(directory));
  for (auto& name : names)
    if (is_temporary(name)) PESSOA_CHECK(env_.remove_tree(directory + "/" + name));
  return {}; // no sync: whoever sees one again removes it again
}

result<void> data_directory::mark_clean_stop() {
  PESSOA_ASSERT(writing_, path_);
  writing_ = false;
  return replace_file(env_, mark_path(), as_bytes(clean_stop_mark(identity_->directory)));
}

// -- partitions ---

result<data_directory::partition_list> data_directory::partitions() {
  partition_list list;
  auto names = env_.list_directory(topics_path());
  if (!names.ok() && names.error().code == ec::not_found) return list;
  if (!names.ok()) return names.error();
  for (auto& name : *names) {
    if (auto key = parse_partition_name(name)) {
      list.partitions.push_back(*key);
    } else if (!is_deleted(name) && !is_temporary(name)) {
      list.unknown.push_back(name);
    }
  }
  std::sort(list.partitions.begin(), list.partitions.end());
  return list;
}

result<std::string> data_directory::create_partition(const partition_key& key) {
  PESSOA_ASSERT(writing_, path_);
  auto path = partition_path(key);
  PESSOA_CHECK(env_.create_directories(path));
  PESSOA_CHECK(env_.sync_directory(topics_path()));
  return path;
}

result<void> data_directory::delete_partition(const partition_key& key) {
  PESSOA_ASSERT(writing_, path_);
  auto aside = topics_path() + "/" + std::string{deleted_prefix} + to_string(key);
  // The same partition may have been here, deleted and not yet freed, before it came back; or this is a repetition, and the
  // name that it had is gone from memory only: what is freed must not come back in part.
  if (env_.exists(aside)) {
    PESSOA_CHECK(env_.sync_directory(topics_path()));
    PESSOA_CHECK(env_.remove_tree(aside));
  }
  auto renamed = env_.rename(partition_path(key), aside);
  if (!renamed.ok() && renamed.error().code != ec::not_found) return renamed.error();
  return env_.sync_directory(topics_path());
}

result<size_t> data_directory::finish_deletions() {
  PESSOA_ASSERT(writing_, path_);
  PESSOA_TRY(auto names, env_.list_directory(topics_path()));
  size_t count = 0;
  for (auto& name : names) {
    if (!is_deleted(name)) continue;
    PESSOA_CHECK(env_.remove_tree(topics_path() + "/" + name));
    ++count;
  }
  return count;
}

// -- room ---

result<void> data_directory::check_space(uint64_t bytes) const {
  PESSOA_TRY(auto now, space());
  auto usable = now.free_bytes - std::min(now.free_bytes, options_.reserve_bytes);
  if (bytes <= usable) return {};
  return {ec::disk_full, "the disk of " + path_ + " has " + mebibytes(now.free_bytes) + " free of "
                             + mebibytes(now.total_bytes) + ", " + mebibytes(options_.reserve_bytes)
                             + " are kept back, and " + std::to_string(bytes) + " bytes more do not fit"};
}

} // namespace pessoa::persistence
