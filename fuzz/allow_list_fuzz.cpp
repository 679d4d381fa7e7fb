// An allow-list of any bytes is a list or an error with a place; what is edited stays a list.
#include <boxgram/base/check.hpp>
#include <boxgram/control/allow_list.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  const auto text = base::as_text({data, size});
  const auto list = control::AllowList::parse(text);
  if (!list) {
    BOXGRAM_CHECK(!list.error().message.empty());
    return 0;
  }
  for (const auto& [key, client] : list->clients()) {
    BOXGRAM_CHECK(control::is_client_name(client.name) && !client.services.empty());
    BOXGRAM_CHECK(list->find(key) == &client);
  }
  if (list->size() == 0) return 0;
  const auto& [key, client] = *list->clients().begin();
  const auto without = control::without_client(text, client.name);
  BOXGRAM_CHECK(without.has_value());
  const auto with = control::with_client(*without, key, client.name, client.services);
  if (!with) return 0;  // the line end that was missing may be one byte too much
  const auto again = control::AllowList::parse(*with);
  BOXGRAM_CHECK(again.has_value() && again->size() == list->size());
  BOXGRAM_CHECK(again->find(key) != nullptr && again->find(key)->same_rights(client));
  return 0;
}
