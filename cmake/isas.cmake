# SPDX-License-Identifier: Apache-2.0
# BITFETCH_ISAS=native leaves out the kernels of every ISA but the best that this machine's compiler finds on it (scalar
# ones are always there): for whoever builds for one machine, on a small one. On ARM it leaves out nothing, since the
# kernels of its ISAs share their code. src/machine/foreach_isa.h has the macros.
set(BITFETCH_ISAS all CACHE STRING "Whose kernels are built: all, or native (this machine's only)")
set_property(CACHE BITFETCH_ISAS PROPERTY STRINGS all native)

if(BITFETCH_ISAS STREQUAL "native")
  if(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "BITFETCH_ISAS=native: this build is for another machine")
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null
                    OUTPUT_VARIABLE native COMMAND_ERROR_IS_FATAL ANY)
    set(without AVX2 AVX512 AVX512VNNI)
    if(native MATCHES "__AVX512VNNI__" AND native MATCHES "__AVX512VBMI2__" AND native MATCHES "__AVX512BITALG__")
      list(REMOVE_ITEM without AVX512VNNI)
    elseif(native MATCHES "__AVX512BW__" AND native MATCHES "__AVX512CD__" AND native MATCHES "__AVX512VL__")
      list(REMOVE_ITEM without AVX512)
    elseif(native MATCHES "__AVX2__" AND native MATCHES "__FMA__" AND native MATCHES "__F16C__")
      list(REMOVE_ITEM without AVX2)
    endif()
    list(TRANSFORM without PREPEND BITFETCH_WITHOUT_)
    add_compile_definitions(${without})
  endif()
elseif(NOT BITFETCH_ISAS STREQUAL "all")
  message(FATAL_ERROR "BITFETCH_ISAS is ${BITFETCH_ISAS}: it is all or native")
endif()
