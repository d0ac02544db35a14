// SPDX-License-Identifier: Apache-2.0
// For tests: writes safetensors.
#ifndef BITFETCH_CONVERT_TEST_SAFETENSORS_H_
#define BITFETCH_CONVERT_TEST_SAFETENSORS_H_

#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/float16.h"

namespace bitfetch {

// A header and data as a file holds them.
inline void WriteRawSafetensors(const std::string& path, std::string_view header,
                                std::string_view data) {
  std::ofstream file(path, std::ios::binary);
  const uint64_t length = header.size();
  file.write(reinterpret_cast<const char*>(&length), sizeof length) << header << data;
}

// Floats as F32, F16 or BF16 has them.
inline std::string FloatData(std::string_view dtype, std::span<const float> values) {
  std::string data;
  const auto put = [&](const auto stored) {
    data.append(reinterpret_cast<const char*>(&stored), sizeof stored);
  };
  for (const float value : values) {
    if (dtype == "F32") put(value);
    if (dtype == "F16") put(F32ToF16(value));
    if (dtype == "BF16") put(F32ToBF16(value));
  }
  return data;
}

class TestSafetensors {
 public:
  void Add(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
           std::string_view data) {
    std::string sizes;
    for (const int64_t size : shape) {
      sizes += fmt::format("{}{}", sizes.empty() ? "" : ",", size);
    }
    header_ += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                           header_.empty() ? "" : ",", name, dtype, sizes, data_.size(),
                           data_.size() + data.size());
    data_ += data;
  }

  void AddFloats(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
                 const std::vector<float>& values) {
    Add(name, dtype, shape, FloatData(dtype, values));
  }

  void Write(const std::string& path) const {
    WriteRawSafetensors(path, R"({"__metadata__":{"format":"pt"},)" + header_ + "}", data_);
  }

 private:
  std::string header_;
  std::string data_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TEST_SAFETENSORS_H_
