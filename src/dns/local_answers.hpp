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

  struct Place {
    Source source = Source::upstream;   ///< upstream when not from here
    const ForwardRule* rule = nullptr;  ///< the one with the longest suffix of the name
  };
  /// Where the answer comes from.
  [[nodiscard]] Place place_of(const QueryKey& key) const;
  /// Builds it. nullopt if the records are more than a message can hold.
  /// REQUIRES: place_of() has named one of the local sources for this key.
  [[nodiscard]] std::optional<LocalAnswer> build(const QueryKey& key, Source source,
                                                 AnswerBuilder& builder) const;
  /// Names the entry of a local source. REQUIRES: as build(), with explanation.source.
  void explain(const QueryKey& key, Explanation& explanation) const;

 private:
  [[nodiscard]] const ForwardRule* rule_for(const QueryKey& key, const SuffixHashes& hashes) const;
  [[nodiscard]] Rcode add_zone(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;
  [[nodiscard]] Rcode add_blocked(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;
  [[nodiscard]] Rcode add_special(const QueryKey& key, AnswerBuilder& builder, bool& whole) const;

  const ForwarderConfig& config_;
  bool needs_hashes_ = false;
  std::unordered_multimap<std::uint64_t, const ForwardRule*> rules_;  // by hash of the suffix
};

}  // namespace boxgram::dns
