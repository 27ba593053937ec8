#pragma once

#include <functional>
#include <optional>
#include <string>

#include "inbox.hpp"
#include "parts.hpp"
#include "upkeep/chore.hpp"

namespace drover::engine {

// The engine's thread, a round at a time: what has come is heard; when no batch is under way the next is
// formed and given to the writer. Blocks nowhere, so that tests can run it beside a writer of their own in
// one thread.
class Loop {
 public:
  struct Hand {
    std::function<void(Order)> put;           // one at a time; its outcome comes as news
    std::function<void(std::string)> resign;  // gives leadership up; Lost comes as news
    // Asks for a connection for counting the ready jobs of the term of this epoch; CountOpen comes as news.
    std::function<void(std::int64_t)> open_count;
    std::function<void(KeysWanted)> read_keys;  // KeysRead comes as news
    std::function<void()> make_partitions;
    std::function<void(EngineView)> show;
  };
  Loop(const Clock& clock, const EngineOptions& options, ports::Metrics& metrics, const Contact& contact,
       Hand hand);

  // Serves what has come.
  void round(Inbox::Mail mail);
  // When the next round is due if nothing comes.
  [[nodiscard]] SteadyTime due() const;
  // A batch is under way. Until its outcome comes, calls for changes can only be collected.
  [[nodiscard]] bool collects() const { return parts_.pipeline.under_way(); }
  // Nothing is under way, and nothing waits.
  [[nodiscard]] bool idle() const { return !parts_.term.leading() || parts_.pipeline.idle(); }
  // Ends all polls empty-handed: this daemon is about to stop.
  void end_polls();
  // Has the writer give unused job numbers back, so that a clean stop leaves no gap.
  void part();
  // Answers all that is left; the round before was the last.
  void close(const Error& why);

  [[nodiscard]] Parts& parts() { return parts_; }

 private:
  void hear(News news);
  void begin_term(Led led);
  [[nodiscard]] bool is_of_this_term(std::int64_t epoch) const;
  void take_count(const Counted& counted);
  void end_term(const std::string& why);
  void serve(Call& call);
  void move_on();
  template <class F>
  void checked(F&& step);
  void form_batch();
  void notice_standstill();
  void show();
  void committed(const ports::Change& change, const ports::Settled& settled);
  void check_failed(const char* what);

  Parts parts_;
  ports::Metrics& metrics_;
  Hand hand_;
  Chores chores_ = all_chores();
  std::optional<Counted> early_count_;  // told before the order that began it
  SteadyTime expected_;                 // the next round was due at this time at the latest
  SteadyTime doubt_until_{};
  std::optional<SteadyTime> failed_check_;
  // The part of what is shown that may never be out of date: a change of it is shown in the same round.
  struct Head {
    bool leading = false, reachable = false, paused = false, counting = false;
    std::int64_t epoch = 0;
    std::string standby_reason;
    core::Tunables tunables;
    bool operator==(const Head&) const = default;
  };
  [[nodiscard]] Head head() const;
  std::optional<Head> shown_;
  bool stale_ = false;  // something may have happened since
  SteadyTime show_from_{};
};

}  // namespace drover::engine
