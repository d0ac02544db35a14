// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_MODEL_H_
#define BITFETCH_MODEL_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "model/gguf_reader.h"
#include "model/layer_plan.h"
#include "model/model_config.h"
#include "model/rope_table.h"

namespace bitfetch {

// A model as read from a file: immutable, to be shared by any number of sessions and threads.
// Ternary weights in I2_S and the embedding stay where they lie in the mapped file.
class Model {
 public:
  // Reads and checks every weight, in parallel on the pool. Errors name the file and the tensor or
  // key: missing, duplicate or mis-shaped tensors, wrong codes or scales, shapes and architectures
  // that are not supported, no memory.
  static Result<Model> Load(const std::string& path, bool mmap, ThreadPool& pool,
                            const Progress& progress);

  // Whether Load() would take the file, which may be any that is sound. Costs next to nothing: of
  // ternary weights one matrix is read, which tells whether matrices have one scale, as TriLM's do
  // not.
  static Status Check(GgufReader file);

  const GgufReader& file() const { return file_; }
  const ModelConfig& config() const { return config_; }
  const std::vector<LayerPlan>& layers() const { return layers_; }
  const std::vector<RopeTable>& ropes() const { return ropes_; }
  const std::vector<float>& output_norm() const { return output_norm_; }  // [hidden]
  const GgufTensor& embedding() const { return *embedding_; }             // [vocab][hidden]
  const GgufTensor& output() const { return *output_; }  // [vocab][hidden]; may be the embedding
  // The same as kernels read it, if it is ternary by group; otherwise null.
  const TernaryGroups* output_groups() const {
    return output_groups_.strips == nullptr ? nullptr : &output_groups_;
  }

 private:
  Model(GgufReader file, const ModelConfig& config) : file_(std::move(file)), config_(config) {}
  struct ToRead;  // ternary weights, and their places in this model
  Status FindWeights(ToRead& to_read);

  GgufReader file_;
  ModelConfig config_;
  std::vector<LayerPlan> layers_;
  std::vector<RopeTable> ropes_;
  std::vector<float> output_norm_;
  const GgufTensor* embedding_ = nullptr;
  const GgufTensor* output_ = nullptr;
  TernaryGroups output_groups_;
  PageBuffer groups_;  // of all matrices that are ternary by group
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_MODEL_H_
