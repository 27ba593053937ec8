#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mirror.hpp"
#include "moves.hpp"

// Ways through the model at random, each by its seed, with the store in memory beside its own.
namespace drover::model {

inline constexpr int kStepsOfWalk = 80;
inline constexpr int kFaultsOfWalk = 12;

struct Walked {
  std::string steps;
  std::string differs;                  // empty: both stores agreed at every call
  std::optional<Asked::What> differed;  // the call at which they did not
};

// Over all walks.
struct Tally {
  std::map<Asked::What, int> done, refused;
  std::set<core::Outcome> ends;
  std::set<std::string> moves;

  void count(const Asked& asked);
};

// By whatever move is possible.
class Walks {
 public:
  explicit Walks(Bug bug) : moves_(bug, &notes_) {}
  Walked walk(unsigned seed);
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  // What the store is asked for by the move that is looked at, each with the world after it.
  class Notes final : public Witness {
   public:
    using Calls = std::vector<std::pair<Asked, World>>;
    void saw(const Asked& asked, const World& after) override { calls_.emplace_back(asked, after); }
    Calls take() { return std::exchange(calls_, {}); }

   private:
    Calls calls_;
  };
  struct Next {
    Move move;
    World after;
    Notes::Calls calls;
  };
  std::optional<Next> choose(const World& world, std::mt19937& random);

  Notes notes_;
  Moves moves_;
  Tally tally_;
};

// By calls of the store alone, right or wrong: an engine asks for little of what is refused.
class Calls final : public Witness {
 public:
  // With some seeds attempts break one after the other, and their machines with them: poison takes as much.
  Calls(Bug bug, unsigned seed, Tally& tally)
      : bug_(bug), breaks_(seed % 4 == 0), random_(seed), tally_(tally) {}
  Walked walk();
  void saw(const Asked& asked, const World& after) override;

 private:
  void call();
  void end(Store& store);
  void ask_machine(Store& store, int machine);
  void ask_again(Store& store);
  Change some_end();
  Byte some_number();
  void report(Change& end);
  int below(int most) { return static_cast<int>(random_() % static_cast<unsigned>(most)); }
  // What is likely to be refused is asked for now and then.
  bool asks(bool likely_done) { return likely_done || below(8) == 0; }
  template <class T, std::size_t N>
  T one_of(const std::array<T, N>& all) {
    return all.at(static_cast<std::size_t>(below(static_cast<int>(N))));
  }
  const Job& job(int index) const { return world_.jobs.at(static_cast<std::size_t>(index)); }
  const Machine& machine(int index) const { return world_.machines.at(static_cast<std::size_t>(index)); }

  Bug bug_;
  bool breaks_;
  std::mt19937 random_;
  Tally& tally_;
  Mirror mirror_;
  World world_ = first_world(0);
  Walked out_;
};

}  // namespace drover::model
