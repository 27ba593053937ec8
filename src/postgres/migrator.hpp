#pragma once

#include <span>
#include <string_view>

#include "drover/base/result.hpp"
#include "drover/postgres/embedded.hpp"

#include "connection.hpp"

namespace drover::postgres {

// Applies those of `files` (migrations/NNNN_name.sql, numbered from 1 without gaps) that the database lacks,
// each in a transaction of its own, all under one lock; and gives the deployment its identity. How many were
// applied. conflict: the database is newer than `files`, or holds another text of one of them.
Result<int> migrate(Connection& connection, std::span<const EmbeddedFile> files);

// How many of `files` the database, which has a schema, lacks; it is only read. conflict: as migrate().
Result<int> count_missing(Connection& connection, std::span<const EmbeddedFile> files);

}  // namespace drover::postgres
