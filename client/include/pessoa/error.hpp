// What went wrong, as a value: one error type for everything the client does, and result<T>, which is a value
// or that error.
//
// Nothing in this library throws for a reason outside the program. An error says what failed (`message`),
// what a program can do about it (`category`), what a person can do (`hint`), and, when the client has
// already tried several times, why the attempts failed (`last_causes`, newest last, at most five): a timeout
// never hides its cause.
#pragma once

#include "schema/error.hpp"

#include <cstdint>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pessoa::client {

using pessoa::ec;
using pessoa::error_category;

inline constexpr size_t last_causes_max = 5;

struct error {
  ec code = ec::none;
  error_category category =
      error_category::none; // of the code, or what the node said of a code we do not know
  std::string message;
  uint32_t attempts = 0;                // how often it was tried; 0: it was not a matter of trying
  std::vector<std::string> last_causes; // "not_leader: MESSAGE", oldest first, at most last_causes_max
  std::string hint;                     // what to do next; may be empty

  error() = default;
  error(ec c, std::string text);
  error(pessoa::error e); // NOLINT: a word of the schema is an error of the client

  // The same request may succeed later, and nothing was done.
  [[nodiscard]] bool retriable() const {
    return category == error_category::retriable || category == error_category::refresh;
  }
  // It may have been done.
  [[nodiscard]] bool in_doubt() const { return category == error_category::unknown; }

  friend bool operator==(const error&, const error&) = default;
};

std::ostream& operator<<(std::ostream& out, const error& e); // "timed_out: MESSAGE"
std::string to_string(const error& e);
// For people, over several lines: the message, how often it was tried and why that failed, the hint.
std::string explain(const error& e);

// Stops the program with the error's text: for value() of a result that holds none. A mistake of the caller.
[[noreturn]] void no_value(const error& e);

template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(client::error e) : state_(std::in_place_index<1>, std::move(e)) {}
  result(pessoa::error e) : result(client::error{std::move(e)}) {}
  result(ec code, std::string message) : result(client::error{code, std::move(message)}) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Requires: ok().
  T& value() & {
    check();
    return std::get<0>(state_);
  }
  const T& value() const& {
    check();
    return std::get<0>(state_);
  }
  T&& value() && {
    check();
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !ok().
  [[nodiscard]] const client::error& error() const { return std::get<1>(state_); }

private:
  void check() const {
    if (auto* e = std::get_if<1>(&state_)) no_value(*e);
  }
  std::variant<T, client::error> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(client::error e) : error_(std::move(e)) {}
  result(pessoa::error e) : error_(std::move(e)) {}
  result(ec code, std::string message) : error_(code, std::move(message)) {}

  [[nodiscard]] bool ok() const { return error_.code == ec::none; }
  explicit operator bool() const { return ok(); }
  void value() const {
    if (!ok()) no_value(error_);
  }
  [[nodiscard]] const client::error& error() const { return error_; }

private:
  client::error error_;
};

} // namespace pessoa::client
