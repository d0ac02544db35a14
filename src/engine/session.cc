// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <algorithm>
#include <future>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "engine/attention_probe.h"
#include "machine/probe.h"
#include "machine/profile_store.h"
#include "machine/topology.h"
#include "model/model_config_effects.h"

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
                                  AttentionProbe(kernels, ProbeEffort::kQuick, {KvTypes{}, types}));
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

// In tokens, whole blocks.
int64_t HalfOfFreeMemory(const KvConfig& config) {
  const double blocks = static_cast<double>(AvailableMemory()) / 2 / BlockBytes(config);
  return std::max<int64_t>(static_cast<int64_t>(blocks), 1) * kTileTokens;
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

}  // namespace

Result<std::unique_ptr<Session>> Session::Open(const std::string& path,
                                               const SessionOptions& options,
                                               const Progress& progress) {
  const Topology topology = ReadTopology();
  std::unique_ptr<Session> session(new Session());
  BITFETCH_ASSIGN_OR_RETURN(session->kernels_, ChooseKernels());
  BITFETCH_ASSIGN_OR_RETURN(
      session->pool_,
      ThreadPool::Create(options.threads == 0 ? topology.threads : options.threads));
  ProfileInBackground profile(topology, options.prefetch, *session->kernels_, options.kv_types);
  BITFETCH_ASSIGN_OR_RETURN(Model model,
                            Model::Load(path, options.mmap, *session->pool_, progress));
  session->model_ = std::make_unique<const Model>(std::move(model));

  session->machine_ = profile.Get();

  const ModelConfig& config = session->model_->config();
  KvConfig kv{.layers = static_cast<int>(config.layers),
              .kv_heads = static_cast<int>(config.kv_heads),
              .head_dim = static_cast<int>(config.head_dim),
              .types = options.kv_types,
              .pages = options.pages,
              .placement = options.placement,
              .l2_budget_bytes = PrefetchBudget(session->machine_.l2_bytes)};
  kv.limit = options.context != 0
                 ? options.context
                 : std::min({config.context, options.max_default_context, HalfOfFreeMemory(kv)});
  session->context_ = kv.limit;
  BITFETCH_RETURN_IF_ERROR(CheckContext(session->model_->file(), kv.limit));
  BITFETCH_RETURN_IF_ERROR(CheckMemory(path, kv));
  auto cache = KvCache::Create(kv);
  if (!cache) {
    return Fail("{}: no KV cache for a context of {} tokens: {}", path, session->context_,
                cache.error().message);
  }
  session->cache_ = std::make_unique<KvCache>(*std::move(cache));

  session->access_ =
      AttentionAccess(session->kernels_->isa, {kv.kv_heads, kv.head_dim, kv.types},
                      session->cache_->layer_placement(), options.pages,
                      static_cast<int>(config.heads / config.kv_heads), session->threads());
  session->forward_ = std::make_unique<ForwardPass>(*session->model_, *session->kernels_,
                                                    *session->pool_, ForwardPrefetch{});
  session->SetPrefetch(options.prefetch, options.prefetch_ahead);
  session->forward_->MoveWeights(options.move_from_bytes);
  BITFETCH_RETURN_IF_ERROR(session->ScreenHead(options, progress));
  return session;
}

// The int8 copy of the output head, where it is worth having.
Status Session::ScreenHead(const SessionOptions& options, const Progress& progress) {
  const GgufTensor& output = model_->output();
  const auto bytes = static_cast<int64_t>(output.data.size());
  if (!DenseRowsOf(output) || bytes < options.screen_from_bytes) return {};
  auto screen = HeadScreen::Build(output, *kernels_, *pool_, progress);
  if (!screen) return Fail("{}: {}", model_->file().path(), screen.error().message);
  forward_->head().SetScreen(std::make_shared<const HeadScreen>(*std::move(screen)));
  return {};
}

void Session::SetPrefetch(const PrefetchSetting& in_kernel, bool ahead) {
  // Where the law prefetches nothing inside attention, lines that come early gain nothing either.
  forward_->SetPrefetch({.in_kernel = ResolvePrefetch(in_kernel, machine_, access_),
                         .ahead = ahead && ChoosePrefetch(machine_, access_).on});
}

double Session::ReadBytesPerSecond() const {
  return bitfetch::ReadBytesPerSecond(machine_, threads());
}

Status Session::CheckRoom(size_t count) const {
  if (length() + static_cast<int64_t>(count) <= context_) return {};
  return Fail("{}: the context of {} tokens is full: {} more do not fit behind {}",
              model_->file().path(), context_, count, length());
}

Result<bool> Session::Append(std::span<const int> tokens, const Progress& progress,
                             const std::atomic<bool>* interrupted) {
  BITFETCH_RETURN_IF_ERROR(CheckRoom(tokens.size()));
  Rollback rollback(*this);
  for (size_t done = 0; done < tokens.size();) {
    if (interrupted != nullptr && *interrupted) return false;
    const auto batch =
        tokens.subspan(done, std::min<size_t>(ForwardPass::kMaxBatch, tokens.size() - done));
    done += batch.size();
    has_logits_ = false;
    BITFETCH_RETURN_IF_ERROR(forward_->Run(batch, *cache_, 0, nullptr));
    tokens_.insert(tokens_.end(), batch.begin(), batch.end());
    has_logits_ = true;
    if (progress) progress(static_cast<int64_t>(done), static_cast<int64_t>(tokens.size()));
  }
  rollback.Keep();
  return true;
}

Status Session::AppendBatch(std::span<const int> tokens, float* logits) {
  BITFETCH_RETURN_IF_ERROR(CheckRoom(tokens.size()));
  Rollback rollback(*this);
  has_logits_ = false;
  BITFETCH_RETURN_IF_ERROR(
      forward_->Run(tokens, *cache_, static_cast<int64_t>(tokens.size()), logits));
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  has_logits_ = true;
  rollback.Keep();
  return {};
}

Result<std::span<const Logit>> Session::Logits(const LogitsWanted& wanted) {
  if (!has_logits_) return Fail("no token was appended that the next could follow");
  BITFETCH_RETURN_IF_ERROR(forward_->Logits(wanted, &logits_));
  return logits_;
}

void Session::Truncate(int64_t length) {
  if (length < this->length()) has_logits_ = false;
  cache_->Truncate(length);
  tokens_.resize(std::clamp<int64_t>(length, 0, this->length()));
}

}  // namespace bitfetch
