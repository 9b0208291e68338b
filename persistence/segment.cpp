#include "persistence/segment.hpp"

namespace pessoa::persistence {

result<void> segment::create() {
  std::lock_guard lock{mutex_};
  // An index that survived a segment of this name describes something else.
  PESSOA_CHECK(env_.remove_file(index_path_));
  PESSOA_TRY(auto opened, env_.open_file(path_, open_mode::create_new));
  file_ = std::move(opened);
  return {};
}

result<std::shared_ptr<random_file>> segment::file() {
  std::lock_guard lock{mutex_};
  if (!file_) {
    PESSOA_TRY(auto opened, env_.open_file(path_, open_mode::read_write));
    file_ = std::move(opened);
  }
  return file_;
}

void segment::release() {
  index_.release();
  std::lock_guard lock{mutex_};
  file_.reset();
}

result<void> segment::remove() {
  index_.release();
  {
    std::lock_guard lock{mutex_};
    file_.reset();
  }
  PESSOA_CHECK(env_.remove_file(index_path_));
  return env_.remove_file(path_);
}

} // namespace pessoa::persistence
