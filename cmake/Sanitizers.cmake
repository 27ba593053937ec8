# DROVER_SANITIZE is empty, "address" (with undefined-behaviour checks), "thread" or "fuzzer" (Clang only: address,
# and the counters that libFuzzer follows); the presets set it.
set(DROVER_SANITIZE "" CACHE STRING "address, thread, fuzzer or empty")
if(DROVER_SANITIZE STREQUAL "address")
  # The check of virtual calls takes cpprestsdk's classes, whose type information is hidden, for other ones; and it needs a
  # free descriptor, so that it fails where a test has left none.
  # Casts of a double that no integer holds are undefined too, but not among the checks that "undefined" stands for.
  add_compile_options(-fsanitize=address,undefined,float-cast-overflow -fno-sanitize=vptr)
  # GCC's flow analysis does not see through the added checks: its maybe-uninitialized is wrong there more than right.
  add_compile_options(-fno-sanitize-recover=undefined -g1 -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=address,undefined)
elseif(DROVER_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -g1 -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(DROVER_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -g1)
  add_link_options(-fsanitize=address,undefined)
elseif(DROVER_SANITIZE)
  message(FATAL_ERROR "DROVER_SANITIZE must be address, thread, fuzzer or empty, not '${DROVER_SANITIZE}'")
endif()

# The sanitizers' presets compile a layer at once, which takes a third of the time on two cores. So a name in an unnamed
# namespace is unique within its folder.
if(CMAKE_UNITY_BUILD)
  add_compile_options(-Wno-subobject-linkage)  # said of any type of an unnamed namespace in a file that is included
endif()
