// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_MODEL_DIGEST_H_
#define BITFETCH_MODEL_MODEL_DIGEST_H_

#include "kv/digest.h"
#include "model/gguf_reader.h"

namespace bitfetch {

// Which model a file holds, for the keys of KV blocks: of its metadata, its table of tensors, and
// 4 KiB at eight places of each tensor. So it costs milliseconds and not a read of all weights, and
// two files that differ nowhere there count as one: whoever makes such a file on purpose harms
// nobody but those who run it. A pure function of the file's bytes.
Digest ModelDigest(const GgufReader& file);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_MODEL_DIGEST_H_
