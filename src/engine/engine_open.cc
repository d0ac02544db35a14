// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <future>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "engine/engine.h"
#include "engine/engine_probe.h"
#include "engine/mend_profile.h"
#include "kernels/attention.h"
#include "machine/probe.h"
#include "machine/profile_store.h"
#include "machine/topology.h"
#include "model/model_config_effects.h"
#include "model/model_digest.h"

namespace bitfetch {
namespace {

// What the prefetch law goes by, measured if need be while the model loads.
class ProfileInBackground {
 public:
  ProfileInBackground(const Topology& topology, const PrefetchSetting& setting,
                      const Kernels& kernels, KvTypes types)
      : fallback_(DefaultProfile(topology)) {
    if (setting.mode == PrefetchSetting::Mode::kOff) {  // not worth a measurement
      LoadedProfile kept = LoadProfile(ProfilePath(), topology, BITFETCH_VERSION);
      if (kept.profile) fallback_ = *std::move(kept.profile);
      return;
    }
    const auto probe = [topology, &kernels, types] {
      return ReadOrMeasureProfile(topology, ProbeEffort::kQuick, BITFETCH_VERSION,
                                  EngineProbe(kernels, ProbeEffort::kQuick, {KvTypes{}, types}));
    };
    try {
      probed_ = std::async(std::launch::async, probe);
    } catch (const std::system_error&) {
      Warn(
          "the system refuses a thread for measuring the memory: prefetching by cautious "
          "assumptions");
    }
  }

  MachineProfile Get() {
    if (!probed_.valid()) return fallback_;
    ProbedProfile probed = probed_.get();
    if (!probed.warning.empty()) Warn("{}", probed.warning);
    return std::move(probed.profile);
  }

 private:
  MachineProfile fallback_;
  std::future<ProbedProfile> probed_;
};

double BlockBytes(const KvConfig& config) {
  const KvLayout layout{config.kv_heads, config.head_dim, config.types};
  return static_cast<double>(layout.block_bytes()) * config.layers;
}

// How many tokens so much memory holds, in whole blocks.
int64_t TokensIn(double bytes, const KvConfig& config) {
  return std::max<int64_t>(static_cast<int64_t>(bytes / BlockBytes(config)), 1) * kTileTokens;
}

int64_t HalfOfFreeMemory(const KvConfig& config) {
  return TokensIn(static_cast<double>(AvailableMemory()) / 2, config);
}

Status CheckMemory(const std::string& path, const KvConfig& config) {
  const int64_t context = config.limit;
  const double needed = BlockBytes(config) / kTileTokens * static_cast<double>(context);
  const auto available = static_cast<double>(AvailableMemory());
  if (needed <= available) return {};
  return Fail(
      "{}: a context of {} tokens needs {:.1f} GB of KV cache, and {:.1f} GB of memory are free: "
      "choose a smaller --ctx or --kv-type",
      path, context, needed * 1e-9, available * 1e-9);
}

// How long a block of a prompt takes to compute, before a pass says so: as three reads of the
// model, on the machines that we know, but at least what any store may take to answer.
double GuessBlockSeconds(const Engine& engine) {
  constexpr double kReads = 3;
  constexpr double kMinSeconds = 0.05;
  const auto bytes = static_cast<double>(engine.model().file().file_bytes());
  return std::max(kReads * bytes / engine.ReadBytesPerSecond(), kMinSeconds);
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Open(const std::string& path, const EngineOptions& options,
                                             const Progress& progress) {
  const Topology topology = ReadTopology();
  std::unique_ptr<Engine> engine(new Engine());
  BITFETCH_ASSIGN_OR_RETURN(engine->kernels_, ChooseKernels());
  BITFETCH_ASSIGN_OR_RETURN(
      engine->threads_,
      ThreadPool::Create(options.threads == 0 ? topology.threads : options.threads));
  ProfileInBackground profile(topology, options.prefetch, *engine->kernels_, options.kv_types);
  BITFETCH_ASSIGN_OR_RETURN(Model model,
                            Model::Load(path, options.mmap, *engine->threads_, progress));
  engine->model_ = std::make_unique<const Model>(std::move(model));
  engine->digest_ = ModelDigest(engine->model_->file());
  engine->machine_ = profile.Get();

  const ModelConfig& config = engine->model_->config();
  KvConfig kv{.layers = static_cast<int>(config.layers),
              .kv_heads = static_cast<int>(config.kv_heads),
              .head_dim = static_cast<int>(config.head_dim),
              .types = options.kv_types,
              .pages = options.pages,
              .placement = options.placement,
              .l2_budget_bytes = PrefetchBudget(engine->machine_.l2_bytes)};
  engine->context_ =
      options.context != 0
          ? options.context
          : std::min({config.context, options.max_default_context, HalfOfFreeMemory(kv)});
  if (options.kv_bytes > 0) {
    kv.limit = TokensIn(options.kv_bytes, kv);
    if (options.context == 0) engine->context_ = std::min(engine->context_, kv.limit);
  } else if (options.kv_tokens == EngineOptions::kHalfOfFreeMemory) {
    kv.limit = std::max(engine->context_, HalfOfFreeMemory(kv));
  } else {
    kv.limit = std::max(engine->context_, options.kv_tokens);
  }
  BITFETCH_RETURN_IF_ERROR(CheckContext(engine->model_->file(), engine->context_));
  if (engine->context_ > kv.limit) {
    return Fail(
        "{}: a context of {} tokens needs more KV cache than the {:.2f} GB that all may have", path,
        engine->context_, options.kv_bytes * 1e-9);
  }
  BITFETCH_RETURN_IF_ERROR(CheckMemory(path, kv));
  auto blocks = BlockPool::Create(kv);
  if (!blocks) {
    return Fail("{}: no KV cache for {} tokens: {}", path, kv.limit, blocks.error().message);
  }
  engine->blocks_ = *std::move(blocks);
  engine->share_prefixes_ = options.share_prefixes;
  BITFETCH_ASSIGN_OR_RETURN(std::unique_ptr<BlockStore> store,
                            OpenStore(options.store, engine->blocks_->stride_bytes()));
  if (store) {
    BITFETCH_ASSIGN_OR_RETURN(engine->tier_,
                              KvTier::Open(std::move(store), engine->digest_, engine->blocks_));
    engine->tier_->SetBlockSeconds(GuessBlockSeconds(*engine));
  }

  engine->access_ = AttentionAccess(
      engine->kernels_->isa, engine->blocks_->layout(), engine->blocks_->layer_placement(),
      options.pages, static_cast<int>(config.heads / config.kv_heads), engine->threads());
  engine->forward_ = std::make_unique<ForwardPass>(*engine->model_, *engine->kernels_,
                                                   *engine->threads_, ForwardPrefetch{});
  engine->SetPrefetch(options.prefetch, options.prefetch_ahead);
  engine->forward_->MoveWeights(options.move_from_bytes, options.packing);
  engine->head_ = std::make_unique<OutputHead>(engine->model_->output(), *engine->kernels_,
                                               *engine->threads_, engine->model_->output_groups(),
                                               engine->forward_->prefetch().weights.groups);
  BITFETCH_RETURN_IF_ERROR(engine->ScreenHead(options, progress));
  return engine;
}

Result<Sequence> Engine::NewSequence(std::string_view salt) {
  BITFETCH_ASSIGN_OR_RETURN(KvCache cache, KvCache::Open(blocks_, context_));
  return Sequence(std::move(cache), context_, RootKey(digest_, blocks_->layout().types, salt));
}

// The screen of the output head, where it is worth having.
Status Engine::ScreenHead(const EngineOptions& options, const Progress& progress) {
  const GgufTensor& output = model_->output();
  const auto bytes = static_cast<int64_t>(output.data.size());
  if (!DenseRowsOf(output) || bytes < options.screen_from_bytes) return {};
  auto screen = HeadScreen::Build(output, *kernels_, *threads_, progress);
  if (!screen) return Fail("{}: {}", model_->file().path(), screen.error().message);
  screen->SetPrefetch(forward_->prefetch().weights.screen);
  head_->SetScreen(std::make_shared<const HeadScreen>(*std::move(screen)));
  return {};
}

void Engine::SetPrefetch(const PrefetchSetting& in_kernel, bool ahead) {
  prefetch_ahead_ = ahead;
  watch_.reset();
  if (in_kernel.mode == PrefetchSetting::Mode::kAuto) watch_.emplace(machine_, access_);
  // Where the law prefetches nothing inside attention, lines that come early gain nothing either.
  forward_->SetPrefetch({.in_kernel = ResolvePrefetch(in_kernel, machine_, access_),
                         .ahead = ahead && ChoosePrefetch(machine_, access_).on,
                         .watch = watch_ ? &*watch_ : nullptr,
                         .weights = ChooseWeightsPlans(machine_, kernels_->isa, threads())});
}

// Takes note of a plan that proved wrong in the last run.
void Engine::HeedWatch() {
  if (!watch_ || !watch_->found_better()) return;
  watch_->Mend(machine_);
  MendKeptProfile(*watch_, access_.kernel);
  SetPrefetch(PrefetchSetting{}, prefetch_ahead_);
}

}  // namespace bitfetch
