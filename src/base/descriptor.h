// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_DESCRIPTOR_H_
#define BITFETCH_BASE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace bitfetch {

// A file descriptor, closed when its owner is gone; below 0: none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_DESCRIPTOR_H_
