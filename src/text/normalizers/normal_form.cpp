#include "text/normalizers/normal_form.h"

#include <algorithm>

#include "text/normalizers/factories.h"

namespace quern::text {

namespace {
// Length of the first combining sequence.
uint32_t stretch(std::string_view text) {
  uint32_t length = decode_utf8(text).length;
  while (length < text.size()) {
    const Decoded next = decode_utf8(text.substr(length));
    if (is_normalization_boundary(next.code_point)) break;
    length += next.length;
  }
  return length;
}

class NormalFormNormalizer : public Normalizer {
 public:
  explicit NormalFormNormalizer(NormalForm form) : form_(form) {}
  void apply(Segment& segment) const override { apply_normal_form(segment, form_); }

 private:
  NormalForm form_;
};

std::unique_ptr<Normalizer> make(NormalForm form) { return std::make_unique<NormalFormNormalizer>(form); }
}  // namespace

// Works on stretches that start a new combining sequence, so that offsets stay close and unchanged text is kept.
void apply_normal_form(Segment& segment, NormalForm form) {
  const std::string_view text = segment.text();
  const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<int8_t>(c) >= 0; });
  if (ascii || normalize(text, form) == text) return;
  Edit edit = segment.edit();
  while (edit.position() < text.size()) {
    const std::string_view rest = text.substr(edit.position());
    if (!segment.tracked() && edit.position() >= segment.head()) {
      edit.replace(static_cast<uint32_t>(text.size()), normalize(rest, form));
      break;
    }
    const uint32_t length = stretch(rest);
    const std::string_view part = rest.substr(0, length);
    const std::string normal = normalize(part, form);
    const uint32_t end = edit.position() + length;
    if (normal == part) {
      edit.keep(end);
    } else {
      edit.replace(end, normal);
    }
  }
  segment.apply(std::move(edit));
}

Result<std::unique_ptr<Normalizer>> make_nfc(const Fields&) { return make(NormalForm::nfc); }
Result<std::unique_ptr<Normalizer>> make_nfd(const Fields&) { return make(NormalForm::nfd); }
Result<std::unique_ptr<Normalizer>> make_nfkc(const Fields&) { return make(NormalForm::nfkc); }
Result<std::unique_ptr<Normalizer>> make_nfkd(const Fields&) { return make(NormalForm::nfkd); }

}  // namespace quern::text
