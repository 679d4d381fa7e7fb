#include "local_answers.hpp"

#include <boxgram/base/check.hpp>
#include <boxgram/dns/special_names.hpp>

#include "suffix_hashes.hpp"

namespace boxgram::dns {

namespace {

/// Lifetime of what a standard says for ever; as in RFC 6303, section 3.
constexpr std::uint32_t kStandardTtl = 10'800;
/// A block list changes with the configuration.
constexpr std::uint32_t kBlockTtl = 60;

constexpr ExtendedError kBlocked[] = {{ede::blocked, {}}};

Name name_of(base::Bytes wire) {
  const auto name = Name::from_wire(wire);
  BOXGRAM_CHECK(name.has_value());
  return *name;
}

/// RFC 6303, section 3: the zone itself as the server, nobody.invalid as its keeper.
bool add_soa(const Name& apex, std::uint32_t ttl, AnswerBuilder& builder) {
  static constexpr std::uint8_t kKeeper[] = "\x06nobody\x07invalid";  // its end is the root
  std::array<std::uint8_t, Name::kMaxSize + sizeof kKeeper + 20> rdata;
  base::Writer writer(rdata);
  writer.bytes(apex.wire());
  writer.bytes(kKeeper);
  for (const std::uint32_t value : {1U, 3600U, 1200U, 604800U, ttl}) writer.u32(value);
  return builder.add(Section::authority, apex, rrtype::soa, rrclass::in, ttl, writer.written());
}

bool add_answer(const QueryKey& key, std::uint32_t ttl, base::Bytes rdata, AnswerBuilder& builder) {
  return builder.add(Section::answer, name_of(key.name()), key.type(), rrclass::in, ttl, rdata);
}

}  // namespace

LocalAnswers::LocalAnswers(const ForwarderConfig& config)
    : config_(config),
      needs_hashes_(!config.rules.empty() || !config.zone.empty() || config.block_list.size() > 0) {
  for (const auto& rule : config.rules) {
    BOXGRAM_CHECK(!rule.upstreams.empty());
    rules_.emplace(SuffixHashes(rule.suffix.lowered().wire()).whole(), &rule);
  }
}

const ForwardRule* LocalAnswers::rule_for(const QueryKey& key, const SuffixHashes& hashes) const {
  if (rules_.empty()) return nullptr;
  for (const auto& suffix : hashes.all()) {
    const auto [first, last] = rules_.equal_range(suffix.hash);
    for (auto i = first; i != last; ++i)
      if (equal_names(i->second->suffix.wire(), key.name().subspan(suffix.offset)))
        return i->second;
  }
  return nullptr;
}

LocalAnswers::Place LocalAnswers::place_of(const QueryKey& key) const {
  if (config_.minimal_any && key.type() == rrtype::any) return {Source::minimal_any, nullptr};
  const ForwardRule* rule = nullptr;
  const bool internet = key.rr_class() == rrclass::in;
  if (needs_hashes_) {
    const SuffixHashes hashes(key.name());
    rule = rule_for(key, hashes);
    if (internet && config_.zone.may_hold(hashes) &&
        config_.zone.find(name_of(key.name()), key.type()).match != Zone::Match::none)
      return {Source::zone, rule};
    if (internet && config_.block_list.blocks(hashes)) return {Source::block_list, rule};
  }
  // A rule for everything is no explicit word about them.
  const bool by_rule = rule != nullptr && !rule->suffix.is_root();
  if (internet && config_.special_names && !by_rule &&
      match_special_name(key.name(), key.type()).kind != SpecialName::none)
    return {Source::special_name, nullptr};
  return {Source::upstream, rule};
}

std::optional<LocalAnswer> LocalAnswers::build(const QueryKey& key, Source source,
                                               AnswerBuilder& builder) const {
  builder.start(key.name(), key.type(), key.rr_class());
  Rcode rcode = Rcode::no_error;
  bool whole = true;
  LocalAnswer answer;
  switch (source) {
    case Source::minimal_any: {
      // RFC 8482, section 4.2: HINFO with the CPU "RFC8482" and no OS.
      static constexpr std::uint8_t kHinfo[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
      whole = builder.add(Section::answer, name_of(key.name()), rrtype::hinfo, key.rr_class(),
                          kStandardTtl, kHinfo);
      break;
    }
    case Source::zone:
      rcode = add_zone(key, builder, whole);
      break;
    case Source::block_list:
      rcode = add_blocked(key, builder, whole);
      answer.errors = kBlocked;
      break;
    default:
      rcode = add_special(key, builder, whole);
      break;
  }
  if (!whole || !builder.fits()) return std::nullopt;
  answer.view = builder.finish(rcode, false, false);
  return answer;
}

void LocalAnswers::explain(const QueryKey& key, Explanation& explanation) const {
  switch (explanation.source) {
    case Source::zone: {
      const auto found = config_.zone.find(name_of(key.name()), key.type());
      explanation.entry =
          found.match == Zone::Match::records ? found.sets[0]->front().owner : found.apex;
      break;
    }
    case Source::block_list:
      if (const auto match = config_.block_list.match(name_of(key.name()))) {
        explanation.entry = match->name;
        explanation.entry_is_exact = match->scope == BlockList::Scope::exact;
      }
      break;
    case Source::special_name:
      explanation.entry =
          name_of(key.name().subspan(match_special_name(key.name(), key.type()).apex));
      break;
    default:
      break;
  }
}

Rcode LocalAnswers::add_zone(const QueryKey& key, AnswerBuilder& builder, bool& whole) const {
  const auto found = config_.zone.find(name_of(key.name()), key.type());
  for (std::size_t i = 0; i < found.set_count; ++i)
    for (const auto& record : *found.sets[i])
      whole = whole && builder.add(Section::answer, record.owner, record.type, rrclass::in,
                                   record.ttl, record.rdata);
  if (found.match == Zone::Match::records) return Rcode::no_error;
  whole = whole && add_soa(found.apex, Zone::kDefaultTtl, builder);
  return found.match == Zone::Match::no_domain ? Rcode::nx_domain : Rcode::no_error;
}

Rcode LocalAnswers::add_blocked(const QueryKey& key, AnswerBuilder& builder, bool& whole) const {
  static constexpr std::uint8_t kNull[16] = {};
  switch (config_.block_answer) {
    case BlockAnswer::refused:
      return Rcode::refused;
    case BlockAnswer::null_address:
      if (key.type() == rrtype::a || key.type() == rrtype::aaaa) {
        const std::size_t size = key.type() == rrtype::a ? 4 : 16;
        whole = add_answer(key, kBlockTtl, base::Bytes(kNull).first(size), builder);
        return Rcode::no_error;
      }
      break;
    case BlockAnswer::no_domain:
    case BlockAnswer::no_data:
      break;
  }
  whole = add_soa(name_of(key.name()), kBlockTtl, builder);
  return config_.block_answer == BlockAnswer::no_domain ? Rcode::nx_domain : Rcode::no_error;
}

Rcode LocalAnswers::add_special(const QueryKey& key, AnswerBuilder& builder, bool& whole) const {
  static constexpr std::uint8_t kLoopback4[] = {127, 0, 0, 1};
  static constexpr std::uint8_t kLoopback6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static constexpr std::uint8_t kLocalhost[] = "\x09localhost";
  const SpecialMatch match = match_special_name(key.name(), key.type());
  const bool address = match.kind == SpecialName::loopback;
  if (address && key.type() == rrtype::a)
    whole = add_answer(key, kStandardTtl, kLoopback4, builder);
  else if (address && key.type() == rrtype::aaaa)
    whole = add_answer(key, kStandardTtl, kLoopback6, builder);
  else if (match.kind == SpecialName::localhost)
    whole = add_answer(key, kStandardTtl, kLocalhost, builder);
  else
    whole = add_soa(name_of(key.name().subspan(match.apex)), kStandardTtl, builder);
  return match.kind == SpecialName::no_domain ? Rcode::nx_domain : Rcode::no_error;
}

}  // namespace boxgram::dns
