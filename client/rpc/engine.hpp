// What producers, consumers and admins of one cluster share: the loop, the control connection with its way
// through all known addresses, the connections to leaders, the metadata, and questions that are repeated
// until they are answered.
//
// Everything but the constructor and `post` is for the loop. Runs unchanged on a simulated network, clock and
// loop: what varies comes in through `environment`. Nothing here blocks; the public classes (client/*.cpp) do
// the waiting.
#pragma once

#include "client/core/client_config.hpp"
#include "client/core/metadata_cache.hpp"
#include "client/core/retry.hpp"
#include "client/rpc/alarm.hpp"
#include "client/rpc/link.hpp"
#include "pessoa/record.hpp"

#include <kj/async.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pessoa::client {

// Must outlive the engine. Clock and random source are used from several threads.
struct environment {
  io_loop* loop = nullptr;
  clock* time = nullptr;
  random_source* random = nullptr;
};

// Something of the cluster that ends with it and hears of changes.
class engine_part {
public:
  virtual ~engine_part() noexcept(false) = default;
  // New metadata, a connection that became ready, or one that ended: look again at what could not go on.
  virtual void look_again() = 0;
  // Answer everything that waits with `why`, and let go of all that lives on the loop.
  virtual void end(const error& why) = 0;
  // The first broken invariant in words, between two steps of the loop: for simulations.
  [[nodiscard]] virtual std::optional<std::string> check_invariants() = 0;
};

class engine final : public std::enable_shared_from_this<engine>, private kj::TaskSet::ErrorHandler {
public:
  engine(environment env, client_config config);
  ~engine() noexcept(false);

  // Tries every bootstrap address once, longer with bootstrap.wait.ms; then pins the cluster.
  void start(std::function<void(result<void>)> done);
  // Ends all parts and connections. Everything asked later is answered with shutting_down.
  void stop();

  [[nodiscard]] const client_config& config() const { return config_; }
  [[nodiscard]] io_loop& loop() { return *env_.loop; }
  [[nodiscard]] instant now() const { return env_.time->now(); }
  [[nodiscard]] timestamp wall() const { return env_.time->wall(); }
  [[nodiscard]] const clock& time() const { return *env_.time; }
  [[nodiscard]] random_source& random() { return *env_.random; }

  void add(std::shared_ptr<engine_part> part);
  void remove(const engine_part* part);
  // Of all parts.
  [[nodiscard]] std::optional<std::string> check_invariants() const;
  [[nodiscard]] bool stopped() const { return stopped_; }

  // -- metadata ---
  [[nodiscard]] const metadata_cache& metadata() const { return cache_; }
  [[nodiscard]] metadata_cache& metadata() { return cache_; }
  // From now on each refresh asks for this topic too.
  void follow(const std::string& topic);
  // The same for who is about to write: the cluster is asked to create the topic if it is not there.
  void follow_to_write(const std::string& topic);
  // Once for all who ask meanwhile, and not more often than retry.backoff.ms unless `at_once`; look_again()
  // of the parts follows, whether it worked or not.
  void refresh(bool at_once = false);
  // Why the last refresh failed, if it did.
  [[nodiscard]] const std::optional<error>& metadata_trouble() const { return metadata_trouble_; }

  // -- connections ---
  // A ready link to the leader of a partition, or why there is none; then one is being made, and look_again()
  // follows.
  result<std::shared_ptr<link>> leader(link_role role, const known_topic& topic, int32_t partition);
  // The control link if it is ready.
  [[nodiscard]] std::shared_ptr<link> control() const;

  // -- questions to the control node ---
  enum class repeat { when_certain, always };
  template <class T>
  using question = std::function<kj::Promise<result<T>>(link&)>;
  // Asks until there is an answer, an error that repeating cannot mend, or the time is over (timed_out with
  // causes). With `when_certain`, a request that may have been carried out is not repeated (unknown_result).
  template <class T>
  kj::Promise<result<T>> ask(std::string what, repeat mode, question<T> q) {
    auto state = std::make_shared<asking<T>>();
    state->what = std::move(what);
    state->mode = mode;
    state->ask = std::move(q);
    state->deadline = now() + config_.api_timeout;
    return ask_once(std::move(state));
  }
  // Likewise, to the leader of a partition; the question is repeated in any case. Follows the topic from now
  // on.
  template <class T>
  using leader_question = std::function<kj::Promise<result<T>>(link&, const known_topic&)>;
  template <class T>
  kj::Promise<result<T>> ask_leader(std::string what, link_role role, topic_partition at,
                                    leader_question<T> q) {
    auto state = std::make_shared<asking_leader<T>>();
    state->what = std::move(what);
    state->mode = repeat::always;
    state->deadline = now() + config_.api_timeout;
    state->role = role;
    state->at = std::move(at);
    state->ask_at = std::move(q);
    return topic(state->at.topic).then([this, state](result<known_topic> known) -> kj::Promise<result<T>> {
      if (!known.ok()) return result<T>{known.error()};
      follow(state->at.topic);
      return ask_leader_once<T>(state);
    });
  }
  // The topic's metadata, asked for now. Errors: unknown_topic and those of every question.
  enum class purpose { read, write }; // to write: the cluster is asked to create it if it is not there
  kj::Promise<result<known_topic>> topic(const std::string& name, purpose why = purpose::read);
  kj::Promise<result<std::vector<known_topic>>> all_topics();

  // Runs a call to its end: turns exceptions into errors, and ends the link when request.timeout.ms passes
  // unanswered.
  template <class T>
  kj::Promise<result<T>> guarded(std::shared_ptr<link> at, kj::Promise<result<T>> call, duration extra = {}) {
    auto limit = config_.request_timeout + extra;
    auto late = loop().timer().afterDelay(limit.count() * kj::NANOSECONDS).then([at, limit]() -> result<T> {
      auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
      error e{ec::disconnected, at->address() + " gave no answer within " + std::to_string(ms) + " ms"};
      at->kill(e);
      return e;
    });
    return call.catch_([at](kj::Exception&& e) -> result<T> { return why_thrown(*at, e); })
        .exclusiveJoin(kj::mv(late))
        .attach(std::shared_ptr<link>{at});
  }

  void run(kj::Promise<void> task) {
    if (tasks_) tasks_->add(kj::mv(task));
  }
  // After stop(): lets go of what still runs. Not from within a task.
  void drop_tasks() { tasks_.reset(); }

private:
  template <class T>
  struct asking {
    std::string what;
    repeat mode = repeat::when_certain;
    question<T> ask;
    instant deadline;
    cause_list causes;
    uint32_t attempts = 0;
  };
  template <class T>
  struct asking_leader : asking<T> {
    link_role role = link_role::consume;
    topic_partition at;
    leader_question<T> ask_at;
    uint32_t rounds = 0; // also those that found nobody to ask
  };
  using got_link = result<std::shared_ptr<link>>;

  template <class T>
  kj::Promise<result<T>> ask_leader_once(std::shared_ptr<asking_leader<T>> state) {
    auto* known = cache_.topic(state->at.topic);
    if (!known) {
      if (auto* why = cache_.missing(state->at.topic)) return result<T>{*why};
      return leader_again_or_end<T>(state,
                                    error{ec::leader_not_available, "no metadata of " + state->at.topic});
    }
    auto got = leader(state->role, *known, state->at.partition);
    if (!got.ok()) {
      if (got.error().code == ec::unknown_partition) return result<T>{got.error()};
      return leader_again_or_end<T>(state, got.error());
    }
    ++state->attempts;
    auto at = *got;
    return guarded<T>(at, kj::evalNow([&] { return state->ask_at(*at, *known); }))
        .then([this, state](result<T> answer) -> kj::Promise<result<T>> {
          if (answer.ok()) return answer;
          if (judge(answer.error()) == next_step::refresh) refresh();
          return leader_again_or_end<T>(state, answer.error());
        });
  }
  template <class T>
  kj::Promise<result<T>> leader_again_or_end(std::shared_ptr<asking_leader<T>> state, const error& e) {
    auto end = judge_question(true, e, state->what, state->attempts, state->causes, state->deadline);
    if (end) return result<T>{*end};
    return change_or_pause(++state->rounds).then([this, state] { return ask_leader_once<T>(state); });
  }
  template <class T>
  kj::Promise<result<T>> ask_once(std::shared_ptr<asking<T>> state) {
    return control_link().then([this, state](got_link told) -> kj::Promise<result<T>> {
      auto got = still_ready(std::move(told));
      if (!got.ok()) return again_or_end<T>(state, got.error());
      ++state->attempts;
      auto at = *got;
      return guarded<T>(at, kj::evalNow([&] { return state->ask(*at); }))
          .then([this, state](result<T> answer) -> kj::Promise<result<T>> {
            if (answer.ok()) return answer;
            return again_or_end<T>(state, answer.error());
          });
    });
  }
  template <class T>
  kj::Promise<result<T>> again_or_end(std::shared_ptr<asking<T>> state, const error& e) {
    auto end = judge_question(state->mode == repeat::always, e, state->what, state->attempts, state->causes,
                              state->deadline);
    if (end) return result<T>{*end};
    return pause(state->attempts).then([this, state] { return ask_once<T>(state); });
  }

  static error why_thrown(link& at, const kj::Exception& e);
  // What ends the question, nullopt to repeat it.
  std::optional<error> judge_question(bool always, const error& e, const std::string& what, uint32_t attempts,
                                      cause_list& causes, instant deadline) const;
  kj::Promise<void> pause(uint32_t failures);
  // Over when the metadata has changed, at the latest after the pause before repetition number `failures`.
  kj::Promise<void> change_or_pause(uint32_t failures);
  struct metadata_question {
    std::vector<std::string> names;
    bool all = false;
    bool create = false; // what of the names is not there
  };
  kj::Promise<result<metadata_answer>> metadata_call(link& at, const metadata_question& q);
  kj::Promise<result<metadata_answer>> ask_metadata_of(metadata_question q);
  metadata_cache::verdict take(const metadata_question& q, const metadata_answer& answer);

  // Who waits for it runs later: see still_ready().
  kj::Promise<got_link> control_link();
  // A link may have ended between the news that it was ready and the question: then nothing was sent.
  static got_link still_ready(got_link told);
  void dial_next_control();
  void control_changed(const std::shared_ptr<link>& l);
  void tell_control_waiters(const got_link& got);
  [[nodiscard]] std::vector<std::string> control_addresses() const;
  [[nodiscard]] link_settings settings_for_link() const;
  void try_start(std::shared_ptr<std::function<void(result<void>)>> done, instant deadline, uint32_t attempt);
  void ask_metadata();
  void metadata_answered(const metadata_question& q, const result<metadata_answer>& answer);
  void tell_parts();
  void taskFailed(kj::Exception&& e) override;

  environment env_;
  client_config config_;
  backoff_policy backoff_;
  bool stopped_ = false;
  cluster_id cluster_; // pinned

  // -- control ---
  std::shared_ptr<link> control_;
  std::vector<std::string> round_; // addresses still to be tried in this round
  std::string last_good_;          // where the control link was last ready
  cause_list round_causes_;
  std::optional<error> hard_refusal_; // of this round: another cluster, another protocol
  std::vector<kj::Own<kj::PromiseFulfiller<got_link>>> control_waiters_;

  // -- leaders ---
  struct slot {
    std::shared_ptr<link> current;
    std::string address;
    uint32_t failures = 0;
    instant not_before{};
    std::optional<error> last_failure;
  };
  std::map<std::pair<link_role, int32_t>, slot> slots_;

  // -- metadata ---
  metadata_cache cache_;
  std::set<std::string> followed_;
  std::set<std::string>
      to_create_; // of those: a writer waits for them, and no node has been asked to create them yet
  bool refreshing_ = false;
  bool refresh_again_ = false;
  bool refresh_at_once_ = false;
  uint32_t refresh_failures_ = 0;
  instant last_refresh_{};
  std::optional<error> metadata_trouble_;

  std::vector<std::shared_ptr<engine_part>> parts_;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> change_waiters_;
  bool telling_ = false;
  alarm refresh_alarm_;
  alarm redial_alarm_;
  std::unique_ptr<kj::TaskSet> tasks_;
};

} // namespace pessoa::client
