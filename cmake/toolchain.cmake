# Compiler settings that hold for every target.
add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-missing-braces)
endif()

if(PESSOA_SANITIZE)
  add_compile_options(-fsanitize=${PESSOA_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${PESSOA_SANITIZE})
  if(PESSOA_SANITIZE MATCHES "undefined")
    # CAF 0.17.6 binds null references in init_fun_factory.hpp on each spawn.
    add_compile_options(-fno-sanitize=null,vptr -fno-sanitize-recover=undefined)
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

find_program(PESSOA_CCACHE ccache)
if(PESSOA_CCACHE)
  # Without these a precompiled header makes every object uncacheable (docs/hacking.md).
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${PESSOA_CCACHE})
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

# pessoa_library(NAME SOURCES... [LINK libs...]): a folder's library. Include paths start at the root of the tree.
function(pessoa_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK})
endfunction()
