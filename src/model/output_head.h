// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_OUTPUT_HEAD_H_
#define BITFETCH_MODEL_OUTPUT_HEAD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/logits.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/gguf_reader.h"
#include "model/head_screen.h"

namespace bitfetch {

// The last product of a forward pass: logits = output [vocab][hidden] times x. A logit has the same
// bits, however it was asked for. The tensor, kernels and pool must outlive it.
class OutputHead {
 public:
  OutputHead(const GgufTensor& output, const Kernels& kernels, ThreadPool& pool);

  // From now on Wanted() screens with this copy of the same tensor.
  void SetScreen(std::shared_ptr<const HeadScreen> screen) { screen_ = std::move(screen); }

  // All logits: x [tokens][hidden], logits [tokens][vocab]. Reads the whole head once.
  void All(const float* x, int64_t tokens, float* logits);

  // The wanted logits of one token, by id, and perhaps some that nobody asked for. With a screen
  // reads that, and of the head only the rows that may be wanted.
  void Wanted(const float* x, const LogitsWanted& wanted, std::vector<Logit>* logits);

  // How many rows of the head the last Wanted() computed.
  int64_t rows_computed() const { return rows_computed_; }
  // What the last All() or Wanted() read.
  int64_t bytes_read() const { return bytes_read_; }

 private:
  bool Screen(const float* x, const LogitsWanted& wanted);
  void ComputeCandidates(const float* x, std::vector<Logit>* logits);

  const GgufTensor& output_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  std::shared_ptr<const HeadScreen> screen_;
  int64_t rows_computed_ = 0;
  int64_t bytes_read_ = 0;

  std::vector<std::vector<float>> dequantized_;  // [threads] rows of a quantised head
  std::vector<float> all_;                       // [vocab]
  HeadScreen::Input input_;
  std::vector<double> upper_;                 // [vocab]
  std::vector<std::vector<double>> largest_;  // [threads] the largest lower bounds, as heaps
  std::vector<int> candidates_;
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_OUTPUT_HEAD_H_
