#include "drover/base/secret.hpp"

#include <cstdlib>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "drover/base/text.hpp"

namespace drover {
namespace {

std::string_view as_text(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Without randomness or hashing nothing that follows is safe: there is nothing to recover to.
void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

Sha256 sha256(std::string_view data) {
  Sha256 out;
  unsigned int length = 0;
  require(EVP_Digest(data.data(), data.size(), out.data(), &length, EVP_sha256(), nullptr) == 1);
  return out;
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
  Sha256 out;
  unsigned int length = 0;
  require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
               reinterpret_cast<const unsigned char*>(data.data()), data.size(), out.data(),
               &length) != nullptr);
  return out;
}

std::string to_hex(const Sha256& hash) {
  return hex_encode(as_text(hash));
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr &&
          EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) == 1);
}

Sha256Stream::~Sha256Stream() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256Stream::update(std::string_view piece) {
  require(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), piece.data(), piece.size()) == 1);
}

Sha256 Sha256Stream::finish() {
  Sha256 out;
  unsigned int length = 0;
  require(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), out.data(), &length) == 1);
  return out;
}

// A short string keeps its bytes within itself, so that a move copies them; and of one that was longer
// before, bytes are left behind its end.
void wipe(std::string& text) noexcept {
  text.resize(text.capacity());  // takes no memory
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

void wipe(Sha256& bytes) noexcept {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe(value_);
  value_ = other.value_;
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe(value_);
  value_ = std::move(other.value_);
  wipe(other.value_);
  return *this;
}

std::string random_token() {
  unsigned char bytes[32];
  require(RAND_bytes(bytes, sizeof bytes) == 1);
  std::string token = hex_encode({reinterpret_cast<const char*>(bytes), sizeof bytes});
  OPENSSL_cleanse(bytes, sizeof bytes);
  return token;
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) == 1);
  return value;
}

bool Token::is(const Sha256& hash) const {
  return !empty() && CRYPTO_memcmp(hash_.data(), hash.data(), hash.size()) == 0;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace drover
