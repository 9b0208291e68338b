#include "persistence/storage_env.hpp"

namespace pessoa::persistence {

std::string parent_directory(const std::string& path) {
  auto end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  auto slash = path.find_last_of('/', end);
  if (slash == std::string::npos) return ".";
  auto last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

result<std::vector<uint8_t>> read_whole_file(storage_env& env, const std::string& path, size_t limit) {
  PESSOA_TRY(auto file, env.open_file(path, open_mode::read));
  PESSOA_TRY(auto size, file->size());
  if (size > limit)
    return {ec::corrupt_data, path + " has " + std::to_string(size) + " bytes, at most "
                                  + std::to_string(limit) + " are expected"};
  std::vector<uint8_t> content(size);
  PESSOA_TRY(auto count, file->read_at(0, content.data(), content.size()));
  if (count != size)
    return {ec::storage_failed,
            path + ": read " + std::to_string(count) + " of " + std::to_string(size) + " bytes"};
  return content;
}

result<void> create_directories_durably(storage_env& env, const std::string& path) {
  auto parent = parent_directory(path);
  bool is_top = parent == "/" || parent == "." || parent == path;
  if (!is_top && !env.exists(parent)) PESSOA_CHECK(create_directories_durably(env, parent));
  PESSOA_CHECK(env.create_directories(path));
  // Also when it was there: an earlier life may have made it and died before its sync.
  return env.sync_directory(parent);
}

result<void> replace_file(storage_env& env, const std::string& path, byte_view content) {
  auto beside = path + ".tmp"; // a leftover of a crash is overwritten here and never read (failures C18)
  {
    PESSOA_TRY(auto file, env.open_file(beside, open_mode::create));
    PESSOA_CHECK(file->truncate(0));
    PESSOA_CHECK(file->write_at(0, content));
    PESSOA_CHECK(file->sync());
  }
  PESSOA_CHECK(env.rename(beside, path));
  return env.sync_directory(parent_directory(path));
}

} // namespace pessoa::persistence
