#include "client/cluster_state.hpp"
#include "client/rpc/guarded_stream.hpp"
#include "pessoa/client.hpp"
#include "schema/endian.hpp"
#include "tests/client/fake_node.hpp"

#include <catch2/catch.hpp>

#include <kj/async-io.h>

namespace pessoa::client::test {

using namespace std::chrono_literals;

namespace {

settings for_address(const std::string& address) {
  settings s;
  s.set("bootstrap.servers", address).value();
  s.set("socket.connection.setup.timeout.ms", "2000").value();
  s.set("retry.backoff.ms", "5").value();
  return s;
}

// Something else that listens: says `greeting` at once or when spoken to, then closes or keeps silent.
struct stranger {
  enum class manner { speak_first, answer, close_at_once, keep_silent };

  stranger(manner how, std::string greeting) : net(make_system_network()), loop(net->make_loop("stranger")) {
    socket = net->listen("127.0.0.1", 0).value();
    run_on(*loop, [&] {
      accepting = loop->accept_from(socket);
      serving = serve(how, std::move(greeting)).eagerlyEvaluate(nullptr);
    });
  }
  ~stranger() {
    run_on(*loop, [&] {
      serving = nullptr;
      streams.clear();
      accepting = nullptr;
    });
  }
  kj::Promise<void> serve(manner how, std::string greeting) {
    return accepting->accept().then([this, how, greeting](acceptor::connection c) -> kj::Promise<void> {
      if (how == manner::close_at_once) return serve(how, greeting);
      auto& stream = *streams.emplace_back(kj::mv(c.stream));
      text = greeting;
      if (how == manner::keep_silent) return serve(how, greeting);
      auto said = how == manner::speak_first
                      ? stream.write(text.data(), text.size())
                      : stream.tryRead(buffer, 1, sizeof buffer).then([this, &stream](size_t) {
                          return stream.write(text.data(), text.size());
                        });
      return said.then([this, how, greeting] { return serve(how, greeting); });
    });
  }
  std::string address() const { return socket->address(); }

  std::unique_ptr<network> net;
  std::shared_ptr<io_loop> loop;
  std::shared_ptr<listening_socket> socket;
  kj::Own<acceptor> accepting;
  std::vector<kj::Own<kj::AsyncIoStream>> streams;
  std::string text;
  char buffer[256];
  kj::Maybe<kj::Promise<void>> serving;
};

} // namespace

TEST_CASE("connect: a port that speaks another protocol is named", "[client][rpc]") {
  SECTION("HTTP") {
    stranger http{stranger::manner::answer, "HTTP/1.1 400 Bad Request\r\n\r\n"};
    auto got = cluster::connect(for_address(http.address()));
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == ec::wrong_protocol);
    CHECK(got.error().message.find("HTTP") != std::string::npos);
    CHECK(got.error().message.find(http.address()) != std::string::npos);
    CHECK(got.error().hint.find("18880") != std::string::npos);
  }
  SECTION("SSH") {
    stranger ssh{stranger::manner::speak_first, "SSH-2.0-OpenSSH_9.2\r\n"};
    CHECK(cluster::connect(for_address(ssh.address())).error().code == ec::wrong_protocol);
  }
  SECTION("garbage") {
    stranger garbage{stranger::manner::answer, std::string("\xff\xff\xff\xff nonsense", 13)};
    CHECK(cluster::connect(for_address(garbage.address())).error().code == ec::wrong_protocol);
  }
  SECTION("a table that promises terabytes") {
    stranger liar{stranger::manner::answer, std::string("\0\0\0\0\xff\xff\xff\x7f", 8)};
    CHECK(cluster::connect(for_address(liar.address())).error().code == ec::wrong_protocol);
  }
  SECTION("closes without a word") {
    stranger closes{stranger::manner::close_at_once, ""};
    auto got = cluster::connect(for_address(closes.address()));
    CHECK(got.error().code == ec::disconnected);
    CHECK(got.error().message.find(closes.address()) != std::string::npos);
  }
  SECTION("never answers") {
    stranger silent{stranger::manner::keep_silent, ""};
    auto s = for_address(silent.address());
    s.set("socket.connection.setup.timeout.ms", "100").value();
    auto got = cluster::connect(s);
    CHECK(got.error().code == ec::disconnected);
    CHECK(got.error().message.find("100 ms") != std::string::npos);
  }
}

TEST_CASE("connect: nobody there is told at once, with a line per address", "[client][rpc]") {
  std::string one, two;
  {
    fake_cluster gone{2};
    one = gone.address(1), two = gone.address(2);
  }
  auto got = cluster::connect(for_address(one + "," + two));
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code == ec::disconnected);
  REQUIRE(got.error().last_causes.size() == 2);
  CHECK(got.error().last_causes[0].find(one) != std::string::npos);
  CHECK(got.error().last_causes[1].find(two) != std::string::npos);
  CHECK(cluster::connect("no port").error().code == ec::invalid_config);
  CHECK(cluster::connect("").error().code == ec::invalid_config);
}

TEST_CASE("connect: the list is tried until one answers, and waited for when asked to", "[client][rpc]") {
  fake_cluster fake{2};
  SECTION("the second lives") {
    fake.stop(1);
    auto got = cluster::connect(for_address(fake.bootstrap()));
    REQUIRE(got.ok());
    CHECK(got->node() == 2);
  }
  SECTION("they come later") {
    fake.stop(1);
    fake.stop(2);
    auto s = for_address(fake.bootstrap());
    s.set("bootstrap.wait.ms", "20000").value();
    auto waiting = std::async(std::launch::async, [&] { return cluster::connect(s); });
    CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
    fake.start(2);
    CHECK(waiting.get().ok());
  }
}

TEST_CASE("connect: another cluster is refused, at the beginning and when coming back", "[client][rpc]") {
  fake_cluster fake;
  auto s = for_address(fake.bootstrap());
  SECTION("by the id that was given") {
    s.set("cluster.id", "AAAAAAAAQACAAAAAAAAAAQ").value();
    auto got = cluster::connect(s);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == ec::wrong_cluster);
    s.set("cluster.id", "nonsense").value();
    CHECK(cluster::connect(s).error().code == ec::invalid_config);
  }
  SECTION("by the id that was met first") {
    s.set("default.api.timeout.ms", "300").value();
    auto on = cluster::connect(s).value();
    CHECK(on.info().ok());
    fake.on_loop([](fake_world& w) {
      w.cluster_id[5] ^= 1;
      w.cut.at(1)();
    });
    auto info = on.info();
    for (int i = 0; i < 1'000 && info.ok(); ++i) // the cut may take a moment to be seen
      info = on.info();
    REQUIRE_FALSE(info.ok());
    CHECK(info.error().code == ec::wrong_cluster);
  }
}

TEST_CASE("admin: topics are created, listed, described, changed and deleted", "[client][admin]") {
  fake_cluster fake;
  auto on = cluster::connect(for_address(fake.bootstrap())).value();
  admin a{on};
  auto made = a.create_topic({"orders", 3, {}, {{"retention.ms", "1000"}}});
  REQUIRE(made.ok());
  CHECK(made->partitions.size() == 3);
  CHECK(made->id.size() == 22);
  CHECK(made->config.at("retention.ms") == "1000");
  CHECK(a.create_topic({"orders", {}, {}, {}}).error().code == ec::topic_exists);
  REQUIRE(a.create_topic({"a", {}, {}, {}}).ok());
  auto list = a.list_topics().value();
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "a");
  CHECK(a.alter_topic({"orders", 5, {{"retention.ms", "2000"}}})->partitions.size() == 5);
  auto description = a.describe_topic("orders").value();
  CHECK(description.partitions.size() == 5);
  CHECK(description.topic.config.at("retention.ms") == "2000");
  CHECK(description.partitions[4].high_watermark == 0);
  CHECK(a.describe_topic("nobody").error().code == ec::unknown_topic);
  CHECK(on.topic("nobody").error().code == ec::unknown_topic);
  CHECK(a.delete_topic("orders").ok());
  CHECK(a.delete_topic("orders").error().code == ec::unknown_topic);
  auto info = on.info().value();
  CHECK(info.cluster_id == on.id());
  REQUIRE(info.nodes.size() == 1);
  CHECK(info.nodes[0].rpc == fake.address(1));
  auto health = on.health().value();
  CHECK_FALSE(health.healthy);
  CHECK(health.reasons == std::vector<std::string>{"it is a fake"});
  CHECK(health.leaderless == 3);
}

TEST_CASE("admin: without the right to administer, reading and writing still go on", "[client][admin]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  fake.on_loop([](fake_world& w) { w.deny_admin = true; });
  auto on = cluster::connect(for_address(fake.bootstrap())).value();
  CHECK(admin{on}.create_topic({"x", {}, {}, {}}).error().code == ec::denied);
  CHECK(on.health().error().code == ec::denied);
  CHECK(producer::create(on)->send("t", {.value = "x"}).get().ok());
}

TEST_CASE("cluster: a function that waits answers at once inside a callback", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  auto on = cluster::connect(for_address(fake.bootstrap())).value();
  auto p = producer::create(on).value();
  std::promise<std::vector<ec>> seen;
  p.send("t", {.value = "x"}, [&](const result<delivery>&) {
     seen.set_value({on.info().error().code, p.flush(1s).error().code, producer::create(on).error().code});
   }).value();
  CHECK(seen.get_future().get()
        == std::vector<ec>{ec::invalid_argument, ec::invalid_argument, ec::invalid_argument});
}

TEST_CASE("cluster: the last handle may go inside a callback", "[client][rpc]") {
  fake_cluster fake;
  fake.add_topic("t", 1);
  std::promise<void> called;
  {
    auto on = std::make_shared<cluster>(cluster::connect(for_address(fake.bootstrap())).value());
    auto p = std::make_shared<producer>(producer::create(*on).value());
    auto& borrowed = *p;
    borrowed
        .send("t", {.value = "x"},
              [on, p, &called](const result<delivery>& d) mutable {
                CHECK(d.ok());
                p.reset();
                on.reset();
                called.set_value();
              })
        .value();
    on.reset();
    p.reset();
  }
  called.get_future().get();
}

TEST_CASE("metadata: an answer older than what is known is not believed",
          "[client][metadata]") { // failures N8
  fake_cluster fake{2};
  fake.add_topic("t", 1);
  auto s = for_address(fake.bootstrap());
  s.set("default.api.timeout.ms", "200").value();
  auto on = cluster::connect(s).value();
  CHECK(on.topic("t").ok());
  fake.on_loop([](fake_world& w) { w.stale_index = 0; });
  auto stale = on.topic("t");
  REQUIRE_FALSE(stale.ok());
  CHECK(stale.error().code == ec::timed_out);
  REQUIRE_FALSE(stale.error().last_causes.empty());
  CHECK(stale.error().last_causes.back().find("older") != std::string::npos);
  fake.on_loop([](fake_world& w) { w.stale_index.reset(); });
  CHECK(on.topic("t").ok());
}

TEST_CASE("frame guard: whole messages pass in any pieces, and a lying table does not", "[client][rpc]") {
  // Three segments of 1, 2 and 1 words, then one segment of 2 words.
  std::vector<uint8_t> stream(8 * (2 + 4 + 1 + 2));
  uint32_t table[] = {2, 1, 2, 1};
  for (size_t i = 0; i < 4; ++i)
    store_le(stream.data() + 4 * i, table[i]);
  store_le<uint32_t>(stream.data() + 48, 0);
  store_le<uint32_t>(stream.data() + 52, 2);
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    frame_guard guard{1'000};
    for (size_t at = 0; at < stream.size(); at += piece)
      REQUIRE(guard.feed(stream.data() + at, std::min(piece, stream.size() - at)).ok());
    // The next message's table begins exactly here.
    uint8_t too_large[8] = {0, 0, 0, 0, 126, 0, 0, 0};
    CHECK(guard.feed(too_large, 8).error().code == ec::malformed_message);
  }
}

} // namespace pessoa::client::test
