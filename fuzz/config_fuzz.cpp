// A configuration file of any bytes is either valid or an error that names a place; it never
// crashes and never hangs.
#include <cstdint>
#include <cstdlib>

#include <boxgram/base/bytes.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/config/stub_config.hpp>

namespace {

template <class Result>
void require_clear(const Result& result) {
  if (!result && (result.error().message.empty() || result.error().source.empty())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = boxgram::base::as_text({data, size});
  require_clear(boxgram::config::parse_gateway_config(text, "fuzz"));
  require_clear(boxgram::config::parse_stub_config(text, "fuzz"));
  return 0;
}
