#include "node/log_stderr.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace pessoa::node {

namespace {

constexpr size_t lines_waiting_max = 8192;

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
    case log_level::debug: return spdlog::level::debug;
    case log_level::info: return spdlog::level::info;
    case log_level::warning: return spdlog::level::warn;
    case log_level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::level::level_enum parse_level(std::string_view text) {
  if (text == "error") return spdlog::level::err;
  if (text == "warning") return spdlog::level::warn;
  if (text == "debug") return spdlog::level::debug;
  return spdlog::level::info;
}

class stderr_log final : public log_sink {
public:
  explicit stderr_log(std::string_view level)
      : threads_(std::make_shared<spdlog::details::thread_pool>(lines_waiting_max, 1)) {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    logger_ = std::make_shared<spdlog::async_logger>("pessoa", std::move(sink), threads_,
                                                     spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger_->set_level(parse_level(level));
    logger_->flush_on(spdlog::level::info);
  }
  ~stderr_log() override {
    logger_->flush();
    threads_.reset(); // its thread has ended before the logger goes, which its last lines hold
  }

  void write(log_level level, std::string_view component, std::string_view line) override {
    logger_->log(to_spdlog(level), "{}: {}", component, line);
  }

private:
  std::shared_ptr<spdlog::details::thread_pool> threads_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

} // namespace

std::unique_ptr<log_sink> make_stderr_log(std::string_view level) { return std::make_unique<stderr_log>(level); }

} // namespace pessoa::node
