# SPDX-License-Identifier: Apache-2.0
# What depends on the CPU, on other cores than qemu's best, `max`, which all the other tests run on.

# bitfetch_core(CORE ISA): the tests cores.CORE.*, on qemu's core of this name, which is to be given the kernels of ISA.
function(bitfetch_core core isa)
  add_test(NAME cores.${core}.isa COMMAND bitfetch info --machine)
  set_tests_properties(cores.${core}.isa PROPERTIES PASS_REGULAR_EXPRESSION "chosen: ${isa}\n")
  # One model has the kernels that four have.
  add_test(NAME cores.${core}.golden COMMAND engine_test --gtest_filter=*Golden*/bitnet_64x2)
  # Less what tries many inputs rather than many instructions.
  add_test(NAME cores.${core}.kernels
           COMMAND kernels_test --gtest_filter=-AttentionAccuracy.*:AttentionPlan.*:AttentionSlices.*:Attention.*EveryNumber*:Attention.*AnyThreads*)
  add_test(NAME cores.${core}.kv COMMAND kv_test --gtest_filter=Store.*:Quantize.*:KvCache.*ReadsBack)
  add_test(NAME cores.${core}.machine COMMAND machine_test --gtest_filter=Isa.*:ChooseIsa.*)
  add_test(NAME cores.${core}.model COMMAND model_test --gtest_filter=*EveryIsa)
  foreach(test isa golden kernels kv machine model)
    set_tests_properties(cores.${core}.${test} PROPERTIES ENVIRONMENT QEMU_CPU=${core} LABELS cores TIMEOUT 900)
  endforeach()
endfunction()

bitfetch_core(cortex-a53 neon)          # ARMv8.0
bitfetch_core(a64fx neon)               # SVE, but no dot products
bitfetch_core(cortex-a76 neon-dotprod)  # no i8mm
bitfetch_core(max,sve=off neon-i8mm)
bitfetch_core(max,sve512=on neon-i8mm)
