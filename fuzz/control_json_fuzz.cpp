// A control request of any bytes is read or answered with an error; so is a response at the client.
// Byte 0 chooses the side.
#include <boxgram/base/bytes.hpp>
#include <boxgram/base/check.hpp>
#include <boxgram/control/methods.hpp>

namespace {

using namespace boxgram::control;

void require_answer(const Json& id, const Result& result) {
  const auto text = response_text(id, result);
  BOXGRAM_CHECK(text.size() <= kMaxMessage && Json::accept(text));
}

void serve(std::string_view text) {
  const auto request = parse_request(text);
  if (!request) {
    require_answer(request.error().id, rpc_error(request.error().error.code, "refused"));
    return;
  }
  BOXGRAM_CHECK(request->params.is_object());
  const Method* method = find_method(request->method);
  if (method == nullptr) method = &methods()[text.size() % methods().size()];
  const auto wrong = check_params(*method, request->params);
  if (wrong)
    require_answer(request->id, boxgram::base::unexpected<RpcError>(*wrong));
  else
    require_answer(request->id, request->params);
}

void take(std::string_view text) {
  const auto result = parse_response(text, 1);
  if (!result) return;
  const auto again = response_text(1, result);
  if (const auto same = parse_response(again, 1)) BOXGRAM_CHECK(*same == *result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = boxgram::base::as_text({data + 1, size - 1});
  data[0] % 2 == 0 ? serve(text) : take(text);
  return 0;
}
