#pragma once

#include <cstdint>
#include <memory>

#include "drover/ports/leader_session.hpp"

#include "connection.hpp"

namespace drover::postgres {

struct LeaderOptions {
  SessionOptions session;
  Millis commit_patience{10'000};  // no reply to a step of a commit for this long: the session is lost
  bool allow_unsafe = false;
};

// Becomes leader: connects, checks that a commit is durable, takes the lock, raises the epoch.
// conflict: another leads, the server may lose commits, or the schema is not this version's.
Result<std::unique_ptr<ports::LeaderSession>> lead(const LeaderOptions& options);

// "xid:epoch:event": the transaction, and an event (0: none) that exists with this epoch if and only if it
// committed. The event is what decides: after a crash the server may give an xid, whose WAL was never
// written, to another transaction.
struct TransactionId {
  std::string xid;
  std::int64_t epoch = 0;
  std::int64_t mark = 0;
};
std::string to_string(const TransactionId& id);
std::optional<TransactionId> parse_transaction_id(std::string_view text);

}  // namespace drover::postgres
