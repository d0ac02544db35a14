// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <string_view>

#include "model/dequantize.h"
#include "model/ternary_groups.h"

namespace bitfetch {

struct TernaryJob {
  const GgufTensor* tensor;
  TernaryMatrix* out;
  float scale;  // times that of the tensor itself
};

namespace {

// Finds tensors of the shape that the configuration asks for.
class TensorFinder {
 public:
  explicit TensorFinder(const GgufReader& file) : file_(file) {}

  Result<const GgufTensor*> Find(std::string_view name, int64_t cols, int64_t rows) {
    BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* tensor, file_.GetTensor(name));
    found_.insert(tensor);
    if (tensor->cols() != cols || tensor->rows() != rows || tensor->shape[1] != rows) {
      return Fail("{}: tensor {} is {} x {}: expected {} x {}", file_.path(), name, tensor->cols(),
                  tensor->rows(), cols, rows);
    }
    return tensor;
  }

  // A vector of any float type.
  Status ReadVector(std::string_view name, int64_t size, std::vector<float>* out) {
    BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* tensor, FindFloats(name, size, 1));
    out->resize(size);
    DequantizeRow(tensor->type, tensor->data.data(), size, out->data());
    for (int64_t i = 0; i < size; ++i) {
      if (!std::isfinite((*out)[i])) {
        return Fail("{}: tensor {} is damaged: element {} is not finite", file_.path(), name, i);
      }
    }
    return {};
  }

  Result<const GgufTensor*> FindFloats(std::string_view name, int64_t cols, int64_t rows) {
    BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* tensor, Find(name, cols, rows));
    if (!IsDequantizable(tensor->type)) {
      return Fail("{}: tensor {} is {}: expected F32, F16 or another type of floats", file_.path(),
                  name, TensorTypeName(tensor->type));
    }
    return tensor;
  }

  Result<const GgufTensor*> FindTernary(std::string_view name, int64_t cols, int64_t rows) {
    BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* tensor, Find(name, cols, rows));
    if (!IsTernary(tensor->type) && !IsTernaryByGroup(tensor->type)) {
      return Fail("{}: tensor {} is {}: expected a ternary type (I2_S, TQ1_0, TQ2_0 or Q2_0)",
                  file_.path(), name, TensorTypeName(tensor->type));
    }
    return tensor;
  }

  // A tensor that nobody asked for would change what the model computes, were it known what to do
  // with it.
  Status CheckAllWereFound() const {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (!found_.contains(&tensor)) {
        return Fail("{}: tensor {} is not part of a model of this architecture", file_.path(),
                    tensor.name);
      }
    }
    return {};
  }

 private:
  const GgufReader& file_;
  std::set<const GgufTensor*> found_;
};

Status Read(const TernaryJob& job, const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(*job.out, ReadTernary(*job.tensor, path));
  job.out->scale *= job.scale;
  if (std::isfinite(job.out->scale) && job.out->scale >= 0) return {};
  return Fail("{}: tensor {} is damaged: its scale is {}", path, job.tensor->name, job.out->scale);
}

// Checking codes reads every byte of the weights: worth all threads, and a progress line.
Status ReadTernaryTensors(const std::vector<TernaryJob>& jobs, const std::string& path,
                          ThreadPool& pool, const Progress& progress) {
  const auto count = static_cast<int64_t>(jobs.size());
  std::vector<Status> statuses(jobs.size());
  std::atomic<int64_t> done = 0;
  std::atomic<bool> failed = false;
  pool.ParallelFor(count, [&](int64_t i, int thread) {
    if (failed) return;
    statuses[i] = Read(jobs[i], path);
    if (!statuses[i]) failed = true;
    const int64_t now_done = ++done;
    if (progress && thread == 0) progress(now_done, count);
  });
  for (Status& status : statuses) BITFETCH_RETURN_IF_ERROR(std::move(status));
  return {};
}

}  // namespace

struct Model::ToRead {
  std::vector<TernaryJob> ternary;
  std::vector<GroupsToRead> groups;
};

Result<Model> Model::Load(const std::string& path, bool mmap, ThreadPool& pool,
                          const Progress& progress) {
  BITFETCH_ASSIGN_OR_RETURN(GgufReader file, GgufReader::OpenAny(path, mmap, progress));
  BITFETCH_RETURN_IF_ERROR(CheckKind(file));
  BITFETCH_ASSIGN_OR_RETURN(const ModelConfig config, ReadModelConfig(file));
  Model model(std::move(file), config);
  ToRead to_read;
  BITFETCH_RETURN_IF_ERROR(model.FindWeights(to_read));
  if (!to_read.groups.empty()) {
    BITFETCH_ASSIGN_OR_RETURN(model.groups_,
                              ReadTernaryGroups(model.file_, to_read.groups, pool, progress));
  }
  BITFETCH_RETURN_IF_ERROR(ReadTernaryTensors(to_read.ternary, path, pool, progress));
  return model;
}

Status Model::Check(GgufReader file) {
  BITFETCH_RETURN_IF_ERROR(CheckKind(file));
  BITFETCH_ASSIGN_OR_RETURN(const ModelConfig config, ReadModelConfig(file));
  Model model(std::move(file), config);
  ToRead unread;
  BITFETCH_RETURN_IF_ERROR(model.FindWeights(unread));
  if (unread.ternary.empty()) return {};
  return Read(unread.ternary.front(), model.file().path());
}

// All but ternary weights, which are to be read.
Status Model::FindWeights(ToRead& to_read) {
  TensorFinder finder(file_);
  const int64_t hidden = config_.hidden;
  BITFETCH_ASSIGN_OR_RETURN(embedding_,
                            finder.FindFloats("token_embd.weight", hidden, config_.vocab));
  output_ = embedding_;
  if (file_.FindTensor("output.weight") != nullptr) {
    BITFETCH_ASSIGN_OR_RETURN(output_, finder.FindFloats("output.weight", hidden, config_.vocab));
  }
  BITFETCH_RETURN_IF_ERROR(finder.ReadVector("output_norm.weight", hidden, &output_norm_));
  std::vector<float> rope_factors;
  if (file_.FindTensor("rope_freqs.weight") != nullptr) {
    BITFETCH_RETURN_IF_ERROR(
        finder.ReadVector("rope_freqs.weight", config_.head_dim / 2, &rope_factors));
    if (std::any_of(rope_factors.begin(), rope_factors.end(),
                    [](float factor) { return factor < 1e-3f || factor > 1e6f; })) {
      return Fail("{}: tensor rope_freqs.weight has a factor outside 0.001 to 1000000",
                  file_.path());
    }
  }
  ropes_.emplace_back(config_.architecture->rope_form, config_.rope_theta, config_.head_dim,
                      rope_factors, config_.yarn);
  if (config_.window_period != 0) {
    ropes_.emplace_back(config_.architecture->rope_form, config_.window_rope_theta,
                        config_.head_dim, std::span<const float>());
  }

  layers_.resize(config_.layers);
  if (IsTernaryByGroup(output_->type)) to_read.groups.push_back({output_, &output_groups_});
  for (int64_t i = 0; i < config_.layers; ++i) {
    layers_[i].activation = config_.architecture->activation;
    if (config_.window_period != 0 && (i + 1) % config_.window_period != 0) layers_[i].rope = 1;
    for (const LayerTensor& wanted : LayerTensors(config_, layers_[i])) {
      const std::string stem = fmt::format("blk.{}.{}", i, wanted.name);
      const std::string name = stem + ".weight";
      if (wanted.norm != nullptr) {
        BITFETCH_RETURN_IF_ERROR(finder.ReadVector(name, wanted.cols, wanted.norm));
      } else {
        BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* tensor,
                                  finder.FindTernary(name, wanted.cols, wanted.rows));
        if (IsTernaryByGroup(tensor->type)) {
          to_read.groups.push_back({tensor, &wanted.matrix->emplace<TernaryGroups>()});
          continue;
        }
        std::vector<float> scale = {1};
        if (file_.FindTensor(stem + ".scale") != nullptr) {
          BITFETCH_RETURN_IF_ERROR(finder.ReadVector(stem + ".scale", 1, &scale));
        }
        to_read.ternary.push_back({tensor, &std::get<TernaryMatrix>(*wanted.matrix), scale[0]});
      }
    }
  }
  return finder.CheckAllWereFound();
}

}  // namespace bitfetch
