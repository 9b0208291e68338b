#include "schema/wire/convert.hpp"

#include "schema/endian.hpp"

namespace pessoa::wire {

void write_uuid(const std::array<uint8_t, 16>& raw, Uuid::Builder out) {
  out.setHigh(load_be<uint64_t>(raw.data()));
  out.setLow(load_be<uint64_t>(raw.data() + 8));
}

std::array<uint8_t, 16> read_uuid(Uuid::Reader in) {
  std::array<uint8_t, 16> raw{};
  store_be(raw.data(), in.getHigh());
  store_be(raw.data() + 8, in.getLow());
  return raw;
}

void write_error(const error& e, Error::Builder out, size_t bytes_max) {
  auto& info = describe(e.code);
  out.setName(kj::StringPtr{info.name.data(), info.name.size()});
  out.setKafka(info.kafka_number);
  out.setCategory(static_cast<Error::Category>(info.category));
  auto message = e.message.substr(0, bytes_max);
  out.setMessage(kj::StringPtr{message.c_str(), message.size()});
  out.setHint(kj::StringPtr{info.hint.data(), info.hint.size()});
}

namespace {

ec stand_in(Error::Category category) {
  switch (category) {
    case Error::Category::RETRIABLE: return ec::overloaded;
    case Error::Category::REFRESH: return ec::leader_not_available;
    case Error::Category::UNKNOWN: return ec::unknown_result;
    case Error::Category::REQUEST: return ec::invalid_argument;
    case Error::Category::ENVIRONMENT: return ec::storage_failed;
    default: return ec::internal;
  }
}

} // namespace

error read_error(Error::Reader in) {
  std::string_view name{in.getName().cStr(), in.getName().size()};
  std::string message{in.getMessage().cStr(), in.getMessage().size()};
  for (auto& info : all_errors())
    if (info.name == name && info.code != ec::none) return {info.code, std::move(message)};
  return {stand_in(in.getCategory()), std::string{name} + ": " + message};
}

} // namespace pessoa::wire
