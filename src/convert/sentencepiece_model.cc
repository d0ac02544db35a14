// SPDX-License-Identifier: Apache-2.0
#include "convert/sentencepiece_model.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/printable.h"
#include "text/piece_alphabet.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 20;
constexpr float kScoreOfAdded = -1000;  // below all that merge

struct ProtoField {
  uint32_t number = 0;
  uint64_t value = 0;      // of a number
  std::string_view bytes;  // of a text or a message
};

// Walks the fields of a protobuf message.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message) : rest_(message) {}

  // None at the end.
  Result<std::optional<ProtoField>> Next() {
    if (rest_.empty()) return std::nullopt;
    ProtoField field;
    BITFETCH_ASSIGN_OR_RETURN(const uint64_t tag, Varint());
    field.number = static_cast<uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0: {
        BITFETCH_ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case 1:
        return Fixed<uint64_t>(field);
      case 2: {
        BITFETCH_ASSIGN_OR_RETURN(const uint64_t size, Varint());
        if (size > rest_.size()) return FailCut();
        field.bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return field;
      }
      case 5:
        return Fixed<uint32_t>(field);
      default:
        return FailCut();
    }
  }

 private:
  static tl::unexpected<Error> FailCut() { return Fail("is cut short or no SentencePiece model"); }

  Result<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return FailCut();
  }

  template <class T>
  Result<std::optional<ProtoField>> Fixed(ProtoField field) {
    T value;
    if (rest_.size() < sizeof value) return FailCut();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    field.value = value;
    return field;
  }

  std::string_view rest_;
};

// Calls take(field) for each field of a message.
template <class Take>
Status ForEachField(std::string_view message, const Take& take) {
  ProtoReader reader(message);
  while (true) {
    BITFETCH_ASSIGN_OR_RETURN(const std::optional<ProtoField> field, reader.Next());
    if (!field) return {};
    BITFETCH_RETURN_IF_ERROR(take(*field));
  }
}

class PiecesReader {
 public:
  explicit PiecesReader(const JsonValue& config) : config_(config) {}

  Result<Vocabulary> Read(std::string_view model) {
    vocabulary_.kind = TokenizerKind::kSentencePieceBpe;
    BITFETCH_RETURN_IF_ERROR(ForEachField(model, [&](const ProtoField& field) -> Status {
      if (field.number == 1) return ReadPiece(field.bytes);
      if (field.number == 2) return ReadTrainer(field.bytes);
      return field.number == 3 ? ReadNormalizer(field.bytes) : Status();
    }));
    if (!is_bpe_) return Fail("is of SentencePiece's unigrams: only its BPE is supported");
    if (collapses_spaces_) return Fail("removes spaces, which is not supported");
    const auto pieces = static_cast<int64_t>(vocabulary_.tokens.size());
    for (int* id : {&vocabulary_.bos, &vocabulary_.eos}) {
      if (*id >= pieces) return Fail("has {} pieces, and a special one of id {}", pieces, *id);
    }
    BITFETCH_RETURN_IF_ERROR(AddTokens());
    const bool* bos = config_.Find<bool>("add_bos_token");
    const bool* eos = config_.Find<bool>("add_eos_token");
    vocabulary_.add_bos = vocabulary_.bos >= 0 && (bos == nullptr || *bos);
    vocabulary_.add_eos = eos != nullptr && *eos;
    return std::move(vocabulary_);
  }

 private:
  void Add(std::string token, int type, float score) {
    vocabulary_.tokens.push_back(std::move(token));
    vocabulary_.types.push_back(type);
    vocabulary_.scores.push_back(score);
  }

  // Its types are those of GGUF.
  Status ReadPiece(std::string_view message) {
    std::string_view piece;
    float score = 0;
    uint64_t type = kNormalToken;
    BITFETCH_RETURN_IF_ERROR(ForEachField(message, [&](const ProtoField& field) -> Status {
      if (field.number == 1) piece = field.bytes;
      if (field.number == 2) score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
      if (field.number == 3) type = field.value;
      return {};
    }));
    const size_t id = vocabulary_.tokens.size();
    if (id == kMaxPieces) return Fail("has more than {} pieces", kMaxPieces);
    if (type < kNormalToken || type > kByteToken) return Fail("piece {} has type {}", id, type);
    if (type == kUnknownToken) vocabulary_.unknown = static_cast<int>(id);
    Add(type == kUserDefinedToken ? FromPieceSpaces(piece) : std::string(piece),
        static_cast<int>(type), score);
    return {};
  }

  Status ReadTrainer(std::string_view message) {
    vocabulary_.bos = 1;
    vocabulary_.eos = 2;
    return ForEachField(message, [&](const ProtoField& field) -> Status {
      constexpr uint64_t kBpe = 2;
      if (field.number == 3) is_bpe_ = field.value == kBpe;
      // -1: none.
      if (field.number == 41) vocabulary_.bos = static_cast<int>(field.value);
      if (field.number == 42) vocabulary_.eos = static_cast<int>(field.value);
      return {};
    });
  }

  Status ReadNormalizer(std::string_view message) {
    collapses_spaces_ = true;
    return ForEachField(message, [&](const ProtoField& field) -> Status {
      if (field.number == 2 && !field.bytes.empty()) {
        return Fail("normalises texts, which is not supported");
      }
      if (field.number == 3) vocabulary_.add_space_prefix = field.value != 0;
      if (field.number == 4) collapses_spaces_ = field.value != 0;
      return {};
    });
  }

  // Those that the model does not have.
  Status AddTokens() {
    const auto* added = config_.Find<JsonValue::Object>("added_tokens_decoder");
    if (added == nullptr) return {};
    for (const auto& [key, token] : *added) {
      size_t id = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const auto* content = token.Find<std::string>("content");
      if (error != std::errc() || end != key.data() + key.size() || id >= kMaxPieces || !content) {
        return Fail("an added token, '{}', has no id or no content", Printable(key));
      }
      while (vocabulary_.tokens.size() <= id) {
        Add(fmt::format("[PAD{}]", vocabulary_.tokens.size()), kUnusedToken, kScoreOfAdded);
      }
      if (vocabulary_.types[id] != kUnusedToken) continue;
      const bool* special = token.Find<bool>("special");
      vocabulary_.tokens[id] = *content;
      vocabulary_.types[id] = special != nullptr && *special ? kControlToken : kUserDefinedToken;
    }
    return {};
  }

  const JsonValue& config_;
  Vocabulary vocabulary_;
  bool is_bpe_ = false;
  bool collapses_spaces_ = false;
};

}  // namespace

Result<Vocabulary> ReadSentencePieceModel(std::string_view model, const JsonValue& config) {
  return PiecesReader(config).Read(model);
}

}  // namespace bitfetch
