// Answers that need neither cache nor upstream: zone, block list, special-use names, minimal ANY.
#pragma once

#include <optional>

#include <boxgram/dns/answer_builder.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/query_key.hpp>

namespace boxgram::dns {

struct LocalAnswer {
  AnswerView view;  ///< valid until the builder's next start()
  std::span<const ExtendedError> errors;
};

class LocalAnswers {
 public:
  explicit LocalAnswers(const ForwarderConfig& config);

  /// Where the answer comes from; Source::upstream when not from here. `rule` is the rule that
  /// decides the upstreams, or nullptr.
  [[nodiscard]] Source source(const QueryKey& key, const ForwardRule* rule) const;
  /// Builds it. nullopt if the records are more than a message can hold.
  /// REQUIRES: source() has named one of the local sources for this key.
  [[nodiscard]] std::optional<LocalAnswer> build(const QueryKey& key, Source source,
                                                 AnswerBuilder& builder) const;
  /// The rule with the longest suffix of this name.
  [[nodiscard]] const ForwardRule* rule_for(const QueryKey& key) const;

 private:
  [[nodiscard]] Rcode add_zone(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;
  [[nodiscard]] Rcode add_blocked(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;
  [[nodiscard]] Rcode add_special(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;

  const ForwarderConfig& config_;
  std::unordered_multimap<std::uint64_t, const ForwardRule*> rules_;  // by hash of the suffix
};

}  // namespace boxgram::dns
