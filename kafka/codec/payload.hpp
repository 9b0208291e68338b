// Bytes inside a message that the codec hands on as they are: record batches above all.
//
// A decoded payload is a slice of the message it was read from, never a copy: it keeps that message's memory alive when
// the reader was given an owner, and otherwise must not outlive it. An encoded one goes out by reference
// (kafka/codec/writer.hpp). Two are equal when their bytes are.
#pragma once

#include "schema/bytes.hpp"

#include <utility>

namespace pessoa::kafka {

class payload {
public:
  payload() = default;
  payload(bytes data) : data_(std::move(data)) {}

  [[nodiscard]] const bytes& data() const { return data_; }
  [[nodiscard]] byte_view view() const { return data_.view(); }
  [[nodiscard]] size_t size() const { return data_.size(); }
  [[nodiscard]] bool empty() const { return data_.empty(); }

  friend bool operator==(const payload& a, const payload& b) { return same_bytes(a.view(), b.view()); }

private:
  bytes data_;
};

} // namespace pessoa::kafka
