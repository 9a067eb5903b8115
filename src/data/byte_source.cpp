#include "data/byte_source.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/file.h"

namespace quern::data {

namespace {

constexpr size_t kInputBytes = size_t{1} << 17;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class PlainSource : public ByteSource {
 public:
  PlainSource(std::FILE* file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}

  Result<size_t> read(std::span<char> out) override {
    const size_t count = std::fread(out.data(), 1, out.size(), file_.get());
    if (count == 0 && std::ferror(file_.get())) return file_error("read", path_, errno);
    return count;
  }

 private:
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::filesystem::path path_;
};

// What both decompressors share: compressed bytes come in through a buffer, and the end may only come between
// two members (gzip) or frames (zstd).
class CompressedSource : public ByteSource {
 public:
  CompressedSource(std::unique_ptr<ByteSource> raw, std::filesystem::path path)
      : raw_(std::move(raw)), path_(std::move(path)), input_(kInputBytes) {}

  Result<size_t> read(std::span<char> out) override {
    for (;;) {
      if (begin_ == end_) {
        QUERN_TRY(end_, raw_->read(input_));
        begin_ = 0;
        if (end_ == 0 && inside_) return broken("it ends in the middle of the compressed data");
        if (end_ == 0) return size_t{0};
      }
      QUERN_TRY(const size_t count, decompress(out));
      if (count > 0) return count;
    }
  }

 protected:
  // Consumes from [begin_, end_), returns the bytes made (maybe 0), keeps inside_ up to date.
  virtual Result<size_t> decompress(std::span<char> out) = 0;
  Error broken(std::string_view what) const {
    return make_error(ErrorCode::corrupt, fmt::format("{}: {}", path_.string(), what),
                      "the file is damaged or incomplete; copy or download it again");
  }

  std::unique_ptr<ByteSource> raw_;
  std::filesystem::path path_;
  std::vector<char> input_;
  size_t begin_ = 0, end_ = 0;
  bool inside_ = false;
};

class GzipSource : public CompressedSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> raw, std::filesystem::path path)
      : CompressedSource(std::move(raw), std::move(path)) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipSource() override { inflateEnd(&stream_); }

 private:
  Result<size_t> decompress(std::span<char> out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + begin_);
    stream_.avail_in = static_cast<uInt>(end_ - begin_);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(out.size(), 1u << 30));
    const size_t room = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    begin_ = end_ - stream_.avail_in;
    inside_ = status != Z_STREAM_END;
    if (status == Z_STREAM_END)
      inflateReset(&stream_);
    else if (status != Z_OK && status != Z_BUF_ERROR)
      return broken(fmt::format("not valid gzip data ({})", stream_.msg ? stream_.msg : "unknown reason"));
    return room - stream_.avail_out;
  }

  z_stream stream_{};
};

class ZstdSource : public CompressedSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> raw, std::filesystem::path path)
      : CompressedSource(std::move(raw), std::move(path)), context_(ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  Result<size_t> decompress(std::span<char> out) override {
    ZSTD_inBuffer input{input_.data(), end_, begin_};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const size_t status = ZSTD_decompressStream(context_.get(), &output, &input);
    if (ZSTD_isError(status))
      return broken(fmt::format("not valid zstd data ({})", ZSTD_getErrorName(status)));
    begin_ = input.pos;
    inside_ = status != 0;
    return output.pos;
  }

  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return file_error("read", path, EISDIR);
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return file_error("open", path, errno);
  std::unique_ptr<ByteSource> source = std::make_unique<PlainSource>(file, path);
  if (path.extension() == ".gz")
    source = std::make_unique<GzipSource>(std::move(source), path);
  else if (path.extension() == ".zst")
    source = std::make_unique<ZstdSource>(std::move(source), path);
  return source;
}

}  // namespace quern::data
