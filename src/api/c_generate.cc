// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/sampling.h"
#include "bitfetch/bitfetch.h"
#include "engine/generate.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

// Keeps a sequence for itself, in its turn and while a callback runs, and frees it in the end if
// that was asked for meanwhile.
class Generating {
 public:
  explicit Generating(bitfetch_sequence& sequence) : sequence_(&sequence) {
    sequence.generates = true;
  }
  ~Generating() {
    sequence_->generates = false;
    if (sequence_->freed) delete sequence_;
  }
  Generating(const Generating&) = delete;
  Generating& operator=(const Generating&) = delete;

 private:
  bitfetch_sequence* sequence_;
};

// Lets others have their turns.
class Pause {
 public:
  explicit Pause(Turns& turns) : turns_(turns) { turns.unlock(); }
  ~Pause() { turns_.lock(); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  Turns& turns_;
};

}  // namespace
}  // namespace bitfetch

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_sequence_generate(bitfetch_sequence* sequence, const char* prompt,
                                           size_t bytes, const bitfetch_sampling* sampling,
                                           bitfetch_on_text on_text, void* user) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(on_text);
    if (bytes > 0) BITFETCH_REQUIRE(prompt);
    bitfetch_sampling wanted;
    std::optional<Sampler> sampler;
    BITFETCH_RETURN_IF_NOT_OK(ReadSampling(sampling, &wanted, &sampler));
    GenerateOptions options{.max_tokens = wanted.max_tokens};
    BITFETCH_RETURN_IF_NOT_OK(ReadName("draft", wanted.draft, ParseDraft, &options.draft));

    const std::shared_ptr<OpenedModel> model = sequence->model;  // outlives the turn
    const std::lock_guard turn(model->turns);
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequence));
    Session& text = sequence->text;
    const auto tokens = model->Encode(std::string_view(prompt, bytes), text.length() == 0,
                                      /*special=*/false);
    if (!tokens) return Fails(BITFETCH_FAILED, tokens.error().message);
    if (const Status room = text.CheckRoom(tokens->size()); !room) {
      return Fails(BITFETCH_CONTEXT_FULL, room.error().message);
    }
    const Generating generating(*sequence);
    Rollback rollback(text);
    const auto show = [&](std::string_view piece) {
      bool go_on = false;
      {
        const Pause pause(model->turns);
        go_on = on_text(piece.data(), piece.size(), user) != 0;
      }
      return go_on && !sequence->freed;
    };
    const std::atomic<bool> never = false;
    const auto generated =
        Generate(text, model->tokenizer, *sampler, *tokens, options, show, {}, never);
    if (!generated) return Fails(BITFETCH_FAILED, generated.error().message);
    // All that was made is part of the text so far.
    const Status room = text.CheckRoom(generated->tail.size());
    if (room) {
      BITFETCH_RETURN_IF_NOT_OK(Told(text.Append(generated->tail).map([](bool) {})));
    }
    rollback.Keep();
    if (!room) return Fails(BITFETCH_CONTEXT_FULL, room.error().message);
    if (generated->reason == StopReason::kInterrupted) {
      return Fails(BITFETCH_STOPPED, "the callback asked to stop");
    }
    return BITFETCH_OK;
  });
}

}  // extern "C"
