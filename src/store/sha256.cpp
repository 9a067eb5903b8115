#include "store/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/file.h"
#include "base/interrupt.h"

namespace quern::store {

namespace {
constexpr size_t kHashBytes = size_t{8} << 20;

void require(int result) {
  if (result != 1) throw InternalError("OpenSSL offers no SHA-256");
}

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;
}  // namespace

struct Sha256::State {
  Context context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  require(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr));
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()));
}

std::string Sha256::hex() const {
  const Context copy(EVP_MD_CTX_new());
  require(EVP_MD_CTX_copy_ex(copy.get(), state_->context.get()));
  std::array<unsigned char, 32> digest{};
  require(EVP_DigestFinal_ex(copy.get(), digest.data(), nullptr));
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

Result<std::string> sha256_of_file(const std::filesystem::path& path) {
  QUERN_TRY(const MappedFile file, MappedFile::open(path, AccessHint::sequential));
  Sha256 hash;
  for (size_t offset = 0; offset < file.size(); offset += kHashBytes) {
    if (InterruptGuard::requested()) return make_error(ErrorCode::cancelled, "interrupted");
    hash.update(file.bytes().subspan(offset, std::min(kHashBytes, file.size() - offset)));
    file.done_with(offset, kHashBytes);
  }
  return hash.hex();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}

}  // namespace quern::store
