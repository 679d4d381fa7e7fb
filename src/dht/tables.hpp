// A node's routing tables, one for each address family.
#pragma once

#include <array>

#include <boxgram/dht/address_policy.hpp>

#include "routing_table.hpp"

namespace boxgram::dht {

inline constexpr std::array<Family, 2> kFamilies = {Family::v4, Family::v6};

class Tables {
 public:
  explicit Tables(const std::array<NodeId, 2>& ids)
      : tables_{RoutingTable(ids[0]), RoutingTable(ids[1])} {}

  RoutingTable& operator[](Family family) { return tables_[static_cast<std::size_t>(family)]; }
  const RoutingTable& operator[](Family family) const {
    return tables_[static_cast<std::size_t>(family)];
  }
  RoutingTable& of(const base::SocketAddress& address) { return (*this)[family_of(address)]; }
  const RoutingTable& of(const base::SocketAddress& address) const {
    return (*this)[family_of(address)];
  }
  /// One of our own ids.
  [[nodiscard]] bool is_own(const NodeId& id) const {
    return id == tables_[0].self() || id == tables_[1].self();
  }

 private:
  std::array<RoutingTable, 2> tables_;
};

}  // namespace boxgram::dht
