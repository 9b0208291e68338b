#include "simulations/world/connection.hpp"

#include "schema/assert.hpp"

#include <algorithm>
#include <cstring>

namespace pessoa::sim {

// -- the stream that a process holds ---

class sim_end final : public kj::AsyncIoStream {
public:
  sim_end(std::shared_ptr<sim_connection> of, sim_connection::side s) : of_(std::move(of)), side_(s) {}
  ~sim_end() noexcept(false) { of_->close(side_); }
  KJ_DISALLOW_COPY(sim_end);

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    return of_->read(side_, buffer, min, max);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    auto* from = static_cast<const uint8_t*>(buffer);
    return of_->write(side_, {from, from + size});
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    std::vector<uint8_t> all;
    for (auto& piece : pieces)
      all.insert(all.end(), piece.begin(), piece.end());
    return of_->write(side_, std::move(all));
  }
  kj::Promise<void> whenWriteDisconnected() override { return of_->when_disconnected(side_); }
  void shutdownWrite() override { of_->end_writing(side_); }
  void abortRead() override { of_->stop_reading(side_); }

private:
  std::shared_ptr<sim_connection> of_;
  sim_connection::side side_;
};

kj::Own<kj::AsyncIoStream> sim_connection::open(side s, std::shared_ptr<process_loop> loop) {
  PESSOA_ASSERT(!ends_[s].opened && loop->entered());
  ends_[s].opened = true;
  ends_[s].loop = std::move(loop);
  return kj::heap<sim_end>(shared_from_this(), s);
}

// -- what a process does, inside its loop ---

kj::Exception sim_connection::gone() {
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString("the connection was reset")};
}

size_t sim_connection::end::take(uint8_t* into, size_t count) {
  count = std::min(count, unread());
  if (count > 0) std::memcpy(into, in.data() + in_begin, count);
  in_begin += count;
  if (in_begin == in.size()) {
    in.clear();
    in_begin = 0;
  }
  return count;
}

bool sim_connection::end::fill() {
  had += take(to + had, max - had);
  return had >= min || (eof && unread() == 0) || deaf;
}

kj::Promise<size_t> sim_connection::read(side s, void* buffer, size_t min, size_t max) {
  auto& me = ends_[s];
  if (broken_) return gone();
  me.to = static_cast<uint8_t*>(buffer);
  me.had = 0;
  me.min = min;
  me.max = max;
  bool over = me.fill();
  flush(other(s)); // there is room in the window
  if (over) return me.had;
  auto made = kj::newPromiseAndFulfiller<size_t>();
  me.reader = kj::mv(made.fulfiller);
  return kj::mv(made.promise);
}

kj::Promise<void> sim_connection::write(side s, std::vector<uint8_t> data) {
  auto& me = ends_[s];
  if (broken_) return gone();
  PESSOA_ASSERT(!me.write_ended, "a write after the end");
  if (me.unsent.empty())
    me.unsent = std::move(data);
  else
    me.unsent.insert(me.unsent.end(), data.begin(),
                     data.end()); // the write before was given up by its caller
  flush(s);
  if (me.unsent.empty()) return kj::READY_NOW;
  auto made = kj::newPromiseAndFulfiller<void>();
  me.writer = kj::mv(made.fulfiller);
  return kj::mv(made.promise);
}

kj::Promise<void> sim_connection::when_disconnected(side s) {
  if (broken_) return kj::READY_NOW;
  auto made = kj::newPromiseAndFulfiller<void>();
  ends_[s].watchers.push_back(kj::mv(made.fulfiller));
  return kj::mv(made.promise);
}

void sim_connection::end_writing(side s) {
  ends_[s].write_ended = true;
  flush(s);
}

void sim_connection::stop_reading(side s) {
  auto& me = ends_[s];
  me.deaf = true;
  me.in.clear();
  me.in_begin = 0;
  serve(s);
}

void sim_connection::close(side s) {
  auto& me = ends_[s];
  bool unread = me.unread() > 0;
  me.reader = nullptr;
  me.writer = nullptr;
  me.watchers.clear();
  me.loop = nullptr;
  me.deaf = true;
  if (me.off) { // no kernel is there to say anything
    me.unsent.clear();
    me.write_ended = me.fin_sent = true;
    return;
  }
  if (unread) return reset(); // as a kernel does
  end_writing(s);
}

// -- what the network does ---

void sim_connection::flush(side from) {
  if (broken_) return;
  auto& sender = ends_[from];
  auto& receiver = ends_[other(from)];
  auto window = static_cast<size_t>(net_.options_.window_bytes);
  size_t sent = 0;
  while (sent < sender.unsent.size() && receiver.on_the_way + receiver.unread() < window) {
    auto room = window - receiver.on_the_way - receiver.unread();
    auto limit =
        std::min({room, sender.unsent.size() - sent, static_cast<size_t>(net_.options_.fragment_bytes_max)});
    auto count = limit;
    if (limit > 1 && chance(net_.random_.network, 20)) count = 1 + net_.random_.network.below(limit);
    std::vector<uint8_t> part(sender.unsent.begin() + static_cast<ptrdiff_t>(sent),
                              sender.unsent.begin() + static_cast<ptrdiff_t>(sent + count));
    sent += count;
    receiver.on_the_way += count;
    if (receiver.silent) continue; // nobody ever tells the sender
    receiver.clear = net_.arrival(sender.address.host, receiver.address.host, receiver.clear);
    net_.time_.at(receiver.clear, [self = shared_from_this(), to = other(from),
                                   part = std::move(part)]() mutable { self->arrive(to, std::move(part)); });
  }
  sender.unsent.erase(sender.unsent.begin(), sender.unsent.begin() + static_cast<ptrdiff_t>(sent));
  if (sender.unsent.empty() && sender.writer.get() != nullptr) wake(from);
  if (sender.unsent.empty() && sender.write_ended && !sender.fin_sent) {
    sender.fin_sent = true;
    if (receiver.silent) return;
    receiver.clear = net_.arrival(sender.address.host, receiver.address.host, receiver.clear);
    net_.time_.at(receiver.clear, [self = shared_from_this(), to = other(from)] { self->arrive_end(to); });
  }
}

void sim_connection::arrive(side s, std::vector<uint8_t> data) {
  auto& me = ends_[s];
  if (broken_ || me.silent || me.off) return;
  me.on_the_way -= data.size();
  ++net_.counters_.fragments;
  net_.counters_.bytes += data.size();
  net_.trace_.mix(id_ * 2 + s);
  net_.trace_.mix(byte_view{data});
  if (me.deaf) return reset();
  if (me.in.empty())
    me.in = std::move(data);
  else
    me.in.insert(me.in.end(), data.begin(), data.end());
  wake(s);
}

void sim_connection::arrive_end(side s) {
  if (broken_ || ends_[s].silent || ends_[s].off) return;
  ends_[s].eof = true;
  wake(s);
}

void sim_connection::reset() {
  if (std::exchange(broken_, true)) return;
  for (side s : {0, 1})
    wake(s);
}

void sim_connection::wake(side s) {
  auto& me = ends_[s];
  if (me.loop == nullptr) return;
  me.loop->wake([self = shared_from_this(), s] { self->serve(s); });
}

void sim_connection::serve(side s) {
  auto& me = ends_[s];
  if (broken_) {
    if (auto reader = kj::mv(me.reader); reader.get() != nullptr) reader->reject(gone());
    if (auto writer = kj::mv(me.writer); writer.get() != nullptr) writer->reject(gone());
    for (auto& watcher : std::exchange(me.watchers, {}))
      watcher->fulfill();
    return;
  }
  if (me.reader.get() != nullptr) {
    if (!me.reader->isWaiting()) { // its buffer has gone
      me.reader = nullptr;
    } else {
      if (me.fill()) {
        auto reader = kj::mv(me.reader);
        reader->fulfill(kj::cp(me.had));
      }
      flush(other(s));
    }
  }
  if (me.writer.get() != nullptr && me.unsent.empty()) {
    auto writer = kj::mv(me.writer);
    writer->fulfill();
  }
}

void sim_connection::power_lost(const process_loop& loop) {
  for (side s : {0, 1})
    if (ends_[s].loop.get() == &loop) ends_[s].off = true;
}

void sim_connection::power_back(const std::string& address) {
  for (side s : {0, 1}) {
    auto& me = ends_[s];
    if (!me.off || me.address.host != address) continue;
    // Whoever still sends to it is answered with a reset.
    if (me.on_the_way > 0) return reset();
    me.off = false;
    me.deaf = true;
  }
}

} // namespace pessoa::sim
