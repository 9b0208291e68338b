#include "tests/kafka/kafka_fixture.hpp"

using namespace pessoa;
using namespace pessoa::kafka;
using namespace pessoa::kafka::test;
using Catch::Contains;

namespace {

api_versions_request client_software() {
  api_versions_request out;
  out.client_software_name = "test-client";
  out.client_software_version = "1.0.2";
  return out;
}

// A head and nothing else.
request_frame head(int16_t key, int16_t version) {
  raw out(4 + 11); // the last byte: no tags, where the header has them
  store_be(out.data() + 4, key);
  store_be(out.data() + 6, version);
  store_be(out.data() + 8, int32_t{7});
  store_be(out.data() + 12, int16_t{-1});
  return frame_of(out);
}

} // namespace

TEST_CASE("kafka: ApiVersions tells every API in every version of itself", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  for (int16_t version = 0; version <= 4; ++version) {
    CAPTURE(version);
    auto told = c.ask(client_software(), version);
    CHECK(told.error_code == 0);
    advertised_apis promised;
    REQUIRE(told.api_keys.size() == promised.all().size());
    for (size_t i = 0; i < told.api_keys.size(); ++i) {
      CHECK(told.api_keys[i].api_key == static_cast<int16_t>(promised.all()[i].api->key));
      CHECK(told.api_keys[i].min_version == promised.all()[i].versions.min);
      CHECK(told.api_keys[i].max_version == promised.all()[i].versions.max);
    }
  }
  CHECK(c.from->software == "'test-client 1.0.2'");
  CHECK(c.from->client_id == "'test client'");
}

TEST_CASE("kafka: an ApiVersions of another version is answered in version 0 with the versions there are",
          "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  for (int version : {5, 99, -1, INT16_MAX, INT16_MIN}) {
    CAPTURE(version);
    auto told = peer::read<api_versions_request>(c.get(head(18, static_cast<int16_t>(version))), 0);
    CHECK(told.error_code == 35);
    REQUIRE(told.api_keys.size() == 1);
    CHECK(told.api_keys[0].api_key == 18);
    CHECK(told.api_keys[0].max_version == 4);
  }
}

TEST_CASE("kafka: software that names itself wrongly is told so and may go on", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  for (auto name : {"", "-x", "x-", "a b", "a\nb", "ä"}) {
    auto asked = client_software();
    asked.client_software_name = name;
    CHECK(c.ask(asked, 3).error_code == 42);
  }
  CHECK(c.from->software == "?");
  CHECK(c.ask(client_software(), 3).error_code == 0);
}

TEST_CASE("kafka: what is not spoken here ends the connection with a reason", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  service_options capped;
  REQUIRE(capped.apis.cap("Metadata", 8).ok());
  REQUIRE(capped.apis.hide("ListOffsets").ok());
  node_peer c{n, capped};
  struct {
    int16_t key, version;
    const char* reason;
  } const cases[] = {{93, 0, "API 93"},
                     {-1, 0, "API -1"},
                     {3, 13, "Metadata version 13"},
                     {3, 9, "Metadata version 9"},
                     {3, -1, "Metadata version -1"},
                     {1, 3, "Fetch version 3"},
                     {2, 1, "ListOffsets version 1"}};
  for (auto& x : cases) {
    CAPTURE(x.reason);
    auto a = c.get(head(x.key, x.version));
    CHECK_FALSE(a.message.has_value());
    REQUIRE(a.close.has_value());
    CHECK(a.close->code == ec::unsupported_version);
    CHECK_THAT(a.close->message, Contains(x.reason));
  }
  CHECK(c.ask(metadata_request{}, 8).brokers.size() == 1);
  CHECK(c.counted.refused == std::size(cases));
}

TEST_CASE("kafka: a malformed request ends the connection, at whatever byte it is cut", "[kafka]") {
  one_thread_node n;
  REQUIRE(n.start().ok());
  node_peer c{n};
  c.create("t");
  auto whole = encode_request(node_peer::fetch_of("t", 0), 11, 7, "x")->joined();
  for (size_t size = 4; size < whole.size(); ++size) {
    CAPTURE(size);
    auto a = c.get(frame_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)}));
    REQUIRE(a.close.has_value());
    CHECK(a.close->code == ec::malformed_message);
    CHECK_FALSE(a.message.has_value());
  }
  whole.resize(whole.size() + 3); // librdkafka 2.15 sends such requests, and Kafka answers them
  auto a = c.get(frame_of(whole));
  CHECK_FALSE(a.close.has_value());
  CHECK(a.message.has_value());
}
