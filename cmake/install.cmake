# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` and CPack give: the program, those that it goes on as beside it, the library as one shared object
# that shows include/bitfetch/ and nothing else, and what find_package(bitfetch) and pkg-config look for.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(libbitfetch SHARED $<TARGET_OBJECTS:bitfetch_api>)
target_link_libraries(libbitfetch PRIVATE bitfetch_engine)
target_include_directories(libbitfetch INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Templates of the standard library would be seen all the same. What nothing of bitfetch.h reaches, such as chat
# templates, stays out.
target_link_options(libbitfetch PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map -Wl,--gc-sections)
set_property(TARGET libbitfetch APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
set_target_properties(libbitfetch PROPERTIES OUTPUT_NAME bitfetch EXPORT_NAME bitfetch VERSION ${PROJECT_VERSION}
                                             SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME bitfetch)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bitfetch)
install(TARGETS ${programs} RUNTIME)
install(TARGETS libbitfetch EXPORT bitfetch LIBRARY)
# A service that a package brings and nobody enables.
install(FILES cmake/bitfetch.service DESTINATION lib/systemd/system)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES debian-copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY include/bitfetch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT bitfetch FILE bitfetchConfig.cmake NAMESPACE bitfetch:: DESTINATION ${package_dir})
write_basic_package_version_file(bitfetchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bitfetchConfigVersion.cmake DESTINATION ${package_dir})
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)  # wherever that comes to lie
configure_file(cmake/bitfetch.pc.in bitfetch.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bitfetch.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The Python module finds the library where Debian has both; anywhere else pip installs it, from python/.
install(DIRECTORY python/bitfetch DESTINATION lib/python3/dist-packages COMPONENT python EXCLUDE_FROM_ALL
        PATTERN __pycache__ EXCLUDE)
install(FILES debian-copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/python3-bitfetch RENAME copyright
        COMPONENT python EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL bitfetch python)
set(CPACK_PACKAGE_NAME bitfetch)
set(CPACK_PACKAGE_CONTACT "bitfetch developers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_BITFETCH_PACKAGE_NAME bitfetch)
set(CPACK_DEBIAN_BITFETCH_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-bitfetch)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "bitfetch (= ${PROJECT_VERSION}), python3 (>= 3.11), python3-numpy")
set(CPACK_COMPONENT_PYTHON_DESCRIPTION "bitfetch for Python: models, sequences and batches")
include(CPack)
