# What `cmake --install` puts where, and the package that find_package(pessoa) finds.
#
# The client is installed as one shared library whose headers show nothing below schema's words: a program that uses it
# needs neither Cap'n Proto's nor any other development package. The folders' libraries stay inside.
include(CMakePackageConfigHelpers)

if(TARGET pessoa)
  install(TARGETS pessoa RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
endif()

if(NOT TARGET pessoa_client)
  return()
endif()

# Public headers may show words of schema/: these go along, with what they include, in a place where nobody else's
# "schema/" can meet them.
set(words "")
file(GLOB queue CONFIGURE_DEPENDS client/include/pessoa/*.hpp)
while(queue)
  list(POP_FRONT queue header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(STRINGS ${header} includes REGEX "^#include \"schema/")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" word "${line}")
    if(NOT word IN_LIST words)
      list(APPEND words ${word})
      list(APPEND queue ${CMAKE_SOURCE_DIR}/${word})
    endif()
  endforeach()
endwhile()

file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/client_shared.cpp CONTENT "// All of it comes from pessoa_client and pessoa_schema.\n")
add_library(pessoa_client_shared SHARED ${CMAKE_BINARY_DIR}/generated/client_shared.cpp)
# Whole, also what the client itself does not call: the program may.
target_link_libraries(pessoa_client_shared PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,pessoa_client,pessoa_schema>)
set_target_properties(pessoa_client_shared PROPERTIES LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,pessoa_client,pessoa_schema")
target_include_directories(pessoa_client_shared INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/pessoa/words>)
target_compile_features(pessoa_client_shared INTERFACE cxx_std_20)
set_target_properties(pessoa_client_shared PROPERTIES
  OUTPUT_NAME pessoa_client EXPORT_NAME client VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pessoa)
install(TARGETS pessoa_client_shared EXPORT pessoa-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client NAMELINK_COMPONENT client)
install(DIRECTORY client/include/pessoa DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client FILES_MATCHING PATTERN "*.hpp")
foreach(word IN LISTS words)
  get_filename_component(folder ${word} DIRECTORY)
  install(FILES ${word} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pessoa/words/${folder} COMPONENT client)
endforeach()
install(EXPORT pessoa-targets NAMESPACE pessoa:: DESTINATION ${package_dir} COMPONENT client)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/pessoa-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/pessoa-config.cmake.in ${CMAKE_BINARY_DIR}/generated/pessoa-config.cmake
  INSTALL_DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/generated/pessoa-config.cmake ${CMAKE_BINARY_DIR}/generated/pessoa-config-version.cmake
  DESTINATION ${package_dir} COMPONENT client)

# -- the package as a test ---
#
# Fixture `installed_package`: the client lies in build/PRESET/installed. A test that needs it (examples/) says
# FIXTURES_REQUIRED installed_package and configures with -Dpessoa_ROOT=${CMAKE_BINARY_DIR}/installed.
set(installed ${CMAKE_BINARY_DIR}/installed)
add_test(NAME "install: the client's package installs"
  COMMAND ${CMAKE_COMMAND} --install ${CMAKE_BINARY_DIR} --prefix ${installed} --component client)
set_tests_properties("install: the client's package installs" PROPERTIES FIXTURES_SETUP installed_package TIMEOUT 60 LABELS install)

add_test(NAME "install: every public header compiles alone, against the package only"
  COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_SOURCE_DIR}/tests/install ${CMAKE_BINARY_DIR}/tests/install
    --build-generator ${CMAKE_GENERATOR} --build-noclean --build-options
    -Dpessoa_ROOT=${installed} -Dpessoa_VERSION_WANTED=${PROJECT_VERSION} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
    "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}" "-DSANITIZE=${PESSOA_SANITIZE}" -DCMAKE_BUILD_TYPE=None
    --test-command use_package)
set_tests_properties("install: every public header compiles alone, against the package only" PROPERTIES
  FIXTURES_REQUIRED installed_package TIMEOUT 300 LABELS install)
