#include "conformance/known_failures.hpp"

namespace drover::transport {
namespace {

constexpr std::string_view kChunkSize =
    "a chunk's size is read as a signed int, whatever follows: -1 ends the process by an uncaught bad_alloc, "
    "a "
    "large one is waited for without limit, what is no number counts as 0";
constexpr std::string_view kTrailers = "the body ends at the last chunk's line; trailers are not looked at";
constexpr std::string_view kExtension = "a chunk's extension is taken for its data";
constexpr std::string_view kUnsigned = "a negative length is read as a huge one and waited for without limit";
constexpr std::string_view kBodyFirst =
    "refused, but no answer leaves before the whole body is read, or more of it arrives";
constexpr std::string_view kLenient = "the header parser takes it";
constexpr std::string_view kNoLimit = "the header has no limit while it arrives";
constexpr std::string_view kContinue = "Expect: 100-continue is ignored";
constexpr std::string_view kPipelining = "bytes behind a request are thrown away";
constexpr std::string_view kBlind = "a peer's end is not noticed while an answer is pending";
constexpr std::string_view kNoStreams = "a stream is answered 501";
constexpr std::string_view kNoDeadline = "there is no time limit of any kind";

}  // namespace

const std::vector<KnownFailure>& known_failures() {
  static const std::vector<KnownFailure> table = {
      // Chunked bodies
      // The process ends; "bad_alloc", or "allocation-size-too-big" in a sanitizer's words.
      {"Hostile_chunk_size__1", "alloc", kChunkSize},
      {"Hostile_chunk_size_7fffffff", "no answer", kChunkSize},
      {"Hostile_chunk_size_ffffffffff", "no answer", kChunkSize},
      {"Hostile_chunk_size_2_64_1", "no answer", kChunkSize},
      {"Hostile_chunk_size_2_64", "no answer", kChunkSize},
      {"Hostile_chunk_size_not_hexadecimal", "answered 200", kChunkSize},
      {"Hostile_chunk_size_empty", "", kChunkSize},
      {"Hostile_chunk_size_with_a_blank", "", kChunkSize},
      {"Hostile_chunk_longer_than_said", "answered 200", kChunkSize},
      {"Hostile_last_chunk_with_letters", "answered 200", kChunkSize},
      {"Hostile_chunk_header_without_end", "", kChunkSize},
      {"Hostile_chunk_extension_without_end", "", kChunkSize},
      {"Hostile_bare_LF_after_the_chunk_size", "", kChunkSize},
      {"Hostile_trailers_without_end", "", kTrailers},
      {"Hostile_trailer_that_is_none", "", kTrailers},
      {"ReadsChunksAndIgnoresTrailers", "wikiame", kExtension},
      {"TakesARequestByteByByte", "wikiame", kExtension},
      {"TakesChunksCutAnywhere", "wikiame", kExtension},
      // What frames a body
      {"Hostile_Content_Length__5", "no answer", kUnsigned},
      {"Hostile_Content_Length_2_64_1", "no answer", kBodyFirst},
      {"Hostile_Content_Length_empty", "answered 200", "an empty Content-Length is none"},
      {"Hostile_Content_Length_twice", "answered 200", "the last of several Content-Length fields wins"},
      {"Hostile_TE_identity__then_chunked", "no answer", kBodyFirst},
      {"Hostile_TE_gzip__chunked", "no answer", kBodyFirst},
      {"Hostile_TE_chunked__identity", "no answer", kBodyFirst},
      {"Hostile_unknown_TE__then_CL", "no answer", kBodyFirst},
      // Request line and header
      {"Hostile_two_blanks", "answered 200", kLenient},
      {"Hostile_bare_LF", "no answer", "a header that ends in bare LFs is waited for without limit"},
      {"Hostile_bare_LF_in_the_header", "answered 200", kLenient},
      {"Hostile_NUL_in_the_target", "answered 200", "the target ends at a NUL"},
      {"Hostile_folded_first_field", "answered 200", kLenient},
      {"Hostile_blank_before_the_colon", "answered 200", kLenient},
      {"Hostile_many_fields", "answered 200",
       "the same field is joined, so that the size of the header is not known"},
      {"Hostile_endless_target", "no answer", kNoLimit},
      {"AnEndlessHeaderIsCutOff", "peak_kib", kNoLimit},
      {"BytesWithHighBitsAndTabsAreOrdinaryValues", "POST /echo",
       "a TAB or a byte above 7f ends the header when the rest comes in a later segment: the body is lost"},
      {"Hostile_broken_escape", "stays open", "refused by the library, which leaves the connection open"},
      {"TakesATargetWithUnescapedPunctuation", "provided uri is invalid",
       "refused by the library, as plain text"},
      {"SeesTheMethodAsItWasSent", "GET /echo", "the library writes methods in capitals"},
      // Answers
      {"EveryRefusalIsAProblemAndSaysThatItCloses", "alloc",
       "a chunk size of -1 ends the process; the library's own refusals are no problems"},
      {"BodyOverTheLimitIsRefusedBeforeItComes", "", kBodyFirst},
      {"ChunkedBodyOverTheLimitIsRefusedAtItsChunk", "", kBodyFirst},
      {"InvitesABodyThatWaits", "", kContinue},
      {"RefusesInsteadOfInviting", "", kContinue},
      {"BoundsTheMemoryOfAllBodies", "", "the library keeps up to 4 KiB of a body to itself"},
      {"KeepsTheConnectionAfterHead", "",
       "a HEAD answer with the length of a body can only be had by ending the connection"},
      {"SendsNoBodyWhereNoneCanBe", "content-length", "204 and 304 carry Content-Length: 0"},
      {"ClosesWithoutAWordWhenTold", "500 Internal",
       "the library cannot close a connection without an answer"},
      // Connections
      {"AnswersPipelinedRequestsInOrder", "", kPipelining},
      {"KeepsPipelinedBytesWhileAReplyIsPending", "", kPipelining},
      {"AnswersAPeerThatOnlyStoppedSending", "", kPipelining},
      {"SeesThePeerClose", "reply.open()", kBlind},
      {"SeesThePeerCloseBehindPipelinedBytes", "reply.open()", kBlind},
      {"CutsOffAHeaderThatDrips", "", kNoDeadline},
      {"CutsOffAStalledHeaderWith408", "", kNoDeadline},
      {"CutsOffABodyThatStalls", "", kNoDeadline},
      {"CutsOffAPeerThatDoesNotRead", "", kNoDeadline},
      {"ClosesAnIdleConnectionButNoPendingOne", "", kNoDeadline},
      {"TurnsAwayConnectionsBeyondTheCap", "", "connections are not counted"},
      {"SleepsWhileNoDescriptorIsFree", "", "a failing accept is repeated at once, or ends the process"},
      {"StopLetsARequestInFlightFinish", "idle.at_end()", "idle connections stay open until all are closed"},
      // Streams
      {"FramesAStreamInChunksAndKeepsTheConnection", "501", kNoStreams},
      {"EndsAStreamWithItsConnectionOnHttp10", "501", kNoStreams},
      {"EndsAStreamWithItsConnectionWhenTheClientWants", "501", kNoStreams},
      {"SendsTheHeadAloneOfAStreamForHead", "501", kNoStreams},
      {"SendsNoStreamWhereNoBodyCanBe", "501", kNoStreams},
      {"TakesPiecesFromManyThreads", "501", kNoStreams},
      {"AsksForMoreOnceAllIsTaken", "501", kNoStreams},
      {"TellsAtOnceThatNothingIsQueued", "501", kNoStreams},
      {"KeepsPipelinedRequestsUntilTheStreamIsOver", "501", kNoStreams},
      {"ShowsThatAStreamIsNotWhole", "501", kNoStreams},
      {"EndsAStreamThatCannotBegin", "/custom?throw=1", kNoStreams},
      {"SeesThePeerOfASilentStreamClose", "501", kNoStreams},
      {"TakesAPeerThatSendsNoMoreForGone", "501", kNoStreams},
      {"KeepsASilentStream", "501", kNoStreams},
      {"CutsOffAReaderThatFallsBehind", "501", kNoStreams},
      {"TakesNoPieceLargerThanAQueue", "501", kNoStreams},
      {"CutsOffAReaderThatTakesNothing", "501", kNoStreams},
      {"CutsOffAPeerThatSendsOnBehindAStream", "501", kNoStreams},
      {"LimitsTheStreamsThatAreOpen", "501", kNoStreams},
      {"AThousandSlowReadersAreCutOffInBoundedMemory", "501", kNoStreams},
      {"KeepsAReaderThatIsSlowAndReadsAllTheWhile", "501", kNoStreams},
      {"StopBreaksStreamsOffAtOnce", "501", kNoStreams},
      {"StopLetsAStreamFinishThatWasEnded", "501", kNoStreams},
      {"AnswersAStreamThatComesWhileStoppingWith503", "", kNoStreams},
      {"AStreamMayOutliveTheServer", "501", kNoStreams},
      {"StopRacesWithStreams", "no stream", kNoStreams},
      {"HostileBytesBehindAStreamAreRefusedAfterIt", "501", kNoStreams},
      {"HostileBytesBeginNoStream", "501", kNoStreams},
  };
  return table;
}

}  // namespace drover::transport
