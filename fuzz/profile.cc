// SPDX-License-Identifier: Apache-2.0
// The file in which a machine profile is kept: what is read of it is sane enough for the law and
// for what watches it, and written again it is the same.
#include "fuzz/check.h"
#include "machine/profile_json.h"
#include "prefetch/law.h"
#include "prefetch/plan_watch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitfetch;  // NOLINT(google-build-using-namespace)
  const auto read = ProfileFromJson({reinterpret_cast<const char*>(data), size}, "1");
  if (!read) FUZZ_CHECK(!read.error().message.empty());
  if (!read || !*read) return 0;
  const std::string text = ProfileToJson(**read, "1");
  const auto again = ProfileFromJson(text, "1");
  FUZZ_CHECK(again && *again && ProfileToJson(**again, "1") == text);
  for (const int threads : {1, 64}) {
    for (const bool paged : {false, true}) {
      const PrefetchAccess access{.kernel = (*read)->kernels.front().name,
                                  .paged = paged,
                                  .threads = threads,
                                  .working_set_bytes = 1 << 12,
                                  .max_streams = 16};
      const PrefetchPlan plan = ChoosePrefetch(**read, access);
      FUZZ_CHECK(plan.streams >= 1 && plan.streams <= 16 && plan.distance_bytes >= 0);
      FUZZ_CHECK(plan.on == (plan.distance_bytes > 0));
      PlanWatch watch(**read, access);
      for (int i = 0; i < 20 * PlanWatch::kMaxRest; ++i) watch.Add(watch.plan() == plan ? 2 : 1);
      if (!watch.found_better()) continue;
      MachineProfile mended = **read;
      watch.Mend(mended);
      FUZZ_CHECK(CheckProfile(mended) && ChoosePrefetch(mended, access) != plan);
    }
  }
  return 0;
}
