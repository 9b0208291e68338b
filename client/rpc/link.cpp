#include "client/rpc/link.hpp"

#include "client/rpc/wire_words.hpp"
#include "schema/limits.hpp"
#include "schema/wire/convert.hpp"

#include <kj/debug.h>

namespace pessoa::client {

namespace {

constexpr uint16_t protocol_version = 1;
constexpr auto software = "pessoa-cpp 0.1.0";

capnp::ReaderOptions reader_options() {
  capnp::ReaderOptions options;
  // Holds for what is sent, too. Each read of a pointer is charged, so leave room for reading a reply more
  // than once.
  options.traversalLimitInWords = 4 * rpc_message_bytes_max / sizeof(capnp::word);
  return options;
}

// An error that a promise chain carries in `refused_` meanwhile.
kj::Exception stopped() {
  return {kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::heapString("refused")};
}

} // namespace

link::link(io_loop& loop, host_port address, link_role role, link_settings settings)
    : loop_(loop), address_(std::move(address)), address_text_(to_string(address_)), role_(role),
      settings_(std::move(settings)) {}

link::~link() noexcept = default;

std::shared_ptr<link> link::open(io_loop& loop, host_port address, link_role role,
                                 const link_settings& settings) {
  std::shared_ptr<link> made{new link{loop, std::move(address), role, settings}};
  made->dial();
  return made;
}

void link::dial() {
  auto limit = settings_.connect_timeout;
  auto dialled =
      loop_.connect(address_.host, address_.port, limit).then([this](kj::Own<kj::AsyncIoStream> stream) {
        return log_in(kj::mv(stream));
      });
  auto late =
      loop_.timer().afterDelay(limit.count() * kj::NANOSECONDS).then([this, limit]() -> kj::Promise<void> {
        auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
        refused_ = error{ec::disconnected,
                         address_text_ + " did not answer the login within " + std::to_string(ms) + " ms"};
        return stopped();
      });
  work_ =
      dialled.exclusiveJoin(kj::mv(late))
          .then([this]() -> kj::Promise<void> {
            if (phase_ == phase::ended) return stopped();
            become(phase::ready);
            return rpc_->network->onDisconnect();
          })
          .then([this] { kill(explain_end(KJ_EXCEPTION(DISCONNECTED, "the node closed the connection"))); },
                [this](kj::Exception&& e) { kill(explain_end(e)); })
          .eagerlyEvaluate(nullptr);
}

kj::Promise<void> link::log_in(kj::Own<kj::AsyncIoStream> stream) {
  if (phase_ == phase::ended) return stopped();
  rpc_ = std::make_unique<connection>();
  rpc_->stream = guard_stream(kj::mv(stream), 2 * rpc_message_bytes_max, findings_);
  rpc_->network = kj::heap<capnp::TwoPartyVatNetwork>(*rpc_->stream, capnp::rpc::twoparty::Side::CLIENT,
                                                      reader_options());
  rpc_->system = capnp::makeRpcClient(*rpc_->network);
  capnp::MallocMessageBuilder message{8};
  auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
  vat.setSide(capnp::rpc::twoparty::Side::SERVER);
  auto& bootstrap =
      rpc_->bootstrap.emplace(KJ_ASSERT_NONNULL(rpc_->system).bootstrap(vat).castAs<wire::Bootstrap>());

  auto request = bootstrap.loginRequest();
  auto hello = request.initHello();
  hello.setProtocol(protocol_version);
  hello.setClientId(text(settings_.client_id));
  hello.setSoftware(software);
  if (!settings_.cluster.is_nil()) wire::write(settings_.cluster, hello.initClusterId());
  hello.getCredentials().setNone();
  return request.send().then([this](capnp::Response<wire::Bootstrap::LoginResults>&& answer) {
    auto done = greeted(answer);
    return done.attach(kj::mv(answer));
  });
}

kj::Promise<void> link::greeted(wire::Bootstrap::LoginResults::Reader answer) {
  if (phase_ == phase::ended) return stopped();
  if (answer.hasError()) {
    refused_ = error_of(answer.getError());
    refused_->message = address_text_ + ": " + refused_->message;
    return stopped();
  }
  auto welcome = answer.getWelcome();
  cluster_ = wire::read<cluster_id>(welcome.getClusterId());
  node_ = welcome.getNodeId();
  version_ = text(welcome.getVersion());
  index_ = metadata_index{welcome.getMetadataIndex()};
  if (welcome.getProtocol() > protocol_version || welcome.getProtocol() == 0) {
    refused_ = error{ec::unsupported_version,
                     address_text_ + " answers in protocol " + std::to_string(welcome.getProtocol())
                         + ", this client knows up to " + std::to_string(protocol_version)};
    return stopped();
  }
  if (!settings_.cluster.is_nil() && cluster_ != settings_.cluster) { // nodes check it too; never trust one
    refused_ = error{ec::wrong_cluster, address_text_ + " belongs to cluster " + pessoa::to_string(cluster_)
                                            + ", not to " + pessoa::to_string(settings_.cluster)};
    return stopped();
  }
  rpc_->session = answer.getSession();
  return take_capability();
}

kj::Promise<void> link::take_capability() {
  auto take = [this](auto&& answer) -> kj::Promise<void> {
    if (!answer.hasError()) return kj::READY_NOW;
    refused_ = error_of(answer.getError());
    refused_->message = address_text_ + ": " + refused_->message;
    return stopped();
  };
  switch (role_) {
  case link_role::produce: {
    // The id of an idempotent producer belongs to the producer, not to its connections: here only the right
    // to write.
    auto request = session().producerRequest();
    request.setIdempotent(false);
    return request.send().then([this, take](capnp::Response<wire::Session::ProducerResults>&& answer) {
      if (rpc_) rpc_->producer = answer.getProducer();
      return take(answer);
    });
  }
  case link_role::consume:
    return session().consumerRequest().send().then(
        [this, take](capnp::Response<wire::Session::ConsumerResults>&& answer) {
          if (rpc_) rpc_->consumer = answer.getConsumer();
          return take(answer);
        });
  case link_role::control:
    break;
  }
  // Not everybody may administer: a refusal is told when the capability is used.
  return session().adminRequest().send().then([this](capnp::Response<wire::Session::AdminResults>&& answer) {
    if (answer.hasError())
      admin_refused_ = error_of(answer.getError());
    else if (rpc_)
      rpc_->admin = answer.getAdmin();
  });
}

error link::explain_end(const kj::Exception& e) const {
  if (findings_->wrong) {
    auto why = *findings_->wrong;
    why.message = address_text_ + ": " + why.message;
    return why;
  }
  if (refused_) return *refused_;
  auto why = read_exception(e, address_text_);
  if (phase_ == phase::dialling && rpc_ && findings_->bytes == 0 && why.code == ec::disconnected)
    why = {ec::disconnected,
           address_text_ + " closed the connection without a word: it may not be a port for clients"};
  if (phase_ == phase::dialling && why.category == error_category::unknown)
    why.category = error_category::refresh;
  return why;
}

void link::become(phase next) {
  phase_ = next;
  auto self = shared_from_this(); // a listener may let go of the last reference
  auto now = listeners_;
  for (auto& listener : now)
    listener();
}

void link::kill(error why) {
  if (phase_ == phase::ended) return;
  auto self = shared_from_this();
  if (phase_ == phase::dialling && why.category == error_category::unknown)
    why.category = error_category::refresh;
  failure_ = std::move(why);
  // Not here: this may run inside a callback of what is to be destroyed.
  struct remains {
    std::shared_ptr<link> self;
    std::unique_ptr<connection> rpc;
    kj::Maybe<kj::Promise<void>> work;
  };
  auto rest = std::make_shared<remains>(remains{self, std::move(rpc_), kj::mv(work_)});
  work_ = nullptr;
  loop_.post([rest] { rest->work = nullptr, rest->rpc = nullptr; });
  become(phase::ended);
  listeners_.clear();
}

wire::Session::Client& link::session() { return KJ_ASSERT_NONNULL(rpc_->session); }
wire::Admin::Client& link::admin() { return KJ_ASSERT_NONNULL(rpc_->admin); }
wire::Producer::Client& link::producer() { return KJ_ASSERT_NONNULL(rpc_->producer); }
wire::Consumer::Client& link::consumer() { return KJ_ASSERT_NONNULL(rpc_->consumer); }

} // namespace pessoa::client
