// Every (key, nonce) that anything in the program has sealed under. The linker puts it between the
// project and libsodium (--wrap), so no box of any layer escapes it.
#pragma once

#include <cstdint>

namespace boxgram::sim {

/// Forgets all and begins to log.
void start_nonce_log();
std::uint64_t boxes_sealed();
/// Boxes that were sealed under a (key, nonce) that had been used before.
std::uint64_t nonces_reused();

}  // namespace boxgram::sim
