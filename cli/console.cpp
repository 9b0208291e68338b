#include "cli/console.hpp"

#include "cli/status.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

extern char** environ;

namespace pessoa::cli {

environment process_environment() {
  environment out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    std::string_view entry{*at};
    if (auto equals = entry.find('='); equals != std::string_view::npos)
      out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

int write_all(int descriptor, std::string_view data) {
  while (!data.empty()) {
    auto n = ::write(descriptor, data.data(), data.size());
    if (n >= 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      // Somebody made the descriptor non-blocking: wait until it takes more, rather than drop data.
      pollfd waiting{descriptor, POLLOUT, 0};
      if (::poll(&waiting, 1, -1) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

console::console(int in, int out, int err, environment env)
    : in_(in), out_(out), err_(err), env_(std::move(env)), out_terminal_(::isatty(out) == 1),
      err_terminal_(::isatty(err) == 1),
      coloured_(err_terminal_ && variable("NO_COLOR").empty() && variable("TERM") != "dumb") {}

console::~console() {
  flush();
  end_progress();
}

std::string console::variable(const std::string& name) const {
  auto found = env_.find(name);
  return found == env_.end() ? std::string{} : found->second;
}

bool console::input_is_terminal() const { return ::isatty(in_) == 1; }

bool console::write(std::string_view data) {
  if (broken_) return false;
  buffer_.append(data);
  return settle();
}

bool console::flush() {
  if (broken_) buffer_.clear();
  if (broken_ || buffer_.empty()) return !broken_;
  int failed = write_all(out_, buffer_);
  buffer_.clear();
  if (failed == 0) return true;
  broken_ = true;
  closed_ = failed == EPIPE || failed == ECONNRESET;
  if (!closed_) output_error_ = std::string{"cannot write to standard output: "} + std::strerror(failed);
  return false;
}

void console::line(std::string_view text) {
  write(text);
  write("\n");
}

bool console::reader_gone() {
  if (!closed_) {
    pollfd at{out_, 0, 0};
    // POLLERR on the writing end of a pipe: nobody holds the reading end any more.
    if (::poll(&at, 1, 0) == 1 && (at.revents & POLLERR) != 0) broken_ = closed_ = true;
  }
  return closed_;
}

void console::say(std::string_view text) {
  end_progress();
  // One write, so that lines of several processes on one terminal do not interleave.
  std::string line{text};
  line.push_back('\n');
  (void)write_all(err_, line);
}

void console::warn(std::string_view text) {
  say(paint(colour::yellow, "warning:") + " " + std::string{text});
}

void console::progress(std::string_view text) {
  if (!err_terminal_) return;
  (void)write_all(err_, "\r\x1b[K" + std::string{text});
  progress_shown_ = true;
}

void console::end_progress() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  (void)write_all(err_, "\r\x1b[K");
}

int console::fail(const error& e) {
  flush();
  say(paint(colour::red, "error:") + " " + explain(e));
  return status_of(e.code);
}

int console::usage(std::string_view message, std::string_view command) {
  return refuse(exit_usage, message, std::string{command} + " --help");
}

int console::refuse(int status, std::string_view what, std::string_view remedy) {
  flush();
  say(paint(colour::red, "error:") + " " + std::string{what} + "\n  try: " + std::string{remedy});
  return status;
}

std::string console::paint(colour c, std::string_view text) const {
  if (!coloured_) return std::string{text};
  static constexpr const char* codes[] = {"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m"};
  return codes[static_cast<size_t>(c)] + std::string{text} + "\x1b[0m";
}

} // namespace pessoa::cli
