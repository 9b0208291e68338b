#include "schema/seams/io_loop_socket_posix.hpp"

#include <kj/debug.h>

#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace pessoa {

namespace {

constexpr int listen_backlog = 1024;

result<kj::AutoCloseFd> bind_and_listen(const addrinfo& where) {
  auto fail = [](int number) -> result<kj::AutoCloseFd> {
    std::string text = std::strerror(number);
    switch (number) {
    case EADDRINUSE:
      return {ec::address_in_use, "another program is listening there"};
    case EADDRNOTAVAIL:
      return {ec::invalid_argument, "this machine does not have that address"};
    case EACCES:
      return {ec::denied, "ports below 1024 need more rights"};
    case EMFILE:
    case ENFILE:
      return {ec::overloaded, text};
    default:
      return {ec::invalid_argument, text};
    }
  };
  int raw = ::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return fail(errno);
  kj::AutoCloseFd fd{raw};
  int on = 1;
  // So that a restarted node gets its port back at once. Not SO_REUSEPORT: a second node on the port must be
  // told.
  if (::setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return fail(errno);
  if (where.ai_family == AF_INET6) {
    // "[::]" takes IPv4 too, whatever the system's default is; a concrete IPv6 address is what it says.
    auto* v6 = reinterpret_cast<const sockaddr_in6*>(where.ai_addr);
    int only = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ? 0 : 1;
    if (::setsockopt(raw, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) return fail(errno);
  }
  if (::bind(raw, where.ai_addr, where.ai_addrlen) != 0) return fail(errno);
  if (::listen(raw, listen_backlog) != 0) return fail(errno);
  return fd;
}

} // namespace

std::string address_text(const sockaddr* address, socklen_t length) {
  sockaddr_in v4{};
  if (address->sa_family == AF_INET6) {
    auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      v4.sin_family = AF_INET;
      v4.sin_port = v6->sin6_port;
      std::memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, 4);
      address = reinterpret_cast<const sockaddr*>(&v4);
      length = sizeof v4;
    }
  }
  char host[NI_MAXHOST], service[NI_MAXSERV];
  if (::getnameinfo(address, length, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV)
      != 0)
    return "unknown";
  return address->sa_family == AF_INET6 ? "[" + std::string{host} + "]:" + service
                                        : std::string{host} + ":" + service;
}

std::string local_address_text(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "unknown";
  return address_text(reinterpret_cast<const sockaddr*>(&address), length);
}

void set_connection_options(int fd) {
  // Failures are ignored: the peer may have gone already, and the connection works without.
  auto set = [fd](int level, int name, int value) {
    (void)::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

accept_failure judge_accept_errno(int number) {
  switch (number) {
  case EAGAIN:
#if EAGAIN != EWOULDBLOCK
  case EWOULDBLOCK:
#endif
    return accept_failure::none_waiting;
  case EINTR:
  case ECONNABORTED:
  case EPROTO:
  case EPERM: // a firewall said no
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case ENETUNREACH:
  case ETIMEDOUT:
    return accept_failure::that_connection;
  case EBADF:
  case EFAULT:
  case EINVAL:
  case ENOTSOCK:
  case EOPNOTSUPP:
    return accept_failure::socket_broken;
  default:
    return accept_failure::out_of_resources; // EMFILE, ENFILE, ENOBUFS, ENOMEM; anything new: pause, do not
                                             // spin
  }
}

kj::AutoCloseFd listening_socket_posix::duplicate() const {
  int copy = -1;
  KJ_SYSCALL(copy = ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  return kj::AutoCloseFd{copy};
}

result<std::shared_ptr<listening_socket>> listening_socket_posix::open(const std::string& host,
                                                                       uint16_t port) {
  auto asked = to_string(host_port{host, port});
  if (host.empty()) return {ec::invalid_argument, "cannot listen on '" + asked + "': the host is missing"};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int looked_up = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (looked_up != 0)
    return {ec::invalid_argument, "cannot listen on " + asked + ": " + ::gai_strerror(looked_up)};
  KJ_DEFER(::freeaddrinfo(found));

  // The first address that can be bound; the first address's reason if none can ("localhost" on a machine
  // without IPv6).
  error first_reason;
  for (auto* where = found; where; where = where->ai_next) {
    auto fd = bind_and_listen(*where);
    if (!fd) {
      if (first_reason.code == ec::none) first_reason = fd.error();
      // In use means: the name is served already. Trying its next address would hide that.
      if (fd.error().code == ec::address_in_use) break;
      continue;
    }
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    KJ_SYSCALL(::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&bound), &length));
    auto text = address_text(reinterpret_cast<sockaddr*>(&bound), length);
    auto real = parse_host_port(text);
    if (!real) return real.error();
    return std::shared_ptr<listening_socket>{
        new listening_socket_posix{std::move(fd).value(), text, real->port}};
  }
  return {first_reason.code, "cannot listen on " + asked + ": " + first_reason.message};
}

} // namespace pessoa
