// Where a command reads and writes: data to stdout, everything for people to stderr, and the environment it
// was given.
//
// Promises: stdout is written in large pieces and reaches its reader at flush(); a reader that went away is
// remembered, not an error (`| head` ends with 0); colour appears only on a terminal and never with NO_COLOR.
// Tests pass their own descriptors and environment.
#pragma once

#include "schema/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace pessoa::cli {

using environment = std::map<std::string, std::string>;
environment process_environment();

enum class colour { red, green, yellow, bold };

class console {
public:
  console(int in, int out, int err, environment env);
  console(const console&) = delete;
  console& operator=(const console&) = delete;
  ~console();

  // -- data ---
  // False once stdout is closed or broken; what is written after that is dropped.
  bool write(std::string_view data);
  bool flush();
  // A whole line of output; a newline is added.
  void line(std::string_view text);
  // The reader of stdout went away: the command ends, with 0. Looks at the descriptor, so that an idle
  // command notices.
  bool reader_gone();
  // Anything else that stdout refused ("No space left on device").
  [[nodiscard]] const std::string& output_error() const { return output_error_; }
  // For many small pieces: append here, then settle(), which writes when enough has come together.
  std::string& buffer() { return buffer_; }
  bool settle() { return !broken_ && (buffer_.size() < buffer_bytes_max || flush()); }

  // -- people ---
  void say(std::string_view text);      // a line on stderr
  void warn(std::string_view text);     // "warning: ...", in yellow on a terminal
  void progress(std::string_view text); // replaces the current line; only on a terminal, else nothing
  void end_progress();
  // Cause and remedy on stderr; returns the exit status.
  int fail(const error& e);
  int usage(std::string_view message, std::string_view command);
  // The same with words of one's own, where no error code says it; returns `status`.
  int refuse(int status, std::string_view what, std::string_view remedy);
  [[nodiscard]] std::string paint(colour c, std::string_view text) const; // for stderr
  [[nodiscard]] bool error_is_terminal() const { return err_terminal_; }
  [[nodiscard]] bool input_is_terminal() const;
  [[nodiscard]] bool output_is_terminal() const { return out_terminal_; }

  [[nodiscard]] int input() const { return in_; }
  [[nodiscard]] int output() const { return out_; }
  [[nodiscard]] const environment& env() const { return env_; }
  // Empty when it is not set.
  [[nodiscard]] std::string variable(const std::string& name) const;

private:
  static constexpr size_t buffer_bytes_max = 256 << 10;

  int in_;
  int out_;
  int err_;
  environment env_;
  bool out_terminal_;
  bool err_terminal_;
  bool coloured_;
  bool broken_ = false; // no more writing
  bool closed_ = false; // because the reader went away
  bool progress_shown_ = false;
  std::string output_error_;
  std::string buffer_;
};

// Writes all of it, also into pipes that take it in pieces. Returns 0 or errno.
int write_all(int descriptor, std::string_view data);

} // namespace pessoa::cli
