# SPDX-License-Identifier: Apache-2.0
# Debian's cross compiler with its own C and C++ library; every other library comes from the sysroot that
# tools/arm64_sysroot.sh makes, which also holds what the programs need to run under qemu-aarch64.
cmake_path(SET sysroot NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot")

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# An address space of fixed size: without one, qemu keeps gigabytes of books on what a test only reserves.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -R 64G -L "${sysroot}")

set(CMAKE_FIND_ROOT_PATH "${sysroot}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# pkg-config says `-lNAME`, which CMake looks up in the sysroot; where the headers are is said here.
set(ENV{PKG_CONFIG_LIBDIR} "${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig:${sysroot}/usr/share/pkgconfig")
set(CMAKE_CXX_FLAGS_INIT
    "-isystem \"${sysroot}/usr/include\" -isystem \"${sysroot}/usr/include/aarch64-linux-gnu\"")
# Where the linker finds libraries that are given by name, and those that the libraries need.
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-L\"${sysroot}/usr/lib/aarch64-linux-gnu\" -Wl,-rpath-link,\"${sysroot}/usr/lib/aarch64-linux-gnu\"")
