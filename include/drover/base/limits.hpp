#pragma once

#include <cstddef>
#include <cstdint>

#include "drover/base/clock.hpp"

// Bounds that more than one layer needs, or that bound the daemon as a whole; those of a single field stand
// in its table (schema, api/bodies_*.cpp). Sizes in bytes unless the name says otherwise.
namespace drover::limits {

// HTTP
inline constexpr std::size_t kHeaderBytes = 16 * 1024;
inline constexpr std::size_t kTargetBytes = 8 * 1024;
inline constexpr std::size_t kBodyBytes = 8 * 1024 * 1024;                 // a JSON body
inline constexpr std::size_t kLogChunkBytes = 1024 * 1024;                 // one log chunk
inline constexpr std::int64_t kArtifactBytes = 16LL * 1024 * 1024 * 1024;  // one artifact, spooled to disk
inline constexpr std::size_t kConnections = 4096;
inline constexpr Seconds kHeaderTime{10};  // first byte to end of headers
inline constexpr Seconds kBodyTime{60};    // silence allowed within a body
inline constexpr Seconds kIdleTime{75};    // between requests on a kept connection
inline constexpr Seconds kWriteTime{60};   // silence of a peer that does not read

// Streams: answers whose body is sent in pieces as they come
inline constexpr std::size_t kStreams = 2048;  // open at once
// Of one stream, sent by its producer and not yet taken by the kernel; a reader that falls behind by more is
// cut off.
inline constexpr std::size_t kStreamQueueBytes = 256 * 1024;
inline constexpr std::int64_t kStreamsQueueBytes = 128 * 1024 * 1024;  // of all streams together
// So much one stream may have queued however much the others have: a producer that never has more is cut off
// for its own reader's slowness alone.
inline constexpr std::size_t kStreamPieceBytes = 16 * 1024;

// Jobs
inline constexpr std::size_t kJobsPerRequest = 1000;   // a larger submit is refused with a hint
inline constexpr std::size_t kNameCharacters = 256;    // code points: names, owners, values of labels
inline constexpr std::size_t kNameBytes = 256;         // an artifact's name, which is one of a file
inline constexpr std::size_t kTaskBytes = 256 * 1024;  // the task's JSON text
// Linux refuses one argument or environment string of more (MAX_ARG_STRLEN - 1).
inline constexpr std::size_t kArgumentBytes = 131'071;
inline constexpr std::size_t kLabels = 32;
inline constexpr std::int64_t kMebibytes = 1LL << 30;  // of memory or disk, wanted or there: a pebibyte
inline constexpr int kPriorityMax = 1'000'000;         // and its negative
inline constexpr int kPageRows = 1000;                 // `limit` of a list
inline constexpr int kPageRowsDefault = 100;
inline constexpr std::size_t kPageBytes = 8 * 1024 * 1024;  // of a list: read from the store, and sent
inline constexpr std::size_t kStatusQueues = 100;           // named by /status; GET /queues pages through all
// A read that arrived at most this long ago is carried out although its client has closed the connection: the
// client may have closed its sending half alone, as `printf … | nc -N` does, and still listen. An older one
// is given up.
inline constexpr Millis kClosedReadWait{250};
// From a read's arrival to its answer: its client has given up by then.
inline constexpr Seconds kReadTime{30};

// Engine
// Calls that wait for their batch: this many of workers, and this many of all others.
inline constexpr std::size_t kChangeQueue = 10'000;
inline constexpr std::size_t kChangeQueueBytes = 64 * 1024 * 1024;  // and what they hold in memory
inline constexpr std::size_t kBatchChanges = 1000;                  // changes in one transaction
inline constexpr std::size_t kBatchRows = 5000;                     // job rows in one transaction
inline constexpr std::size_t kBatchBytes =
    2 * 1024 * 1024;                                // text in one transaction, but for its last change
inline constexpr std::size_t kReadyKeys = 100'000;  // ready index, per queue
inline constexpr std::size_t kRefillKeys = 1000;    // one refill
inline constexpr std::size_t kReadQueue = 2000;     // read requests waiting for a thread
inline constexpr Seconds kLongPoll{20};
inline constexpr int kSlotsPerWorker = 256;

// Cloud
inline constexpr std::size_t kCloudReplyBytes = 64 * 1024 * 1024;
inline constexpr int kXmlDepth = 64;
inline constexpr int kCloudPages = 1000;
inline constexpr std::size_t kUserDataBytes = 16 * 1024;  // EC2's raw limit

}  // namespace drover::limits
