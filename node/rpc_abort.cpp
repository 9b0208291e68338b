#include "node/rpc_abort.hpp"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>

namespace pessoa::node {

kj::Promise<void> write_abort(kj::AsyncIoStream& stream, const error& reason) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto abort = message->initRoot<capnp::rpc::Message>().initAbort();
  auto text = to_string(reason);
  abort.setReason(kj::StringPtr{text.c_str(), text.size()});
  abort.setType(capnp::rpc::Exception::Type::DISCONNECTED);
  auto writing = kj::evalNow([&] { return capnp::writeMessage(stream, *message); });
  return writing.attach(kj::mv(message));
}

} // namespace pessoa::node
