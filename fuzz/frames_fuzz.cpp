// The frames of an opened box: read, written again, compared.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include <boxgram/packet/frame.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace boxgram;
  const base::Bytes input(data, size);
  std::vector<std::uint8_t> again(size);
  packet::FrameWriter writer(again);
  packet::FrameReader reader(input);
  while (const auto frame = reader.next())
    if (!writer.put(frame->type, frame->response, frame->id, frame->payload)) std::abort();
  writer.finish();
  // One meaning has one spelling: what is accepted is what would have been written.
  if (reader.ok() && !std::equal(input.begin(), input.end(), again.begin())) std::abort();
  if (reader.next()) std::abort();
  return 0;
}
