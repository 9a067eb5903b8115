#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <new>

#include "base/file.h"
#include "base/interrupt.h"

namespace quern {

namespace {
Hash128 from_xxh(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }
}  // namespace

uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}
uint64_t hash64(std::string_view text, uint64_t seed) { return hash64(std::as_bytes(std::span(text)), seed); }

std::string Hash128::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Hash128 hash128(std::string_view text) { return from_xxh(XXH3_128bits(text.data(), text.size())); }

Result<Hash128> hash_file(const std::filesystem::path& path) {
  constexpr size_t kPiece = size_t{16} << 20;
  QUERN_TRY(const MappedFile file, MappedFile::open(path, AccessHint::sequential));
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  for (size_t offset = 0; offset < file.size(); offset += kPiece) {
    throw_if_interrupted();
    const auto piece = file.bytes().subspan(offset, std::min(kPiece, file.size() - offset));
    XXH3_128bits_update(state.get(), piece.data(), piece.size());
    file.done_with(offset, piece.size());  // large corpora must not push everything else out of memory
  }
  return from_xxh(XXH3_128bits_digest(state.get()));
}

struct Hasher::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XXH3_freeState(xxh); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Hasher& Hasher::add(uint64_t number) {
  unsigned char little_endian[8];
  for (int i = 0; i < 8; ++i) little_endian[i] = static_cast<unsigned char>(number >> (8 * i));
  XXH3_128bits_update(state_->xxh, little_endian, sizeof little_endian);
  return *this;
}

Hasher& Hasher::add(std::span<const std::byte> part) {
  add(part.size());
  XXH3_128bits_update(state_->xxh, part.data(), part.size());
  return *this;
}

Hasher& Hasher::add(std::string_view part) { return add(std::as_bytes(std::span(part))); }
Hasher& Hasher::add(const Hash128& hash) { return add(hash.high).add(hash.low); }

Hash128 Hasher::result() const { return from_xxh(XXH3_128bits_digest(state_->xxh)); }

}  // namespace quern
