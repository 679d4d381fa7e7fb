// An upstream's response: checked against what was asked, walked strictly, rebuilt.
// Source: RFC 5452, section 9 (what must match); RFC 2181; RFC 3597; RFC 4035, section 3.2.1.
#pragma once

#include <boxgram/base/expected.hpp>
#include <boxgram/dns/answer_builder.hpp>

namespace boxgram::dns {

enum class AnswerError : std::uint8_t {
  too_short,       ///< less than a header
  not_a_response,  ///< QR is not set
  wrong_id,
  wrong_opcode,
  wrong_question,  ///< not one question, or another one, or another case where that counts
  malformed,       ///< a name, a record or OPT breaks the format, or bytes are left over
  too_large,       ///< beyond 65,535 bytes once the names RFC 3597 wants plain are plain
};

/// What was asked.
struct Expectation {
  std::uint16_t id = 0;
  base::Bytes name = {};  ///< wire form, uncompressed, as it was sent
  std::uint16_t type = 0;
  std::uint16_t rr_class = 0;
  bool exact_case = false;  ///< the answer must repeat the name's case ("0x20")
  bool dnssec_ok = false;   ///< else RRSIG, NSEC and NSEC3 are left out, unless asked for by type
};

/// On success the view points into `builder`. The first three and wrong_question mean that this is
/// not the answer to our query (an attacker's, a late one): the query goes on waiting.
/// Cost: one walk; one hash and one compare for each label that is not a pointer; no allocation
/// once the builder has grown.
base::expected<AnswerView, AnswerError> normalise(base::Bytes response, const Expectation& asked,
                                                  AnswerBuilder& builder);

}  // namespace boxgram::dns
