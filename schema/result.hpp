// result<T>: a value or an error. Ours until std::expected is in both compilers (clang 14 has none).
//
//   result<offset> append(...);
//   PESSOA_TRY(auto base, append(...));   // returns the error to the caller
#pragma once

#include "schema/assert.hpp"
#include "schema/error.hpp"

#include <type_traits>
#include <utility>
#include <variant>

namespace pessoa {

template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(pessoa::error e) : state_(std::in_place_index<1>, std::move(e)) {
    PESSOA_ASSERT(std::get<1>(state_).code != ec::none);
  }
  result(ec code, std::string message) : result(pessoa::error{code, std::move(message)}) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { check(); return std::get<0>(state_); }
  const T& value() const& { check(); return std::get<0>(state_); }
  T value() && { check(); return std::get<0>(std::move(state_)); } // by value: a range-for over it must not dangle
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const pessoa::error& error() const {
    PESSOA_ASSERT(!ok());
    return std::get<1>(state_);
  }

private:
  void check() const {
    PESSOA_ASSERT(ok(), std::get_if<1>(&state_) ? to_string(*std::get_if<1>(&state_)) : std::string{});
  }
  std::variant<T, pessoa::error> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(pessoa::error e) : error_(std::move(e)) { PESSOA_ASSERT(error_.code != ec::none); }
  result(ec code, std::string message) : result(pessoa::error{code, std::move(message)}) {}

  [[nodiscard]] bool ok() const { return error_.code == ec::none; }
  explicit operator bool() const { return ok(); }
  void value() const { PESSOA_ASSERT(ok(), error_); }
  [[nodiscard]] const pessoa::error& error() const {
    PESSOA_ASSERT(!ok());
    return error_;
  }

private:
  pessoa::error error_;
};

} // namespace pessoa

#define PESSOA_JOIN_(a, b) a##b
#define PESSOA_JOIN(a, b) PESSOA_JOIN_(a, b)
#define PESSOA_TRY_(tmp, decl, ...)                                                                                    \
  auto tmp = (__VA_ARGS__);                                                                                            \
  if (!tmp.ok()) return tmp.error();                                                                                   \
  decl = std::move(tmp).value()
// PESSOA_TRY(auto x, f()): binds the value or returns the error. PESSOA_CHECK(f()) for result<void>.
#define PESSOA_TRY(decl, ...) PESSOA_TRY_(PESSOA_JOIN(try_, __LINE__), decl, __VA_ARGS__)
#define PESSOA_CHECK(...)                                                                                              \
  do {                                                                                                                 \
    if (auto checked_ = (__VA_ARGS__); !checked_.ok()) return checked_.error();                                        \
  } while (false)
