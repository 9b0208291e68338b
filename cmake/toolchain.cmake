# Compiler settings that hold for every target.
add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-missing-braces)
else()
  # g++ 12 takes the value inside an empty kj::Maybe for uninitialised, and once headers are precompiled it sees accesses behind the
  # end of short std::strings; clang and the sanitizers see both rightly.
  foreach(false_warning maybe-uninitialized array-bounds stringop-overread stringop-overflow)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-${false_warning}>)
  endforeach()
endif()

if(PESSOA_SANITIZE)
  add_compile_options(-fsanitize=${PESSOA_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${PESSOA_SANITIZE})
  if(PESSOA_SANITIZE MATCHES "undefined")
    # CAF 0.17.6 binds null references in init_fun_factory.hpp on each spawn.
    add_compile_options(-fno-sanitize=null,vptr -fno-sanitize-recover=undefined)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 calls std::regex uninitialised once it is instrumented, and refuses fences under ThreadSanitizer with -Werror.
    add_compile_options(-Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

if(PESSOA_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang: configure with cmake --preset fuzz")
  endif()
  # All of our code reports its edges to the fuzzer; tests/fuzz links the fuzzer itself.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=null,vptr -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=address,undefined)
endif()

# Paths in objects begin at the root of the tree (assertions say schema/ids.cpp:12, gdb runs in the build directory), so
# that the same sources give the same objects in every directory.
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= -fmacro-prefix-map=../../=
                    -fdebug-prefix-map=${CMAKE_BINARY_DIR}=.)

# Three settings make ccache hit: the sloppiness, without which a precompiled header makes every object uncacheable;
# the base directory and NOHASHDIR, without which a second work tree misses. docs/hacking.md has the figures.
find_program(PESSOA_CCACHE ccache)
if(PESSOA_CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${PESSOA_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  else()
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  endif()
endif()

find_program(PESSOA_MOLD mold)
if(PESSOA_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Headers that many files of many targets read are compiled once. pessoa_precompiled(NAME [ONLY_GNU] [PRIVATE_LINK libs...]
# [OPTIONS flags...] HEADERS headers...) makes a library without code; pessoa_precompile(TARGET NAME) lets a target have its
# precompiled header. The target must be compiled with the same flags (g++ refuses the header otherwise, which is an error
# here), but may define macros that none of the headers looks at. Each file still includes what it uses, so that it means the
# same without this. ONLY_GNU: for clang it would cost more than it brings, see docs/hacking.md. Cap'n Proto's headers cannot be
# precompiled: g++ 12 forgets the pragmas in them that switch off false warnings.
option(PESSOA_PCH "Precompile headers that many files include" ON)
function(pessoa_precompiled name)
  cmake_parse_arguments(arg "ONLY_GNU" "" "PRIVATE_LINK;OPTIONS;HEADERS" ${ARGN})
  if(NOT PESSOA_PCH OR (arg_ONLY_GNU AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU"))
    return()
  endif()
  set(empty ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  file(CONFIGURE OUTPUT ${empty} CONTENT "")
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${empty})
  target_link_libraries(${name} PRIVATE ${arg_PRIVATE_LINK})
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()
function(pessoa_precompile target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

set(PESSOA_COMMON_HEADERS <algorithm> <atomic> <chrono> <cstdint> <deque> <functional> <map> <memory> <mutex> <optional> <set>
    <sstream> <string> <string_view> <utility> <variant> <vector>)
set(PESSOA_CAF_HEADERS <caf/actor_system.hpp> <caf/actor_system_config.hpp> <caf/event_based_actor.hpp> <caf/stateful_actor.hpp>
    <caf/typed_actor.hpp> <caf/typed_event_based_actor.hpp>)

# pessoa_library(NAME [PLANTED] [PRECOMPILED headers] SOURCES... [LINK libs...]): a folder's library. Include paths start at the
# root of the tree. PRECOMPILED: one of those above, instead of pessoa_common_headers. PLANTED
# makes NAME_planted beside it, for the simulator alone: those of its sources that have sites of planted bugs (schema/plants.hpp),
# with these sites. Who links it whole, and before NAME, gets the rest from there. Whether a source has sites is seen when CMake runs;
# tests/simulations/seeds_test.py misses a bug whose source became one since.
function(pessoa_library name)
  cmake_parse_arguments(arg "PLANTED" "PRECOMPILED" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  if(NOT arg_PRECOMPILED)
    set(arg_PRECOMPILED pessoa_common_headers)
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK})
  pessoa_precompile(${name} ${arg_PRECOMPILED})
  if(arg_PLANTED)
    set(with_sites)
    foreach(source IN LISTS arg_SOURCES)
      file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${source} sites REGEX "PESSOA_(PLANT|PROBE)\\(")
      if(sites)
        list(APPEND with_sites ${source})
      endif()
    endforeach()
    add_library(${name}_planted STATIC ${with_sites})
    target_compile_definitions(${name}_planted PRIVATE PESSOA_PLANTS)
    target_link_libraries(${name}_planted PUBLIC ${name} PRIVATE ${arg_PRIVATE_LINK})
    pessoa_precompile(${name}_planted ${arg_PRECOMPILED})
    set_target_properties(${name}_planted PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()
