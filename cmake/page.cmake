# SPDX-License-Identifier: Apache-2.0
# The server's page as a string of the program.
set(page ${PROJECT_SOURCE_DIR}/src/serve/page)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page}/index.html)
file(READ ${page}/index.html page_html)
configure_file(${page}/page_html.h.in ${PROJECT_BINARY_DIR}/generated/serve/page_html.h @ONLY)
target_include_directories(bitfetch_serve PRIVATE ${PROJECT_BINARY_DIR}/generated)
