# Everything comes from Debian's packages; docs/decisions/0001-dependencies.md says why each is here.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(snappy REQUIRED IMPORTED_TARGET snappy)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(isal REQUIRED IMPORTED_TARGET libisal)
find_package(CapnProto REQUIRED)
find_package(fmt REQUIRED)
find_package(Catch2 2 REQUIRED)

# leveldb::leveldb links a bare -lsnappy, which the package does not bring: name the library alone.
find_path(LEVELDB_INCLUDE leveldb/db.h REQUIRED)
find_library(LEVELDB_LIBRARY leveldb REQUIRED)
add_library(pessoa_leveldb INTERFACE)
target_include_directories(pessoa_leveldb SYSTEM INTERFACE ${LEVELDB_INCLUDE})
target_link_libraries(pessoa_leveldb INTERFACE ${LEVELDB_LIBRARY} Threads::Threads)

if(PESSOA_CAF_PREFIX)
  if(NOT EXISTS ${PESSOA_CAF_PREFIX}/stamp)
    message(FATAL_ERROR "There is no CAF core in ${PESSOA_CAF_PREFIX}: run scripts/setup --tsan")
  endif()
  find_path(CAF_INCLUDE caf/config.hpp PATHS ${PESSOA_CAF_PREFIX}/include NO_DEFAULT_PATH REQUIRED)
  find_library(CAF_LIBRARY caf_core PATHS ${PESSOA_CAF_PREFIX}/lib NO_DEFAULT_PATH REQUIRED)
else()
  find_path(CAF_INCLUDE caf/config.hpp REQUIRED)
  find_library(CAF_LIBRARY caf_core REQUIRED)
endif()
add_library(pessoa_caf INTERFACE)
target_include_directories(pessoa_caf SYSTEM INTERFACE ${CAF_INCLUDE})
target_link_libraries(pessoa_caf INTERFACE ${CAF_LIBRARY} Threads::Threads)
target_compile_definitions(pessoa_caf INTERFACE CAF_ENABLE_TYPE_ID_CHECKS)

# What libraries share of precompiled headers: those of plain C++ and those of actors.
pessoa_precompiled(pessoa_common_headers ONLY_GNU HEADERS ${PESSOA_COMMON_HEADERS})
pessoa_precompiled(pessoa_actor_headers PRIVATE_LINK pessoa_caf
  HEADERS ${PESSOA_COMMON_HEADERS} ${PESSOA_CAF_HEADERS})
