# In the ordinary test trees: a short run of every fuzz target, found by its source.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_fuzz.cpp)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${name})
  add_test(NAME "fuzz: ${name}" COMMAND ${CMAKE_CURRENT_LIST_DIR}/run_short.sh ${name})
  set_tests_properties("fuzz: ${name}" PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 LABELS fuzz)
endforeach()

# Each target has a bug to find, which still fits the code. Finding it takes a build: plants.py without --check.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME "fuzz: every target has a bug to find" COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/plants.py --check)
set_tests_properties("fuzz: every target has a bug to find" PROPERTIES TIMEOUT 60 LABELS fuzz)
