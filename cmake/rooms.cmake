# SPDX-License-Identifier: Apache-2.0
# A room is a folder of src/ as one static library (cli/bench is bitfetch_cli_bench), linked to the rooms that its arrows
# point to, so that an arrow the other way does not link. Every *_test.cc beside its sources goes into one GoogleTest
# program for the room; a main.cc is left to bitfetch_program.
if(BITFETCH_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# Of a source that is no kernel, headers are half of the time that it takes to compile. What most sources include is
# compiled once; each still includes what it uses.
set(common_headers <algorithm> <cstdint> <functional> <memory> <optional> <span> <string> <string_view> <utility>
                   <vector> <fmt/format.h> <tl/expected.hpp>)
# Intrinsics, for the kernels, which are compiled without precompiled headers where nothing is optimised.
if(CMAKE_BUILD_TYPE STREQUAL Release)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND common_headers <immintrin.h>)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    list(APPEND common_headers <arm_neon.h>)
  endif()
endif()

# bitfetch_room(FOLDER [COLD] [ROOMS room...] [LIBS library...] [TEST_ROOMS room...]): no time is spent on optimising a
# COLD one, which waits for people, files and kernels. TEST_ROOMS are what its tests alone use, whichever way that arrow
# goes.
function(bitfetch_room folder)
  cmake_parse_arguments(ARG "COLD" "" "ROOMS;LIBS;TEST_ROOMS" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/src/${folder})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM ARG_ROOMS PREPEND bitfetch_)

  if(sources)
    add_library(bitfetch_${name} STATIC ${sources})
    set(scope PUBLIC)
    if(name STREQUAL base)
      target_precompile_headers(bitfetch_base PRIVATE ${common_headers})
    else()
      target_precompile_headers(bitfetch_${name} REUSE_FROM bitfetch_base)
    endif()
    set_target_properties(bitfetch_${name} PROPERTIES UNITY_BUILD ${BITFETCH_UNITY} UNITY_BUILD_BATCH_SIZE 40)
    if(ARG_COLD)
      target_compile_options(bitfetch_${name} PRIVATE $<$<CONFIG:Release>:-Og>)
    endif()
  else()
    add_library(bitfetch_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(bitfetch_${name} ${scope} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(bitfetch_${name} ${scope} ${ARG_ROOMS} ${ARG_LIBS})

  if(BITFETCH_TESTS AND tests)
    bitfetch_program(${name}_test ${tests} ROOMS ${ARG_TEST_ROOMS} ${name}
                     LIBS GTest::gmock GTest::gtest_main FOLDER tests)
    target_compile_definitions(${name}_test PRIVATE BITFETCH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    if(CMAKE_CROSSCOMPILING)
      target_compile_definitions(${name}_test PRIVATE BITFETCH_EMULATED)
    endif()
    # GoogleTest is half of the time that a test takes to compile, and optimising the test itself most of the rest.
    # GCC 12 warns of what std::string's operator+ never does (GCC bugs 105329 and 105651).
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>
                                                $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow>)
    if(name STREQUAL base)
      target_precompile_headers(base_test PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    elseif(ARG_COLD AND NOT CMAKE_BUILD_TYPE STREQUAL Release)
      # With sanitizers twice as fast to compile, even without the headers, which are compiled for optimised code.
      target_compile_options(${name}_test PRIVATE -O0)
    else()
      target_precompile_headers(${name}_test REUSE_FROM base_test)
    endif()
    set_target_properties(${name}_test PROPERTIES UNITY_BUILD ${BITFETCH_UNITY} UNITY_BUILD_BATCH_SIZE 8)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 900)
  endif()
endfunction()

# bitfetch_program(NAME source... [ROOMS room...] [LIBS library...] [FOLDER folder of the build folder])
function(bitfetch_program name)
  cmake_parse_arguments(ARG "" "FOLDER" "ROOMS;LIBS" ${ARGN})
  list(TRANSFORM ARG_ROOMS PREPEND bitfetch_)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_ROOMS} ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${ARG_FOLDER})
endfunction()
