// Any bytes as an upstream's response: normalised, written to clients, normalised again.
#include <cstdlib>
#include <vector>

#include <boxgram/dns/normalise.hpp>

namespace dns = boxgram::dns;
namespace base = boxgram::base;

static void require(bool fact) {
  if (!fact) std::abort();
}

static std::vector<std::uint8_t> query_for(base::Bytes name, std::uint16_t type,
                                           std::uint16_t rr_class, bool dnssec_ok) {
  std::vector<std::uint8_t> query(dns::kMaxUpstreamQuerySize);
  query.resize(dns::build_upstream_query({.id = 1,
                                          .name = name,
                                          .type = type,
                                          .rr_class = rr_class,
                                          .authentic_data = true,
                                          .dnssec_ok = dnssec_ok},
                                         query));
  return query;
}

static void check_view(const dns::AnswerView& view) {
  require(view.body.size() + dns::kHeaderSize <= dns::kMaxMessageSize);
  require(view.ttl_offsets.size() ==
          std::size_t{view.answers} + view.authorities + view.additionals);
  for (const std::uint16_t at : view.ttl_offsets) {
    require(at + 6u <= view.body.size());
    if (view.lifetime != 0) require(base::load_be32(&view.body[at]) >= view.lifetime);
  }
}

/// Input: one byte (1: DO set), then the response. It is taken for the answer to its own question,
/// so that fuzzing does not die at the comparison.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 + dns::kHeaderSize) return 0;
  const bool dnssec_ok = data[0] & 1;
  const base::Bytes response(data + 1, size - 1);
  const base::Bytes question = response.subspan(dns::kHeaderSize);
  const std::size_t name_size = dns::uncompressed_name_size(question);
  if (name_size == 0 || question.size() < name_size + 4) return 0;
  const dns::Expectation asked{.id = base::load_be16(response.data()),
                               .name = question.first(name_size),
                               .type = base::load_be16(&question[name_size]),
                               .rr_class = base::load_be16(&question[name_size + 2]),
                               .exact_case = true,
                               .dnssec_ok = dnssec_ok};
  static dns::AnswerBuilder builder;
  const auto view = dns::normalise(response, asked, builder);
  if (!view) return 0;
  check_view(*view);

  const auto query_bytes = query_for(asked.name, asked.type, asked.rr_class, dnssec_ok);
  const auto query = dns::parse_query(query_bytes);
  require(query.has_value());
  std::vector<std::uint8_t> out(dns::kMaxMessageSize);
  dns::AnswerOptions options;
  const dns::Written udp = dns::write_answer(*view, *query, options, {}, out);
  require(udp.size <= query->udp_size && udp.size >= dns::kHeaderSize + name_size + 4);
  options.transport = dns::Transport::tcp;
  options.authentic_allowed = true;
  const dns::Written whole = dns::write_answer(*view, *query, options, {}, out);
  if (whole.size != whole.whole_size) return 0;

  // What we write, another copy of us reads as the same.
  const std::vector<std::uint8_t> body(view->body.begin(), view->body.end());
  const dns::AnswerView before = *view;
  static dns::AnswerBuilder second;
  const auto again =
      dns::normalise(base::Bytes(out).first(whole.size),
                     {1, query->name, query->type, query->rr_class, true, dnssec_ok}, second);
  require(again.has_value());
  require(again->rcode == before.rcode && again->kind == before.kind);
  require(again->lifetime == before.lifetime && again->answers == before.answers);
  require(again->body.size() == body.size() &&
          std::memcmp(again->body.data(), body.data(), body.size()) == 0);
  return 0;
}
