// One resource record of a message, read in place.
#pragma once

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

/// owner | type(2) | class(2) | ttl(4) | rdlength(2) | rdata (RFC 1035, section 4.1.3).
struct Record {
  Name owner;
  std::uint16_t type = 0;
  std::uint16_t rr_class = 0;
  std::uint32_t ttl = 0;
  std::size_t rdata = 0;  ///< offset in the message
  std::size_t size = 0;   ///< of the RDATA
};

/// Reads the record at `offset` and moves `offset` behind it. False if it breaks the format.
bool read_record(base::Bytes message, std::size_t& offset, Record& record);

/// Calls visit(code, value) for each EDNS option. False if the options do not fill `rdata` exactly.
template <class Visit>
bool walk_options(base::Bytes rdata, Visit&& visit) {
  while (!rdata.empty()) {
    if (rdata.size() < 4) return false;
    const std::uint16_t code = base::load_be16(rdata.data());
    const std::size_t size = base::load_be16(rdata.data() + 2);
    if (size > rdata.size() - 4) return false;
    visit(code, rdata.subspan(4, size));
    rdata = rdata.subspan(4 + size);
  }
  return true;
}

}  // namespace boxgram::dns
