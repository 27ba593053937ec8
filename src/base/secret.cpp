#include "drover/base/secret.hpp"

#include <cstdlib>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "drover/base/text.hpp"

namespace drover {
namespace {

// Ends the process when OpenSSL fails: without random bytes or hashes no token is safe.
void require(bool ok) {
  if (!ok) std::abort();
}

// Asking OpenSSL for an algorithm by name costs more than hashing a token, so that is done once.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

// HMAC-SHA-256 without a key yet.
const EVP_MAC_CTX* hmac_algorithm() {
  static const EVP_MAC_CTX* const algorithm = [] {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    require(mac != nullptr);
    EVP_MAC_CTX* const made = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);  // the context holds it
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    require(made != nullptr && EVP_MAC_CTX_set_params(made, parameters) == 1);
    return made;
  }();
  return algorithm;
}

}  // namespace

Sha256 sha256(std::string_view data) {
  Sha256 out;
  unsigned int length = 0;
  require(EVP_Digest(data.data(), data.size(), out.data(), &length, sha256_algorithm(), nullptr) == 1);
  return out;
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
  Sha256 out;
  std::size_t length = 0;
  // OpenSSL takes a null pointer for "no key", which is not the same as an empty key.
  const auto* const bytes = reinterpret_cast<const unsigned char*>(key.empty() ? "" : key.data());
  EVP_MAC_CTX* const context = EVP_MAC_CTX_dup(hmac_algorithm());
  require(context != nullptr && EVP_MAC_init(context, bytes, key.size(), nullptr) == 1 &&
          EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(data.data()), data.size()) == 1 &&
          EVP_MAC_final(context, out.data(), &length, out.size()) == 1);
  EVP_MAC_CTX_free(context);  // wipes the key in it
  return out;
}

std::string to_hex(const Sha256& hash) {
  return hex_encode(bytes_of(hash));
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr &&
          EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), sha256_algorithm(), nullptr) == 1);
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

// Wipes up to the capacity: bytes of an earlier, longer value lie behind the end. A short string keeps its
// bytes within the object, so that one that was moved from still has them.
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

double random_uniform() {
  return static_cast<double>(random_u64() >> 11) * 0x1.0p-53;
}

bool Token::is(const Sha256& hash) const {
  return !empty() && CRYPTO_memcmp(hash_.data(), hash.data(), hash.size()) == 0;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace drover
