#include "cli/delivery_log.hpp"

#include "schema/assert.hpp"

#include <cerrno>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pessoa::cli {

namespace {

std::optional<byte_view> view(const std::optional<std::string>& text) {
  return text ? std::optional{as_bytes(*text)} : std::nullopt;
}

} // namespace

delivery_log::delivery_log(console& term, std::string topic, std::optional<record_printer> report)
    : term_(term), topic_(std::move(topic)), report_(std::move(report)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  PESSOA_ASSERT(stop_ >= 0, errno);
  if (!report_) return;
  keeps_bytes_ = report_->shows_content();
  writer_ = std::thread{[this] { write_report(); }};
}

delivery_log::~delivery_log() {
  finish();
  ::close(stop_);
}

client::delivery_callback delivery_log::expect(const client::record_ref& record) {
  if (!keeps_bytes_)
    return [this](const client::result<client::delivery>& done) {
      if (done)
        stored(*done, nullptr);
      else
        note_failure(done.error());
    };
  auto kept = std::make_shared<client::record>();
  if (record.key) kept->key = std::string{*record.key};
  if (record.value) kept->value = std::string{*record.value};
  for (auto& h : record.headers)
    kept->headers.push_back(
        {std::string{h.key}, h.value ? std::optional{std::string{*h.value}} : std::nullopt});
  return [this, kept](const client::result<client::delivery>& done) {
    if (done)
      stored(*done, kept.get());
    else
      note_failure(done.error());
  };
}

void delivery_log::stored(const client::delivery& at, const client::record* kept) {
  acknowledged_.fetch_add(1, std::memory_order_relaxed);
  if (!report_) return;
  record_view shown;
  shown.time = timestamp{at.timestamp_ms};
  if (kept != nullptr) {
    shown.key = view(kept->key);
    shown.value = view(kept->value);
    for (auto& h : kept->headers)
      shown.headers.push_back({h.key, view(h.value)});
  }
  std::lock_guard lock{guard_};
  report_->append(lines_, {topic_, partition_id{at.partition}, offset{at.offset}, &shown});
  if (lines_.empty() || lines_.back() != '\n') lines_.push_back('\n');
  changed_.notify_one();
}

void delivery_log::note_failure(const client::error& e) {
  failed_.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard lock{guard_};
    if (!first_error_) first_error_ = e;
  }
  stop();
}

void delivery_log::refused(const client::error& e) { note_failure(e); }

void delivery_log::stop() {
  if (stopped_.exchange(true)) return;
  uint64_t one = 1;
  [[maybe_unused]] auto ignored = ::write(stop_, &one, sizeof one);
}

std::optional<client::error> delivery_log::first_error() const {
  std::lock_guard lock{guard_};
  return first_error_;
}

void delivery_log::write_report() {
  std::unique_lock lock{guard_};
  while (true) {
    changed_.wait(lock, [&] { return !lines_.empty() || ending_; });
    if (lines_.empty()) return;
    auto lines = std::exchange(lines_, {});
    lock.unlock();
    term_.write(lines);
    if (!term_.flush()) stop();
    lock.lock();
  }
}

void delivery_log::finish() {
  if (!writer_.joinable()) return;
  {
    std::lock_guard lock{guard_};
    ending_ = true;
  }
  changed_.notify_one();
  writer_.join();
}

} // namespace pessoa::cli
