#include "drover/base/secret.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <malloc.h>

namespace drover {
namespace {

// Within a string object itself, where strings of up to 15 bytes are kept, and beyond that on the heap.
constexpr std::string_view kShort = "hunter2-hunter2";
constexpr std::string_view kLong = "hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2";
constexpr std::string_view kNeedle = "hunter2";

bool holds_secret(const void* bytes, std::size_t size) {
  return ::memmem(bytes, size, kNeedle.data(), kNeedle.size()) != nullptr;
}

// While one is alive, memory that is given back is looked at first.
class FreedMemory {
 public:
  FreedMemory() { watching = true, leaked = false; }
  ~FreedMemory() { watching = false; }
  FreedMemory(const FreedMemory&) = delete;
  FreedMemory& operator=(const FreedMemory&) = delete;
  [[nodiscard]] bool held_secret() const { return leaked; }
  static void look(void* block) {
    if (block != nullptr && watching && holds_secret(block, ::malloc_usable_size(block))) leaked = true;
  }

 private:
  static inline thread_local bool watching = false;
  static inline thread_local bool leaked = false;
};

}  // namespace
}  // namespace drover

// This program's: nothing else shows what a string left in the memory that it gave back.
void* operator new(std::size_t size) {
  if (void* block = std::calloc(1, size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept {
  drover::FreedMemory::look(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  ::operator delete(block);
}

namespace drover {
namespace {

// An object whose bytes can be looked at, also when it is gone.
class Room {
 public:
  explicit Room(std::string_view value) { secret_ = new (bytes_.data()) Secret(std::string(value)); }
  ~Room() { end(); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  Secret& operator*() { return *secret_; }
  void end() {
    if (secret_ != nullptr) std::exchange(secret_, nullptr)->~Secret();
  }
  [[nodiscard]] bool holds_secret() const { return drover::holds_secret(bytes_.data(), bytes_.size()); }

 private:
  alignas(Secret) std::array<unsigned char, sizeof(Secret)> bytes_{};
  Secret* secret_ = nullptr;
};

TEST(SecretBytes, AreWhereTheTestLooksForThem) {
  Room room(kShort);
  EXPECT_TRUE(room.holds_secret());
  const FreedMemory freed;
  { const std::string copy(kLong); }
  EXPECT_TRUE(freed.held_secret());
}

TEST(SecretBytes, AreWipedAtTheEnd) {
  const FreedMemory freed;
  for (const std::string_view value : {kShort, kLong}) {
    Room room(value);
    room.end();
    EXPECT_FALSE(room.holds_secret()) << value;
  }
  EXPECT_FALSE(freed.held_secret());
}

TEST(SecretBytes, AreNotLeftInWhatWasMovedFrom) {
  for (const std::string_view value : {kShort, kLong}) {
    Room from(value);
    Secret made(std::move(*from));
    EXPECT_EQ(made.reveal(), value);
    EXPECT_FALSE(from.holds_secret()) << value;
    Room again(value);
    made = std::move(*again);
    EXPECT_EQ(made.reveal(), value);
    EXPECT_FALSE(again.holds_secret()) << value;
  }
}

TEST(SecretBytes, AreNotLeftInTheStringThatTheyCameIn) {
  alignas(std::string) std::array<unsigned char, sizeof(std::string)> bytes{};
  auto* given = new (bytes.data()) std::string(kShort);
  const Secret secret(std::move(*given));
  EXPECT_EQ(secret.reveal(), kShort);
  EXPECT_FALSE(holds_secret(bytes.data(), bytes.size()));
  std::destroy_at(given);
}

TEST(SecretBytes, AreWipedBeforeOthersTakeTheirPlace) {
  const std::string longer(4 * kLong.size(), 'x');
  for (const std::string& other : {longer, std::string("x"), std::string()}) {
    const FreedMemory freed;
    {
      const Secret next{std::string(other)};
      Secret copied{std::string(kLong)};
      copied = next;
      EXPECT_EQ(copied, next);
      Secret moved{std::string(kLong)};
      moved = Secret(std::string(other));
      EXPECT_EQ(moved, next);
    }
    EXPECT_FALSE(freed.held_secret()) << other;
    Room room(kShort);
    *room = Secret(std::string(other));
    EXPECT_FALSE(room.holds_secret()) << other;
  }
}

TEST(SecretBytes, StayWhenAssignedToThemselves) {
  Secret secret{std::string(kLong)};
  Secret& same = secret;
  secret = same;
  secret = std::move(same);
  EXPECT_EQ(secret.reveal(), kLong);
}

}  // namespace
}  // namespace drover
