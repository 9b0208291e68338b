#include "cli/histogram.hpp"

#include <catch2/catch.hpp>

#include <memory>

using pessoa::cli::histogram;

TEST_CASE("histogram: quantiles are at most 0.8 percent too high, over nine decades", "[cli][histogram]") {
  for (int64_t value : {0ll, 1ll, 127ll, 128ll, 129ll, 255ll, 256ll, 1000ll, 123'456ll, 1'000'000ll,
                        987'654'321ll, 3'600'000'000'000ll}) {
    auto h = std::make_unique<histogram>();
    h->record(value);
    h->record(INT64_MAX); // so that the maximum does not cut the answer
    auto found = h->quantile(0.5);
    CHECK(found >= value);
    CHECK(static_cast<double>(found) <= static_cast<double>(value) * 1.0079);
  }
}

TEST_CASE("histogram: quantiles of a known distribution", "[cli][histogram]") {
  histogram h;
  for (int64_t i = 1; i <= 100'000; ++i)
    h.record(i * 1000);
  CHECK(static_cast<double>(h.quantile(0.5)) == Approx(50'000'000).epsilon(0.008));
  CHECK(static_cast<double>(h.quantile(0.999)) == Approx(99'900'000).epsilon(0.008));
  CHECK(h.quantile(1) == 100'000'000);
  CHECK(h.max() == 100'000'000);
  CHECK(h.count() == 100'000);
}

TEST_CASE("histogram: adding is as recording everything in one", "[cli][histogram]") {
  histogram a, b, both;
  for (int64_t i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).record(i * i);
    both.record(i * i);
  }
  a.add(b);
  for (double share : {0.01, 0.5, 0.9, 0.999, 1.0})
    CHECK(a.quantile(share) == both.quantile(share));
  CHECK(histogram{}.quantile(0.5) == 0);
  CHECK(a.count() == 1000);
}
