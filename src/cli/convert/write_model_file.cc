// SPDX-License-Identifier: Apache-2.0
#include "cli/convert/write_model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "base/printable.h"
#include "cli/facts.h"
#include "cli/output.h"
#include "cli/progress_line.h"

namespace bitfetch {

Result<int> WriteModelFile(const std::string& path,
                           const std::function<Status(const Progress&)>& write) {
  ProgressLine line;
  const Progress percent = line.Percent("writing the model");
  int64_t tensor_bytes = 0;
  const Status written = write([&](int64_t done, int64_t total) {
    tensor_bytes = done;
    percent(done, total);
  });
  line.Clear();
  if (!written) return tl::unexpected(written.error());
  // What no file has under that name (a pipe) has no size to be asked for.
  std::error_code is_no_file;
  const uintmax_t size = std::filesystem::file_size(path, is_no_file);
  const auto bytes = is_no_file ? tensor_bytes : static_cast<int64_t>(size);
  Say(fmt::format("wrote {}, {}\n", OneLine(path),
                  BytesText(static_cast<double>(std::max(bytes, tensor_bytes)))));
  return kExitOk;
}

}  // namespace bitfetch
