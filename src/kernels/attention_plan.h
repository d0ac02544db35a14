// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ATTENTION_PLAN_H_
#define BITFETCH_KERNELS_ATTENTION_PLAN_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "kv/tile.h"

namespace bitfetch {

// Some tokens of one sequence, its last ones: rows that attend to it, the i-th to the first
// `kv.length - rows + i + 1` tokens.
struct AttendSlice {
  KvView kv;
  int64_t rows = 1;
  const float* queries = nullptr;  // [rows][kv_heads * group * head_dim]
  float* out = nullptr;            // the same

  int64_t Visible(int64_t row) const { return kv.length - rows + row + 1; }
};

// Who reads what when some slices attend: which rows share a read, in which steps, and in which
// even shares threads do a step. A plan needs no queries, and no more of the block tables than what
// lies in front of the slices' own rows.
//
// Rows are numbered slice by slice, in an order that puts sequences which share blocks side by
// side.
class AttentionPlan {
 public:
  // Rows that read a stretch of tokens together: of one slice, or of several whose blocks are the
  // same there, and who all see all of it. Row i of them sees the first `visible + i` tokens.
  struct Read {
    int64_t first_row;
    int64_t rows;
    size_t slice;   // whose blocks
    int64_t begin;  // tokens: a multiple of kRangeTokens
    int64_t end;
    int64_t visible;
    // Each head is one piece of work, folded range by range, which leaves no partials. Where there
    // are many such pieces; the read is then all that its rows see.
    bool by_head;
  };
  // What a step does of a read: whole ranges, whose partials, [ranges][heads][rows * group]
  // [PartialFloats], begin at `partials` floats; or all of it, by head.
  struct Part {
    size_t read;
    int64_t begin;
    int64_t end;
    int64_t partials;
  };
  // What a share has of a part.
  struct Job {
    size_t part;
    int64_t begin;
    int64_t end;
    int first_head;
    int end_head;
  };
  // Begins a plan for slices of the same layout, `group` query heads to a KV head. A step fills no
  // more than `step_floats` with partials, or a range more. Costs a look at each range's blocks
  // where sequences share them, and some nanoseconds for each range.
  void Begin(std::span<const AttendSlice> slices, int group, int threads, int64_t step_floats);

  const std::vector<Read>& reads() const { return reads_; }
  // Which slice a row belongs to, and which of its rows it is.
  struct Row {
    size_t slice;
    int64_t index;
  };
  const std::vector<Row>& rows() const { return rows_; }

  // Goes on to the next step; false after the last. Each row meets its ranges in order.
  bool NextStep();
  const std::vector<Part>& parts() const { return parts_; }
  int64_t floats() const { return floats_; }  // of the step's partials
  // Rows among which are all that the step leaves partials of.
  struct Rows {
    int64_t begin;
    int64_t end;
  };
  Rows step_rows() const;
  // Several to a thread, to take one by one, since no two cores are always as fast; but fewer, or
  // one, where rows that share no read see so little that each thread had better read on and on.
  int shares() const { return shares_; }
  std::span<const Job> Jobs(int share) const {
    return std::span(jobs_).subspan(starts_[share], starts_[share + 1] - starts_[share]);
  }

  // What one head of tokens [begin, end), whole ranges, costs: in bytes read, and arithmetic as the
  // bytes that would take as long.
  double Cost(const Read& read, int64_t begin, int64_t end) const;

 private:
  void Sort();
  void AddReads(size_t first, size_t last, int64_t first_range);
  void AddRead(size_t first, size_t last, int64_t begin, int64_t end);
  void ChooseByHead();
  int64_t RangeFloats(const Read& read) const;
  void Share();
  void AddJob(const Job& job);

  std::span<const AttendSlice> slices_;
  KvLayout layout_;
  int group_ = 1;
  int threads_ = 1;
  int64_t step_floats_ = 0;
  std::vector<size_t> order_;       // [slices]
  std::vector<int64_t> common_;     // [slices] leading ranges shared with the one before in order
  std::vector<int64_t> first_row_;  // [slices + 1] in order
  std::vector<Row> rows_;
  std::vector<Read> reads_;
  size_t next_read_ = 0;    // where the next step begins
  int64_t next_begin_ = 0;  // in that read
  std::vector<Part> parts_;
  int64_t floats_ = 0;
  std::vector<Job> jobs_;
  int shares_ = 1;
  std::vector<size_t> starts_;  // [shares + 1] into jobs_
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_PLAN_H_
