// Numbers as people write them: bytes, counts and durations, both ways.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern {

std::string human_bytes(uint64_t bytes);     // "512 B", "3.50 MiB"
std::string human_count(double count);       // "950", "12.3k", "124M", "1.50G"
std::string human_duration(double seconds);  // "250 ms", "12.3 s", "4m 05s", "1h 20m", "3d 4h"

// "1048576", "4GiB", "1.5 MB", "512k": bytes; KiB, MiB, GiB, TiB are powers of 1024, kB (or k), MB, GB, TB of
// 1000.
Result<uint64_t> parse_bytes(std::string_view text);
// "1000", "1e9", "1.5G", "300k", "3.2T": a count; k, M, G (or B), T are powers of 1000.
Result<uint64_t> parse_count(std::string_view text);

}  // namespace quern
