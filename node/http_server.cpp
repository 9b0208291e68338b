#include "node/http_server.hpp"

#include "node/foreign_protocol.hpp"
#include "node/linger.hpp"
#include "node/metrics.hpp"
#include "schema/assert.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace pessoa::node {

namespace {

constexpr duration last_words_patience = std::chrono::seconds{1};

kj::Duration to_kj(duration d) { return d.count() * kj::NANOSECONDS; }

http_reply list_of(std::vector<std::string> problems, const char* fine) {
  if (problems.empty()) return {200, std::string{fine} + "\n"};
  std::string body;
  for (auto& p : problems)
    body += p + "\n";
  return {503, body};
}

// A connection: reads one head, writes one answer.
class exchange {
public:
  exchange(kj::Own<kj::AsyncIoStream> stream, std::string peer, io_loop& loop, const http_handlers& handlers,
           const http_server_options& options)
      : stream_(kj::mv(stream)), peer_(std::move(peer)), loop_(loop), handlers_(handlers), options_(options) {
  }

  kj::Promise<void> run() {
    auto head = read_head().exclusiveJoin(
        loop_.timer().afterDelay(to_kj(options_.head_deadline)).then([this]() -> std::string {
          if (head_.empty()) return {}; // an idle connection, as browsers open them ahead
          return to_text({408, "the request did not come in time\n"}, false);
        }));
    return head
        .then([this](std::string answer) -> kj::Promise<void> {
          if (answer.empty()) return kj::READY_NOW;
          answer_ = std::move(answer);
          return stream_->write(answer_.data(), answer_.size()).then([this] {
            stream_->shutdownWrite();
            return linger(*stream_, loop_.timer(), last_words_patience);
          });
        })
        .exclusiveJoin(loop_.timer().afterDelay(to_kj(options_.connection_deadline)));
  }

private:
  // The answer's text; nothing when there is nobody to answer.
  kj::Promise<std::string> read_head() {
    return stream_->tryRead(buffer_, 1, sizeof buffer_)
        .then([this](size_t count) -> kj::Promise<std::string> {
          if (count == 0) return std::string{};
          head_.append(reinterpret_cast<const char*>(buffer_), count);
          if (!may_begin_http(head_)) return refuse_stranger();
          if (auto bytes = http_head_bytes(head_); bytes && *bytes <= http_head_bytes_max)
            return answer(*bytes);
          if (head_.size() > http_head_bytes_max)
            return to_text({431, "the request's head is above 16 KiB\n"}, false);
          return read_head();
        });
  }

  std::string answer(size_t head_bytes) {
    auto parsed = parse_http_request(std::string_view{head_}.substr(0, head_bytes));
    if (auto* refusal = std::get_if<http_reply>(&parsed)) return to_text(*refusal, false);
    auto& request = std::get<http_request>(parsed);
    return to_text(answer_http(request, handlers_), request.method == "HEAD");
  }

  std::string refuse_stranger() {
    byte_view seen = as_bytes(head_);
    auto spoken = recognise(seen);
    std::string what = spoken != foreign_protocol::unknown ? name_of(spoken) : "no HTTP";
    options_.on_refused(
        peer_, {ec::wrong_protocol, "the peer speaks " + what + " (" + quoted(seen) + "), this port HTTP"});
    auto hint = options_.rpc_hint.empty() ? std::string{} : "; " + options_.rpc_hint;
    return to_text({400, "this port speaks HTTP" + hint + "\n"}, false);
  }

  kj::Own<kj::AsyncIoStream> stream_;
  const std::string peer_;
  io_loop& loop_;
  const http_handlers& handlers_;
  const http_server_options& options_;
  std::string head_, answer_;
  kj::byte buffer_[2048];
};

} // namespace

http_reply answer_http(const http_request& request, const http_handlers& handlers) {
  if (request.method != "GET" && request.method != "HEAD")
    return {405, "only GET and HEAD\n", "text/plain; charset=utf-8", "GET, HEAD"};
  try {
    if (request.path == "/livez") return list_of(handlers.why_not_live(), "live");
    if (request.path == "/readyz") return list_of(handlers.why_not_ready(), "ready");
    if (request.path == "/metrics") return {200, handlers.metrics(), metrics_registry::content_type};
    if (request.path == "/") return {200, "pessoa: /livez /readyz /metrics\n"};
  } catch (const std::exception& e) {
    return {500, std::string{"this page failed: "} + e.what() + "\n"};
  }
  return {404, "no such page; there are / /livez /readyz /metrics\n"};
}

kj::Promise<void> serve_http(kj::Own<kj::AsyncIoStream> stream, std::string peer, io_loop& loop,
                             const http_handlers& handlers, const http_server_options& options) {
  auto connection = kj::heap<exchange>(kj::mv(stream), std::move(peer), loop, handlers, options);
  auto run = kj::evalNow([&] { return connection->run(); });
  return run.attach(kj::mv(connection));
}

class http_server::room final : kj::TaskSet::ErrorHandler {
public:
  room(io_loop& loop, std::shared_ptr<listening_socket> socket, http_handlers handlers,
       http_server_options options)
      : loop_(loop), handlers_(std::move(handlers)), options_(std::move(options)),
        from_(loop.accept_from(std::move(socket))), tasks_(*this) {
    accepting_ = accept_more().eagerlyEvaluate([this](kj::Exception&& e) {
      options_.on_refused("everybody", {ec::internal, std::string{e.getDescription().cStr()}});
    });
  }

private:
  // A client that goes away in the middle: its own affair.
  void taskFailed(kj::Exception&&) override {}

  kj::Promise<void> accept_more() {
    return from_->accept().then([this](acceptor::connection accepted) {
      if (open_ >= options_.connections_max) {
        options_.on_refused(accepted.peer,
                            {ec::overloaded, "there are " + std::to_string(open_)
                                                 + " HTTP connections, the most this listener takes"});
      } else {
        ++open_;
        auto counted = kj::defer([this] { --open_; });
        tasks_.add(serve_http(kj::mv(accepted.stream), accepted.peer, loop_, handlers_, options_)
                       .attach(kj::mv(counted)));
      }
      return accept_more();
    });
  }

  io_loop& loop_;
  const http_handlers handlers_;
  const http_server_options options_;
  kj::Own<acceptor> from_;
  size_t open_ = 0;
  kj::Promise<void> accepting_ = nullptr;
  kj::TaskSet tasks_;
};

result<std::unique_ptr<http_server>> http_server::start(network& net, std::shared_ptr<io_loop> loop,
                                                        http_handlers handlers, http_server_options options) {
  PESSOA_TRY(auto socket, net.listen(options.host, options.port));
  return start(std::move(socket), std::move(loop), std::move(handlers), std::move(options));
}

std::unique_ptr<http_server> http_server::start(std::shared_ptr<listening_socket> socket,
                                                std::shared_ptr<io_loop> loop, http_handlers handlers,
                                                http_server_options options) {
  PESSOA_ASSERT(socket && loop && handlers.why_not_live && handlers.why_not_ready && handlers.metrics
                && options.on_refused);
  std::unique_ptr<http_server> out{new http_server{*loop, socket->port(), socket->address()}};
  out->room_ = std::make_shared<std::unique_ptr<room>>();
  loop->post([&l = *loop, place = out->room_, socket = std::move(socket), handlers = std::move(handlers),
              options = std::move(options)]() mutable {
    *place = std::make_unique<room>(l, std::move(socket), std::move(handlers), std::move(options));
  });
  return out;
}

void http_server::stop(std::function<void()> done) {
  PESSOA_ASSERT(!stopped_, "stopped twice");
  stopped_ = true;
  loop_.post([place = room_, done = std::move(done)] {
    *place = nullptr;
    done();
  });
}

http_server::~http_server() {
  if (stopped_) return;
  loop_.post([place = std::move(room_)] { *place = nullptr; });
}

} // namespace pessoa::node
