#include "record.hpp"

namespace boxgram::dns {

bool read_record(base::Bytes message, std::size_t& offset, Record& record) {
  std::size_t at = offset;
  const auto owner = Name::read(message, at);
  if (!owner || message.size() - at < 10) return false;
  const std::uint8_t* fixed = message.data() + at;
  record.owner = *owner;
  record.type = base::load_be16(fixed);
  record.rr_class = base::load_be16(fixed + 2);
  record.ttl = base::load_be32(fixed + 4);
  record.rdata = at + 10;
  record.size = base::load_be16(fixed + 8);
  if (record.size > message.size() - record.rdata) return false;
  offset = record.rdata + record.size;
  return true;
}

}  // namespace boxgram::dns
