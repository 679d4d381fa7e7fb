// Address space that becomes memory page by page when it is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <sys/mman.h>

namespace boxgram::net {

class MappedMemory {
 public:
  explicit MappedMemory(std::size_t size) : size_(size) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    // A huge page would make the first touched byte cost 2 MiB.
    madvise(p, size, MADV_NOHUGEPAGE);
    data_ = static_cast<std::uint8_t*>(p);
  }
  ~MappedMemory() { munmap(data_, size_); }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  [[nodiscard]] std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace boxgram::net
