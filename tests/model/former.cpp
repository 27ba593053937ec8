#include "former.hpp"

#include "engine/pipeline.hpp"

namespace drover::model {
namespace {

// All that the pipeline is shown.
std::uint32_t key_of(const World& world, int asking, bool overtakes) {
  std::uint32_t key =
      static_cast<unsigned>(asking) << 4U | static_cast<unsigned>(world.ready) << 1U | (overtakes ? 1U : 0U);
  for (const Change& change : world.waiting) {
    const unsigned what = static_cast<unsigned>(change.kind) << 2U | static_cast<unsigned>(change.job) << 1U |
                          (change.put_off ? 1U : 0U);
    key = key << 5U | what;
  }
  return key;
}

// The pipeline, with works that say when they are made and change nothing.
class Forming {
 public:
  explicit Forming(const World& world)
      : world_(world),
        pipeline_([](const ports::Change&, const ports::Settled&) {}),
        ready_(index_of(world.ready)) {}

  // `overtakes`: the later changes come before those that were put off.
  Formed form(int asking, bool overtakes) {
    if (!overtakes) put_off();
    pipeline_.begin();
    for (; asking > 0; --asking) claim();
    add(false);
    if (overtakes) add(true);
    finish();
    while (pipeline_.waiting() > 0) {
      made_ = &out_.put_off;
      pipeline_.begin();
      finish();
    }
    return std::move(out_);
  }

 private:
  static engine::Work work(ports::Lane lane, std::int64_t job, const std::function<void()>& made) {
    engine::Work out;
    out.lane = lane;
    out.keys = ports::key_of(JobNumber{job});
    out.make = [made]() -> Result<std::optional<ports::Change>> {
      made();
      return std::optional<ports::Change>();
    };
    return out;
  }
  void add(bool put_off) {
    for (int place = 0; place < kWaiting; ++place) {
      const Change& change = world_.waiting[static_cast<std::size_t>(place)];
      if (change.kind == Change::Kind::none || change.put_off != put_off) continue;
      const ports::Lane lane = is_end(change.kind) ? ports::EndAttempt::kLane : ports::ActOnJob::kLane;
      pipeline_.add(work(lane, change.job, [this, place] { made_->push_back(place); }));
    }
  }
  void finish() {
    (void)pipeline_.fill(0);
    (void)pipeline_.send();
    pipeline_.nothing_sent();
  }
  // Brings the pipeline to where these changes were put off: by a batch that had changes of all jobs.
  void put_off() {
    for (int job = 0; job < kJobs; ++job) pipeline_.add(work(ports::Lane::system, job, [] {}));
    add(true);
    pipeline_.begin();
    finish();
  }
  // The best job that can be in this batch.
  void claim() {
    const std::vector<std::string> queues{kQueue};
    while (const auto best = ready_.best(queues)) {
      ready_.remove(kQueue, best->second);
      if (!pipeline_.offer(work(ports::ClaimJob::kLane, best->second.number, [] {}))) continue;
      out_.claimed.push_back(static_cast<int>(best->second.number));
      return;
    }
  }

  const World& world_;
  engine::Pipeline pipeline_;
  core::ReadyIndex ready_;
  Formed out_;
  std::vector<int>* made_ = &out_.made;
};

}  // namespace

const Formed& Former::form(const World& world, int asking, Bug bug) {
  const bool overtakes = bug == Bug::put_off_overtaken;
  const auto [answer, is_new] = answers_.try_emplace(key_of(world, asking, overtakes));
  if (is_new) answer->second = Forming(world).form(asking, overtakes);
  return answer->second;
}

}  // namespace drover::model
