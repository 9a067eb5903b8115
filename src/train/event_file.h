// TensorBoard event files: TFRecord framing (length, masked CRC-32C, bytes, masked CRC-32C) around Event
// protocol buffers with scalar and text summaries. Formats: tensorflow/core/lib/io/record_writer.h,
// util/event.proto, framework/summary.proto.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quern::train {

// CRC-32C (Castagnoli), reflected, as iSCSI and TFRecord use it.
uint32_t crc32c(std::string_view bytes);

// Appends events to DIR/events.out.tfevents.<seconds>.quern. Not thread-safe. A write failure is reported by
// the next flush().
class EventFile {
 public:
  // Readers forget what earlier files of the directory say about `first_step` and later ones: a run that was cut
  // off went further than the checkpoint it goes on from.
  static Result<EventFile> create(const std::string& directory, int64_t first_step, double wall_time);

  void scalar(std::string_view tag, double value, int64_t step, double wall_time);
  // Shown under TensorBoard's Text tab.
  void text(std::string_view tag, std::string_view value, int64_t step, double wall_time);
  Result<void> flush();

 private:
  explicit EventFile(std::string path) : path_(std::move(path)), out_(path_, std::ios::binary) {}
  void write(std::string_view event);

  std::string path_;
  std::ofstream out_;
};

}  // namespace quern::train
