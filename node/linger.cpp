#include "node/linger.hpp"

namespace pessoa::node {

namespace {

kj::Promise<void> discard(kj::AsyncIoStream& stream, kj::ArrayPtr<kj::byte> scratch) {
  return stream.tryRead(scratch.begin(), 1, scratch.size())
      .then([&stream, scratch](size_t count) -> kj::Promise<void> {
        if (count == 0) return kj::READY_NOW;
        return discard(stream, scratch);
      });
}

} // namespace

kj::Promise<void> linger(kj::AsyncIoStream& stream, kj::Timer& timer, duration patience) {
  auto scratch = kj::heapArray<kj::byte>(16 << 10);
  auto discarding = kj::evalNow([&] { return discard(stream, scratch); });
  return discarding.catch_([](kj::Exception&&) {})
      .attach(kj::mv(scratch))
      .exclusiveJoin(timer.afterDelay(patience.count() * kj::NANOSECONDS));
}

} // namespace pessoa::node
