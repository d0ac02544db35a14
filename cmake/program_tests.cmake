# SPDX-License-Identifier: Apache-2.0
# Tests of the whole program, and of the Python tools that some of them stand on (Debian's Python, which has NumPy).
if(NOT BITFETCH_TESTS)
  return()
endif()

# The tests of the command line run the programs as a user does.
list(JOIN CMAKE_CROSSCOMPILING_EMULATOR "|" emulator)
foreach(test cli_test cli_bench_test cli_convert_test cli_serve_test)
  add_dependencies(${test} ${programs})
  target_compile_definitions(${test} PRIVATE BITFETCH_PROGRAM="$<TARGET_FILE:bitfetch>" BITFETCH_EMULATOR="${emulator}")
endforeach()
if(NOT CMAKE_CROSSCOMPILING)
  foreach(command bench convert serve)
    add_test(NAME program.${command}_is_reached COMMAND bitfetch ${command} --help)
    set_tests_properties(program.${command}_is_reached PROPERTIES PASS_REGULAR_EXPRESSION "usage: bitfetch ${command}")
  endforeach()
endif()

set(python ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3)
add_test(NAME tools.python COMMAND ${python} ${PROJECT_SOURCE_DIR}/tools/tools_test.py)
add_test(NAME tools.scripts COMMAND ${PROJECT_SOURCE_DIR}/tools/scripts_test.sh)
# Other CPUs give the same bits, as the golden file shows.
if(NOT CMAKE_CROSSCOMPILING)
  add_test(NAME program.logits_agree_with_the_reference
           COMMAND ${python} ${PROJECT_SOURCE_DIR}/tools/logits_test.py $<TARGET_FILE:bitfetch>)
endif()

# The Python module, with the library of this build. One with a sanitizer does not load into Debian's Python.
if(NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  add_test(NAME python.module COMMAND ${python} -W error -m unittest discover -s tests -t .
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/python)
  set_tests_properties(python.module PROPERTIES TIMEOUT 900 ENVIRONMENT BITFETCH_LIBRARY=$<TARGET_FILE:libbitfetch>)
  add_test(NAME python.installs_with_pip COMMAND ${PROJECT_SOURCE_DIR}/tools/pip_test.sh $<TARGET_FILE:libbitfetch>)
endif()

# The optimised program still holds the prefetch instructions that its sources ask for: in the attention of each ISA, in
# KvCache::Prefetch and in the products before attention.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(isas N_AVX2 N_AVX3)
  else()
    set(isas N_NEON)
  endif()
  set(check ${PROJECT_SOURCE_DIR}/tools/check_prefetch.sh $<TARGET_FILE:bitfetch> ${CMAKE_OBJDUMP}
            ${CMAKE_SYSTEM_PROCESSOR})
  list(TRANSFORM isas REPLACE "(.+)" "bitfetch::\\1::([a-z0-9]+::)?(Score|Sum)[A-Za-z]+<[0-9]+, bitfetch::\\1::QuietLines" OUTPUT_VARIABLE kernels)
  add_test(NAME program.has_prefetch_instructions
           COMMAND ${check} ${kernels} "bitfetch::scalar::Attend\\(" "bitfetch::KvCache::Prefetch\\("
                   "FunctionRef<void \\(int\\)>::FunctionRef<bitfetch::ForwardPass::RunAttention\\(")

  # The check itself can tell: a kernel that has nothing to prefetch is found out, and so is a name that nothing has.
  add_test(NAME program.a_missing_prefetch_is_found COMMAND ${check} "bitfetch::N_[A-Z0-9]+::Fold\\(")
  set_tests_properties(program.a_missing_prefetch_is_found PROPERTIES PASS_REGULAR_EXPRESSION "no prefetch in")
  add_test(NAME program.a_missing_function_is_found COMMAND ${check} "bitfetch::NoSuchFunction")
  set_tests_properties(program.a_missing_function_is_found PROPERTIES PASS_REGULAR_EXPRESSION "no such function")
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME program.documented_commands_run
           COMMAND ${python} ${PROJECT_SOURCE_DIR}/tools/docs_test.py $<TARGET_FILE:bitfetch>)
  add_test(NAME program.page_in_chromium COMMAND ${PROJECT_SOURCE_DIR}/tools/page_test.sh $<TARGET_FILE:bitfetch-serve>)
  add_test(NAME program.serves_real_clients COMMAND ${PROJECT_SOURCE_DIR}/tools/clients_test.sh $<TARGET_FILE:bitfetch>)
  foreach(proxy nginx haproxy)
    add_test(NAME program.several_servers_behind_${proxy}
             COMMAND ${PROJECT_SOURCE_DIR}/tools/cluster.sh ${proxy} $<TARGET_FILE:bitfetch>)
    list(APPEND fetching program.several_servers_behind_${proxy})
  endforeach()
  set_tests_properties(program.page_in_chromium program.serves_real_clients ${fetching}
                       PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77)
  add_test(NAME program.installs_and_embeds COMMAND ${PROJECT_SOURCE_DIR}/tools/install_test.sh ${PROJECT_BINARY_DIR})
endif()

# A CPU from before AVX: nothing that it lacks stands on the way to the scalar kernels.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_test(NAME program.chooses_scalar_without_avx COMMAND qemu-x86_64 -cpu qemu64 $<TARGET_FILE:bitfetch> info --machine)
  set_tests_properties(program.chooses_scalar_without_avx PROPERTIES PASS_REGULAR_EXPRESSION "chosen: scalar\n")
  add_test(NAME program.generates_without_avx
           COMMAND qemu-x86_64 -cpu qemu64 $<TARGET_FILE:bitfetch> generate -m ${PROJECT_SOURCE_DIR}/models/tiny.gguf
                   -p "In the" -n 2 --prefetch off)
endif()
