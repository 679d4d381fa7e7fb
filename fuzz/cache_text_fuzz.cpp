// Lines of a dump come from a file: each is taken, passed over or refused, and what was taken can
// be dumped and loaded again.
#include <boxgram/base/check.hpp>
#include <boxgram/control/cache_text.hpp>

namespace {

class CountingRng final : public boxgram::base::Rng {
 public:
  void fill(boxgram::base::MutableBytes out) override {
    for (auto& byte : out) byte = ++last_;
  }

 private:
  std::uint8_t last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  constexpr base::Instant kNow = base::Instant{} + std::chrono::hours(1);
  CountingRng rng;
  dns::SharedCache first(dns::CacheOptions{}, rng, 2);
  dns::SharedCache second(dns::CacheOptions{}, rng, 2);
  static dns::AnswerBuilder builder;
  std::string_view text = base::as_text({data, size});
  std::string cursor;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    const auto loaded = control::load_line(line, first, builder, kNow);
    BOXGRAM_CHECK(loaded.has_value() || !loaded.error().empty());
    if (!loaded) cursor = line;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  control::dump_page(first, cursor, kNow);
  const auto page = control::dump_page(first, {}, kNow);
  BOXGRAM_CHECK(page.has_value());
  for (const auto& line : page->lines)
    BOXGRAM_CHECK(control::load_line(line, second, builder, kNow) == control::Loaded::taken);
  if (page->cursor.empty()) BOXGRAM_CHECK(second.size() == page->lines.size());
  return 0;
}
