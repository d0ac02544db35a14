# SPDX-License-Identifier: Apache-2.0
# Tests that the optimised program still holds the prefetch instructions that its sources ask for: in the attention of
# each ISA and in KvCache::Prefetch.
if(BITFETCH_TESTS AND CMAKE_BUILD_TYPE STREQUAL "Release")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(isas scalar N_AVX2 N_AVX3)
  else()
    set(isas scalar N_NEON)
  endif()
  set(check ${PROJECT_SOURCE_DIR}/tools/check_prefetch.sh $<TARGET_FILE:bitfetch> ${CMAKE_OBJDUMP}
            ${CMAKE_SYSTEM_PROCESSOR})
  list(TRANSFORM isas REPLACE "(.+)" "bitfetch::\\1::.*AttendRange" OUTPUT_VARIABLE kernels)
  add_test(NAME prefetch.instructions COMMAND ${check} ${kernels} "bitfetch::KvCache::Prefetch\\(")

  # The check itself can tell: a function without any is found out, and so is a name that nothing has.
  add_test(NAME prefetch.instructions_missing COMMAND ${check} "main$")
  set_tests_properties(prefetch.instructions_missing PROPERTIES PASS_REGULAR_EXPRESSION "no prefetch in any")
  add_test(NAME prefetch.instructions_no_function COMMAND ${check} "bitfetch::NoSuchFunction")
  set_tests_properties(prefetch.instructions_no_function PROPERTIES PASS_REGULAR_EXPRESSION "no such function")
endif()
