// The sockets of the operating system, below KJ: what kj 0.9.2 hides or cannot do (a listening socket that
// several loops share, errors with their number, keep-alive). Used by io_loop_posix.cpp alone.
#pragma once

#include "schema/seams/io_loop.hpp"

#include <kj/io.h>

#include <sys/socket.h>

namespace pessoa {

// One listening socket. Loops accept from duplicates of its descriptor, so that each can watch it in its own
// epoll set and the socket closes when all are gone.
class listening_socket_posix final : public listening_socket {
public:
  static result<std::shared_ptr<listening_socket>> open(const std::string& host, uint16_t port);

  ~listening_socket_posix() noexcept override {}
  [[nodiscard]] uint16_t port() const override { return port_; }
  [[nodiscard]] std::string address() const override { return address_; }
  // Throws a kj::Exception when there is no descriptor left.
  [[nodiscard]] kj::AutoCloseFd duplicate() const;

private:
  listening_socket_posix(kj::AutoCloseFd fd, std::string address, uint16_t port)
      : fd_(kj::mv(fd)), address_(std::move(address)), port_(port) {}
  kj::AutoCloseFd fd_;
  std::string address_;
  uint16_t port_;
};

// "127.0.0.1:18880", "[::1]:18880"; an IPv4 address that came in through a dual-stack socket is shown as
// IPv4.
std::string address_text(const sockaddr* address, socklen_t length);
// Of our end of a connection; "unknown" when it has gone already.
std::string local_address_text(int fd);

// No delay for small writes; a peer that is gone is noticed within about a minute, whether the connection is
// idle (keep-alive) or has bytes under way (user timeout).
void set_connection_options(int fd);

// What accept() says about this one moment, as the loop reacts to it.
enum class accept_failure { none_waiting, that_connection, out_of_resources, socket_broken };
accept_failure judge_accept_errno(int number);

} // namespace pessoa
