#include "kafka/codec/advertised.hpp"

#include <catch2/catch.hpp>

using namespace pessoa;
using namespace pessoa::kafka;

namespace {

version_range versions(const advertised_apis& from, api_key key) {
  auto found = from.find(static_cast<int16_t>(key));
  REQUIRE(found.has_value());
  return *found;
}

} // namespace

TEST_CASE("kafka: what is advertised lies inside of what the codec knows, in the order of keys", "[kafka]") {
  advertised_apis apis;
  CHECK(apis.all().size() == all_apis().size());
  for (size_t i = 0; i < apis.all().size(); ++i) {
    auto& entry = apis.all()[i];
    CHECK(entry.api->codec.contains(entry.versions.min));
    CHECK(entry.api->codec.contains(entry.versions.max));
    if (i > 0) CHECK(apis.all()[i - 1].api->key < entry.api->key);
  }
}

TEST_CASE("kafka: the versions without which clients silently lose features are advertised", "[kafka]") {
  advertised_apis apis;
  // librdkafka before 2.11.1 turns a feature on only when exactly these versions are inside.
  struct {
    api_key key;
    int16_t version;
  } const wanted[] = {
      {api_key::produce, 0},
      {api_key::produce, 3},
      {api_key::produce, 7},
      {api_key::fetch, 4},
      {api_key::fetch, 10},
      {api_key::list_offsets, 1},
      {api_key::init_producer_id, 0},
      {api_key::find_coordinator, 0},
      {api_key::offset_for_leader_epoch, 2},
      // kafka-python 2.0.2 takes the broker for one of 2017 without these, and sends an old message format.
      {api_key::metadata, 0},
      {api_key::metadata, 4},
      {api_key::fetch, 11},
      // The strict client of 2025 has nothing older than these.
      {api_key::find_coordinator, 4},
      {api_key::fetch, 12},
      {api_key::create_topics, 7},
      {api_key::delete_topics, 6}};
  for (auto& want : wanted) {
    INFO(info(want.key).name << " v" << want.version);
    CHECK(versions(apis, want.key).contains(want.version));
  }
}

TEST_CASE("kafka: a cap lowers a maximum, and only within what is advertised", "[kafka]") {
  advertised_apis apis;
  REQUIRE(apis.cap("Fetch", 11).ok());
  CHECK(versions(apis, api_key::fetch) == version_range{4, 11});
  CHECK(versions(apis, api_key::metadata) == versions(advertised_apis{}, api_key::metadata));
  for (auto& [name, version] :
       {std::pair{"Fetch", 12}, {"Fetch", 3}, {"Fetch", -1}, {"fetch", 11}, {"Fetsch", 11}}) {
    auto refused = apis.cap(name, static_cast<int16_t>(version));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ec::invalid_config);
  }
  CHECK(versions(apis, api_key::fetch) == version_range{4, 11});
}

TEST_CASE(
    "kafka: what is advertised can be lowered by a text, and a text that says something else is refused",
    "[kafka]") {
  auto good = [](std::string_view text) {
    auto made = advertised_apis::limited(text);
    INFO((made.ok() ? std::string{} : to_string(made.error())));
    REQUIRE(made.ok());
    return *made;
  };
  CHECK(good("").all().size() == advertised_apis{}.all().size());
  auto limited = good("Fetch=11, Produce=7,InitProducerId=off");
  CHECK(versions(limited, api_key::fetch) == version_range{4, 11});
  CHECK(versions(limited, api_key::produce) == version_range{0, 7});
  CHECK_FALSE(limited.find(static_cast<int16_t>(api_key::init_producer_id)).has_value());
  CHECK(versions(limited, api_key::metadata) == versions(advertised_apis{}, api_key::metadata));
  for (auto text :
       {"Fetch", "Fetch=", "=11", "Fetch=x", "Fetch=11x", "Fetch=13", "Fetch=3", "Fetch=-1", "Fetch=99999",
        "Fetch=11,", ",", "Fetch=11;Produce=7", "Fetsch=11", "ApiVersions=off", "Fetch=off,Fetch=11"}) {
    CAPTURE(text);
    auto refused = advertised_apis::limited(text);
    if (std::string_view{text} == "Fetch=11,") {
      CHECK(refused.ok()); // a comma at the end says nothing
      continue;
    }
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ec::invalid_config);
  }
  CHECK(advertised_apis::limited("Fetsch=11").error().message.find("did you mean Fetch?")
        != std::string::npos);
}

TEST_CASE("kafka: a hidden API is not advertised, and ApiVersions cannot be hidden", "[kafka]") {
  advertised_apis apis;
  REQUIRE(apis.hide("InitProducerId").ok());
  CHECK_FALSE(apis.find(static_cast<int16_t>(api_key::init_producer_id)).has_value());
  CHECK(apis.all().size() == all_apis().size() - 1);
  CHECK_FALSE(apis.hide("InitProducerId").ok());
  CHECK_FALSE(apis.hide("ApiVersions").ok());
  CHECK_FALSE(apis.find(999).has_value());
}
