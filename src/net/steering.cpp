#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <boxgram/base/check.hpp>
#include <boxgram/net/steering.hpp>

namespace boxgram::net {
namespace {

constexpr std::size_t kMaxRules = 16;          // jumps in the program are one byte
constexpr std::uint32_t kByHash = 0xffffffff;  // no such socket: the kernel falls back to its hash

}  // namespace

base::expected<void, std::string> steer(int fd, std::uint16_t type_offset,
                                        std::span<const SteeringRule> rules, std::size_t sockets) {
  BOXGRAM_CHECK(rules.size() <= kMaxRules && sockets > 0);
  std::vector<sock_filter> program;
  const auto emit = [&](std::uint16_t code, std::uint32_t k, std::uint8_t yes = 0,
                        std::uint8_t no = 0) {
    program.push_back({code, yes, no, k});
  };
  // A load beyond the datagram would end the program with 0, so each one is preceded by a
  // comparison of the length.
  emit(BPF_LD | BPF_W | BPF_LEN, 0);
  emit(BPF_JMP | BPF_JGT | BPF_K, type_offset, 1, 0);
  emit(BPF_RET | BPF_K, kByHash);
  for (const auto& rule : rules) {
    emit(BPF_LD | BPF_B | BPF_ABS, type_offset);
    emit(BPF_JMP | BPF_JEQ | BPF_K, rule.type, 0, 6);
    emit(BPF_LD | BPF_W | BPF_LEN, 0);
    emit(BPF_JMP | BPF_JGT | BPF_K, rule.offset, 1, 0);
    emit(BPF_RET | BPF_K, kByHash);
    emit(BPF_LD | BPF_B | BPF_ABS, rule.offset);
    emit(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(sockets));
    emit(BPF_RET | BPF_A, 0);
  }
  emit(BPF_RET | BPF_K, kByHash);
  const sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &code, sizeof code) != 0)
    return base::unexpected<std::string>(
        fmt::format("the kernel refuses to steer datagrams between workers "
                    "(SO_ATTACH_REUSEPORT_CBPF): {}",
                    std::strerror(errno)));
  return {};
}

}  // namespace boxgram::net
