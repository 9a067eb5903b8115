#include "train/event_file.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>

namespace quern::train {

namespace {

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1u) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    table[i] = c;
  }
  return table;
}();

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

template <class T>
void append_raw(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

// The four protocol-buffer field forms that events use.
void varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void varint_field(std::string& out, int field, uint64_t value) {
  varint(out, static_cast<uint64_t>(field) << 3);
  varint(out, value);
}
void bytes_field(std::string& out, int field, std::string_view value) {
  varint(out, (static_cast<uint64_t>(field) << 3) | 2);
  varint(out, value.size());
  out.append(value);
}
template <class T>
void fixed_field(std::string& out, int field, T value) {
  varint(out, (static_cast<uint64_t>(field) << 3) | (sizeof(T) == 8 ? 1 : 5));
  append_raw(out, value);
}

// Event {wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7}
std::string event(double wall_time, int64_t step) {
  std::string out;
  fixed_field(out, 1, wall_time);
  varint_field(out, 2, static_cast<uint64_t>(step));
  return out;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) crc = kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xffu] ^ (crc >> 8);
  return ~crc;
}

Result<EventFile> EventFile::create(const std::string& directory, int64_t first_step, double wall_time) {
  std::error_code status;
  std::filesystem::create_directories(directory, status);
  EventFile file(fmt::format("{}/events.out.tfevents.{:.6f}.quern", directory, wall_time));
  std::string version = event(wall_time, 0);
  bytes_field(version, 3, "brain.Event:2");
  file.write(version);
  std::string session;  // SessionLog {status = 1 (START 1)}
  varint_field(session, 1, 1);
  std::string start = event(wall_time, first_step);
  bytes_field(start, 7, session);
  file.write(start);
  QUERN_CHECK(file.flush());
  return file;
}

void EventFile::write(std::string_view bytes) {
  std::string header;
  append_raw(header, static_cast<uint64_t>(bytes.size()));
  std::string record = header;
  append_raw(record, masked(crc32c(header)));
  record.append(bytes);
  append_raw(record, masked(crc32c(bytes)));
  out_.write(record.data(), static_cast<std::streamsize>(record.size()));
}

void EventFile::scalar(std::string_view tag, double value, int64_t step, double wall_time) {
  std::string entry;  // Summary.Value {tag = 1, simple_value = 2}
  bytes_field(entry, 1, tag);
  fixed_field(entry, 2, static_cast<float>(value));
  std::string summary;
  bytes_field(summary, 1, entry);
  std::string out = event(wall_time, step);
  bytes_field(out, 5, summary);
  write(out);
}

void EventFile::text(std::string_view tag, std::string_view value, int64_t step, double wall_time) {
  std::string plugin;  // SummaryMetadata {plugin_data = 1 {plugin_name = 1}}
  bytes_field(plugin, 1, "text");
  std::string metadata;
  bytes_field(metadata, 1, plugin);
  std::string shape_dim;  // TensorShapeProto {dim = 2 {size = 1}}
  varint_field(shape_dim, 1, 1);
  std::string shape;
  bytes_field(shape, 2, shape_dim);
  std::string tensor;  // TensorProto {dtype = 1 (DT_STRING 7), tensor_shape = 2, string_val = 8}
  varint_field(tensor, 1, 7);
  bytes_field(tensor, 2, shape);
  bytes_field(tensor, 8, value);
  std::string entry;  // Summary.Value {tag = 1, tensor = 8, metadata = 9}
  bytes_field(entry, 1, tag);
  bytes_field(entry, 8, tensor);
  bytes_field(entry, 9, metadata);
  std::string summary;
  bytes_field(summary, 1, entry);
  std::string out = event(wall_time, step);
  bytes_field(out, 5, summary);
  write(out);
}

Result<void> EventFile::flush() {
  out_.flush();
  if (!out_) return make_error(ErrorCode::io, path_ + ": cannot write", "check the disk and its permissions");
  return {};
}

}  // namespace quern::train
