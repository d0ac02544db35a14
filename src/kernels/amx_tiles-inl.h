// SPDX-License-Identifier: Apache-2.0
// AMX's tiles, 16 rows of 64 bytes, and how tokens are dealt over them. A product of tiles adds, to
// int32 sums of 16 tokens with 16 rows of weights, four bytes at a time, what 64 columns give: of
// activations as they lie, and of weights with four columns of 16 rows side by side. Included in
// namespace avx512amx, with its attributes.

constexpr int64_t kSide = 16;  // of a tile: tokens, or rows of weights
constexpr int64_t kTileColumns = kCacheLineBytes;
constexpr int64_t kTileBytes = kSide * kTileColumns;
constexpr int64_t kTokensOfBlock = 2 * kSide;
constexpr int64_t kTokensAtOnce = 64;

// Tokens that are multiplied together: as many blocks as need be, of one or two tiles of equal
// height. The last of them begin earlier than the one before ends, where tokens leave a rest.
struct TokenTiles {
  explicit TokenTiles(int64_t tokens)
      : tokens(tokens),
        blocks((tokens + kTokensOfBlock - 1) / kTokensOfBlock),
        of_block((tokens + blocks - 1) / blocks),
        tiles(of_block > kSide ? 2 : 1),
        height((of_block + tiles - 1) / tiles) {}

  // Where a tile of a block begins.
  int64_t First(int64_t block, int64_t tile) const {
    const int64_t begin = HWY_MIN(block * of_block, tokens - of_block);
    return begin + tile * (of_block - height);
  }

  int64_t tokens;
  int64_t blocks;
  int64_t of_block;
  int64_t tiles;
  int64_t height;
};

// The tiles' shapes, for as long as it lives: sums in 0 to 3 and activations in 4 and 5, of
// `height` tokens, weights in 6 and 7. Products are of `columns` columns.
class Tiles {
 public:
  Tiles(int64_t height, int64_t columns) {
    Shapes shapes;
    for (int tile = 0; tile < 8; ++tile) {
      const bool activations = tile == 4 || tile == 5, weights = tile >= 6;
      shapes.row_bytes[tile] = static_cast<uint16_t>(activations ? columns : kTileColumns);
      shapes.rows[tile] = static_cast<uint8_t>(weights ? columns / 4 : height);
    }
    _tile_loadconfig(&shapes);
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() { _tile_release(); }

 private:
  // As the instruction wants it (Intel's manual, volume 2, LDTILECFG).
  struct alignas(64) Shapes {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  };
};

// Sums of a tile of tokens with 16 rows.
using TileTotals = int32_t[kSide][kSide];

// GCC 12 does not know that the instructions on tiles read and write memory.
HWY_INLINE void MemoryMeetsTiles() { asm volatile("" ::: "memory"); }

// Products of a block are written all at once in the end, which would wait for each line of them.
HWY_INLINE void FetchProducts(const float* out, int64_t out_stride, int64_t rows, int64_t tokens) {
  for (int64_t t = 0; t < tokens; ++t) {
    PrefetchBytes(out + t * out_stride, rows * static_cast<int64_t>(sizeof(float)));
  }
}
