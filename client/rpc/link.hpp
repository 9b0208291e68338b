// One connection to one node, from dialling to its end: TCP, Cap'n Proto, login, and the one capability it is
// for.
//
// Lives on its loop. Whoever has a call under way holds the link (shared_ptr), so that capabilities outlive
// their calls. A link that has ended stays ended; the pool dials anew. kill() ends it at once: calls under
// way are rejected as disconnected, and memory that messages refer to (keep()) is let go only after the
// connection is gone.
#pragma once

#include "client/rpc/guarded_stream.hpp"
#include "pessoa/error.hpp"
#include "schema/ids.hpp"
#include "schema/seams/io_loop.hpp"
#include "schema/wire/client.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pessoa::client {

enum class link_role { control, produce, consume };

struct link_settings {
  std::string client_id;
  cluster_id cluster;         // refuse any other; nil: take what comes
  duration connect_timeout{}; // for dialling, login and the capability together
};

class link : public std::enable_shared_from_this<link> {
public:
  // Begins to dial.
  static std::shared_ptr<link> open(io_loop& loop, host_port address, link_role role,
                                    const link_settings& settings);
  ~link() noexcept;

  enum class phase { dialling, ready, ended };
  [[nodiscard]] phase state() const { return phase_; }
  [[nodiscard]] bool ready() const { return phase_ == phase::ready; }
  // Why it ended; none before. Its category is `refresh` when it ended before it was ready: nothing was sent.
  [[nodiscard]] const std::optional<error>& failure() const { return failure_; }
  [[nodiscard]] const std::string& address() const { return address_text_; }

  // Calls back when the phase changes: once to ready (or not), once to ended.
  void on_change(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }

  // -- when it is ready ---
  [[nodiscard]] cluster_id cluster() const { return cluster_; }
  [[nodiscard]] int32_t node() const { return node_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] metadata_index index() const { return index_; }
  [[nodiscard]] wire::Session::Client& session();
  [[nodiscard]] wire::Admin::Client& admin();
  [[nodiscard]] wire::Producer::Client& producer();
  [[nodiscard]] wire::Consumer::Client& consumer();

  // Why the node gave no right to administer; then admin() must not be called.
  [[nodiscard]] const std::optional<error>& admin_refused() const { return admin_refused_; }

  void kill(error why);
  // After a call without an answer: keeps memory alive as long as a message of this connection may refer to
  // it.
  void keep(std::shared_ptr<const void> memory) { kept_.push_back(std::move(memory)); }

private:
  // Destroyed from the bottom to the top: capabilities, system, network, stream.
  struct connection {
    kj::Own<kj::AsyncIoStream> stream;
    kj::Own<capnp::TwoPartyVatNetwork> network;
    kj::Maybe<capnp::RpcSystem<capnp::rpc::twoparty::VatId>> system;
    kj::Maybe<wire::Bootstrap::Client> bootstrap;
    kj::Maybe<wire::Session::Client> session;
    kj::Maybe<wire::Admin::Client> admin;
    kj::Maybe<wire::Producer::Client> producer;
    kj::Maybe<wire::Consumer::Client> consumer;
  };

  link(io_loop& loop, host_port address, link_role role, link_settings settings);
  void dial();
  kj::Promise<void> log_in(kj::Own<kj::AsyncIoStream> stream);
  kj::Promise<void> greeted(wire::Bootstrap::LoginResults::Reader answer);
  kj::Promise<void> take_capability();
  void become(phase next);
  [[nodiscard]] error explain_end(const kj::Exception& e) const;

  io_loop& loop_;
  host_port address_;
  std::string address_text_;
  link_role role_;
  link_settings settings_;
  phase phase_ = phase::dialling;
  std::optional<error> failure_;
  std::optional<error> admin_refused_;
  std::optional<error> refused_; // what the node said to the login
  std::shared_ptr<guard_findings> findings_ = std::make_shared<guard_findings>();
  cluster_id cluster_;
  int32_t node_ = -1;
  std::string version_;
  metadata_index index_{-1};
  std::vector<std::function<void()>> listeners_;
  std::vector<std::shared_ptr<const void>> kept_; // outlives the connection
  std::unique_ptr<connection> rpc_;
  kj::Maybe<kj::Promise<void>> work_; // dialling, then watching for the end
};

} // namespace pessoa::client
