#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "batch.hpp"

// How the changes of one kind are written. All kinds of a batch go through the same rounds together, and each
// round is one trip to the server, whose statements run in the order of ports::Changes: two trips for a batch
// of submissions, ends and claims.
namespace drover::postgres {

enum class Round {
  first,    // what is known is written; what is to be decided from rows is read
  look_up,  // what the first round did not find (rare)
  second,   // jobs: what was decided is written, claims are made. Machines, after that: rows are read
  third,    // machines, launches and pools are written
  last,     // rows are read back; why something was refused; events of machines
};
inline constexpr Round kRounds[] = {Round::first, Round::look_up, Round::second, Round::third, Round::last};

// The statements of one round, and then their results.
class Trip {
 public:
  // Answers the place of the statement, for at().
  std::size_t add(Statement statement) {
    statements.push_back(std::move(statement));
    return statements.size() - 1;
  }
  [[nodiscard]] const Rows& at(std::size_t place) const { return results[place]; }

  std::vector<Statement> statements;
  std::vector<Rows> results;
};

class ChangeWriter {
 public:
  virtual ~ChangeWriter() = default;
  virtual void ask(Round round, Trip& trip) = 0;
  // Called after each round for which ask() was.
  virtual void hear(Round round, const Trip& trip) = 0;
};

using Items = std::vector<std::size_t>;  // into Batch::changes

// Defined in the file of each change; a change without it does not link.
template <class C>
std::unique_ptr<ChangeWriter> make_writer(Batch& batch, Items items);

}  // namespace drover::postgres
