// Random steps against a naive model: commits, refusals, failures, timeouts, repetitions, retention and ends
// interleave.
//
// Every seed replays; a failure prints its seed and the last steps.
#include "schema/seams/random.hpp"
#include "tests/protocol/partition_fixture.hpp"
#include "tests/protocol/partition_model.hpp"

#include <deque>
#include <set>
#include <sstream>

using namespace pessoa;
using namespace pessoa::protocol;

namespace {

class model_run {
public:
  explicit model_run(uint64_t seed) : random_(seed), seed_(seed) {
    settings_.waiting_bytes_max = 2000 + random_.below(8000);
    settings_.parked_fetches_max = 1 + random_.below(12);
    if (random_.below(3) == 0) settings_.config.message_timestamp_type = timestamp_type::log_append_time;
    settings_.config.max_message_bytes = 1000;
    settings_.config.message_timestamp_before_max_ms = 3'600'000;
    model_.settings = settings_;
    begin();
  }

  void step() {
    ++steps_;
    switch (random_.below(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      produce();
      break;
    case 7:
    case 8:
    case 9:
      fetch();
      break;
    case 10:
    case 11:
    case 12:
    case 13:
      commit();
      break;
    case 14:
    case 15:
    case 16:
      pass();
      break;
    case 17:
      refuse();
      break;
    case 18: {
      if (random_.below(4) == 0)
        move_start();
      else if (random_.below(4) == 0)
        apply();
      else
        forget();
      break;
    }
    default:
      rarely();
      break;
    }
  }
  void finish() {
    say("end");
    expect(model_.end(), leader_->end());
    // Every request was answered once (the fixture of answers refuses a second), but for the forgotten.
    for (auto id : asked_) {
      if (!answered_.contains(id) && !forgotten_.contains(id))
        fail("request " + std::to_string(id) + " is not answered");
    }
    dedup_is_consistent();
  }

  size_t acknowledged = 0, refused = 0, duplicates = 0, timed_out = 0, unknown = 0, reads = 0, epochs = 0;

private:
  // -- steps ---
  void produce() {
    produce_input in;
    in.id = ask();
    in.facts = draw_batch();
    in.level = std::array{acks::all, acks::all, acks::leader, acks::none}[random_.below(4)];
    in.deadline = now_ + std::chrono::milliseconds{static_cast<int64_t>(random_.below(400))};
    in.known_epoch = draw_epoch();
    auto& h = in.facts.header;
    say("produce ", in.id, " producer ", h.producer, " epoch ", h.pepoch, " sequence ", h.base_sequence, " x",
        h.record_count, " acks ", static_cast<int>(in.level), " bytes ", h.size());
    expect(model_.produce(in, now_, wall_), leader_->produce(in, now_, wall_));
  }
  void fetch() {
    fetch_input in;
    in.id = ask();
    auto span = model_.end_offset() - model_.start + 4;
    in.from = offset{model_.start - 2 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(span)))};
    if (random_.below(2) == 0) in.from = offset{model_.durable};
    in.bytes_min = random_.below(3) == 0 ? random_.below(2000) : 1;
    in.bytes_max = random_.below(10) == 0 ? random_.below(500) : 1 << 20;
    in.deadline = now_ + std::chrono::milliseconds{static_cast<int64_t>(random_.below(400))};
    in.known_epoch = draw_epoch();
    say("fetch ", in.id, " from ", in.from, " min ", in.bytes_min, " max ", in.bytes_max);
    expect(model_.fetch(in, now_), leader_->fetch(in, now_));
  }
  void forget() {
    if (asked_.empty()) return;
    auto id = asked_[asked_.size() - 1 - random_.below(std::min<size_t>(asked_.size(), 20))];
    auto parked =
        std::any_of(model_.fetches.begin(), model_.fetches.end(), [id](auto& f) { return f.id == id; });
    say("forget ", id);
    if (parked) forgotten_.insert(id);
    model_.forget(id);
    leader_->forget_fetch(id);
    expect({}, {});
  }
  // The end of some decided batch, or what is durable already.
  int64_t draw_boundary() {
    std::vector<int64_t> ends{model_.durable};
    for (auto& b : model_.log) {
      if (b.end() > model_.durable) ends.push_back(b.end());
    }
    return ends[random_.below(ends.size())];
  }
  void commit() {
    auto to = random_.below(10) == 0 ? model_.durable / 2 : draw_boundary(); // stale ones too
    say("commit ", to);
    for (auto& b : model_.log) {
      if (b.end() <= to) committed_.emplace(b.base(), b.header);
    }
    expect(model_.commit(to), leader_->committed(offset{to}));
  }
  void refuse() {
    auto to = draw_boundary();
    auto why = random_.below(2) ? ec::disk_full : ec::overloaded;
    say("refuse from ", to);
    auto expected = model_.refuse(to, why);
    expect(expected, leader_->refused({why, "refused"}, offset{to}, table()));
  }
  void pass() {
    auto ms = static_cast<int64_t>(random_.below(50) == 0 ? 50'000 : random_.below(120));
    now_ += std::chrono::milliseconds{ms};
    wall_ += ms;
    say("tick after ", ms);
    expect(model_.tick(now_), leader_->tick(now_, wall_));
  }
  void move_start() {
    auto to = model_.start
              + static_cast<int64_t>(random_.below(static_cast<uint64_t>(model_.durable - model_.start) + 1));
    say("start ", to);
    expect(model_.move_start(to), leader_->start_moved(offset{to}));
  }
  void apply() {
    settings_.waiting_bytes_max = 2000 + random_.below(8000);
    settings_.parked_fetches_max = 1 + random_.below(12);
    settings_.config.max_message_bytes = random_.below(4) == 0 ? 200 : 1000;
    settings_.config.message_timestamp_type =
        random_.below(3) == 0 ? timestamp_type::log_append_time : timestamp_type::create_time;
    say("settings: max message ", settings_.config.max_message_bytes);
    model_.settings = settings_;
    leader_->apply(settings_);
    expect({}, {});
  }
  void rarely() {
    auto kind = random_.below(12);
    if (kind == 0) {
      say("fail");
      expect(model_.fail(), leader_->failed({ec::storage_failed, "sync: Input/output error"}));
    } else if (kind <= 2) {
      say("end");
      expect(model_.end(), leader_->end());
    } else if (kind <= 5 && (model_.ended || model_.failed)) {
      say("end, next epoch");
      expect(model_.end(), leader_->end());
      model_.next_epoch();
      begin();
    }
  }

  // -- draws ---
  std::optional<leader_epoch> draw_epoch() {
    if (random_.below(3) != 0) return std::nullopt;
    auto near = random_.below(8) == 0 ? static_cast<int32_t>(random_.below(3)) - 1 : 0;
    return leader_epoch{model_.epoch + near};
  }
  batch_facts draw_batch() {
    auto count = static_cast<int32_t>(1 + random_.below(5));
    auto facts = plain_batch(count, 61 + random_.below(random_.below(20) == 0 ? 2000 : 500));
    facts.min_timestamp = facts.max_timestamp = facts.header.max_timestamp = wall_;
    if (random_.below(30) == 0) facts.header.max_timestamp = timestamp{1}; // wrong: is restamped
    if (random_.below(30) == 0) facts.min_timestamp = wall_ - 4'000'000;
    if (random_.below(30) == 0) facts.max_timestamp = wall_ + 4'000'000;
    auto producer = static_cast<int64_t>(random_.below(6));
    if (producer == 0) return facts;
    auto known = model_.remembered(producer_id{producer});
    auto& h = facts.header;
    h.producer = producer_id{producer};
    h.pepoch = producer_epoch{0};
    h.base_sequence = 0;
    if (!known.empty()) {
      auto& newest = known.back().header;
      h.pepoch = newest.pepoch;
      h.base_sequence = newest.base_sequence + newest.record_count;
      auto kind = random_.below(20);
      if (kind < 4) { // again
        auto& again = known[random_.below(known.size())].header;
        h.base_sequence = again.base_sequence;
        h.record_count = again.record_count;
        h.last_offset_delta = again.last_offset_delta;
      } else if (kind < 7) { // a gap, or what came long ago
        h.base_sequence = std::max(0, h.base_sequence + static_cast<int32_t>(random_.below(40)) - 30);
      } else if (kind == 7) {
        h.pepoch = producer_epoch{static_cast<int16_t>(std::max(0, newest.pepoch.value() - 1))};
      } else if (kind == 8) {
        h.pepoch = newest.pepoch + 1;
        h.base_sequence = static_cast<int32_t>(random_.below(4) == 0);
      }
    } else if (random_.below(3) == 0) {
      h.base_sequence = static_cast<int32_t>(random_.below(10));
    }
    return facts;
  }

  // -- comparison ---
  request_id ask() {
    asked_.push_back(next_id_);
    return next_id_++;
  }
  producer_table table() const {
    producer_table out;
    for (auto& b : model_.log)
      out.apply(b.header, b.wall);
    return out;
  }
  void begin() {
    ++epochs;
    leader_.emplace(leader_start{{topic_id{}, partition_id{0}},
                                 leader_epoch{model_.epoch},
                                 offset{model_.start},
                                 offset{model_.durable},
                                 table(),
                                 settings_});
    say("epoch ", model_.epoch, " from ", model_.durable);
    expect({}, {});
  }
  void expect(const partition_model::answers& expected, const effects& out) {
    partition_model::answers actual;
    auto put = [&](request_id id, std::string answer) {
      if (!answered_.insert(id).second) fail("request " + std::to_string(id) + " is answered twice");
      actual[id] = std::move(answer);
    };
    size_t appends = 0;
    for (auto& e : out) {
      if (auto* a = std::get_if<append_batch>(&e)) {
        ++appends;
        auto& b = model_.log.back();
        if (a->base.value() != b.base() || a->epoch.value() != model_.epoch)
          fail("appended at the wrong place");
        if (a->stamp_append_time != b.header.log_append_time()) fail("stamped with the wrong kind of time");
      } else if (auto* p = std::get_if<answer_produce>(&e)) {
        count(p->outcome);
        put(p->id, p->outcome.ok() ? partition_model::ok(p->outcome->base.value(), p->outcome->append_time,
                                                         p->outcome->duplicate)
                                   : partition_model::text(p->outcome.error().code));
      } else if (auto* r = std::get_if<read_log>(&e)) {
        ++reads;
        put(r->id, partition_model::read(r->from.value(), r->limit.value()));
      } else {
        auto& f = std::get<answer_fetch>(e);
        put(f.id, f.outcome.ok() ? "nothing below " + std::to_string(f.outcome->high_watermark.value())
                                 : partition_model::text(f.outcome.error().code));
      }
    }
    if (actual != expected) fail("expected" + text(expected) + ", got" + text(actual));
    if (model_.log.size() != log_size_ + appends && appends > 0) fail("appended and not decided");
    log_size_ = model_.log.size();

    if (auto broken = leader_->check_invariants()) fail(*broken);
    if (leader_->log_start().value() != model_.start) fail("log start");
    if (leader_->log_end().value() != model_.end_offset()) fail("log end");
    if (leader_->high_watermark().value() != model_.durable) fail("high watermark");
    if (leader_->waiting_bytes() != model_.waiting_bytes()) fail("waiting bytes");
    if (leader_->waiting_produces() != model_.unanswered()) fail("waiting requests");
    if (leader_->parked_fetches() != model_.fetches.size()) fail("parked fetches");
    if (leader_->next_deadline() != model_.next_deadline()) fail("next deadline");
    if (leader_->high_watermark() < seen_mark_) fail("the high watermark went back");
    seen_mark_ = leader_->high_watermark();
  }
  void count(const result<produced>& outcome) {
    if (outcome.ok()) {
      ++acknowledged;
      duplicates += outcome->duplicate;
      // Acknowledged with an offset means on disk: nothing else was told to the leader than commits.
      if (outcome->base >= offset{0} && outcome->base.value() >= model_.durable)
        fail("acknowledged before it was durable");
      return;
    }
    ++refused;
    timed_out += outcome.error().code == ec::timed_out;
    unknown += outcome.error().code == ec::unknown_result;
  }
  // (producer, epoch, sequence) maps to one offset for ever (failures T16), over all epochs of the run.
  void dedup_is_consistent() {
    std::map<std::tuple<int64_t, int16_t, int32_t>, int64_t> places;
    for (auto& [base, h] : committed_) {
      if (!h.idempotent()) continue;
      auto key = std::tuple{h.producer.value(), h.pepoch.value(), h.base_sequence};
      auto [at, fresh] = places.emplace(key, base);
      if (!fresh && at->second != base)
        fail("a sequence lies at " + std::to_string(base) + " and " + std::to_string(at->second));
    }
  }

  // -- story ---
  template <class... Ts>
  void say(const Ts&... parts) {
    std::ostringstream out;
    out << steps_ << ": ";
    (out << ... << parts);
    story_.push_back(out.str());
    if (story_.size() > 12) story_.pop_front();
  }
  static std::string text(const partition_model::answers& answers) {
    std::string out;
    for (auto& [id, answer] : answers)
      out += " [" + std::to_string(id) + " " + answer + "]";
    return out.empty() ? " nothing" : out;
  }
  void fail(const std::string& why) {
    std::ostringstream out;
    out << "seed " << seed_ << ": " << why << "\n";
    for (auto& line : story_)
      out << "  " << line << "\n";
    FAIL(out.str());
  }

  seeded_random random_;
  uint64_t seed_;
  leader_settings settings_;
  partition_model model_;
  std::optional<partition_leader> leader_;
  instant now_{};
  timestamp wall_{10'000'000};
  request_id next_id_ = 1;
  std::vector<request_id> asked_;
  std::set<request_id> answered_, forgotten_;
  std::map<int64_t, batch_header> committed_; // by base offset
  size_t log_size_ = 0, steps_ = 0;
  offset seen_mark_{0};
  std::deque<std::string> story_;
};

} // namespace

TEST_CASE("partition: does what the model does, step by step", "[protocol][partition][model]") {
  size_t acknowledged = 0, duplicates = 0, timed_out = 0, unknown = 0, refused = 0, reads = 0, epochs = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    model_run run{seed};
    for (int i = 0; i < 600; ++i)
      run.step();
    run.finish();
    acknowledged += run.acknowledged;
    duplicates += run.duplicates;
    timed_out += run.timed_out;
    unknown += run.unknown;
    refused += run.refused;
    reads += run.reads;
    epochs += run.epochs;
  }
  // The steps have met what they are meant to meet.
  CHECK(acknowledged > 5000);
  CHECK(duplicates > 300);
  CHECK(timed_out > 300);
  CHECK(unknown > 100);
  CHECK(refused > 3000);
  CHECK(reads > 3000);
  CHECK(epochs > 300);
  INFO("acknowledged " << acknowledged << " duplicates " << duplicates << " timed out " << timed_out
                       << " unknown " << unknown << " refused " << refused << " reads " << reads << " epochs "
                       << epochs);
  SUCCEED();
}
