# drover_embed(<layer> GLOB <pattern>...): each file becomes a string in the generated
# drover::<layer>::embedded_files() (path relative to src/<layer>, text), declared in drover/<layer>/embedded.hpp.
function(drover_embed layer)
  cmake_parse_arguments(ARG "" "" "GLOB" ${ARGN})
  set(patterns)
  foreach(pattern ${ARG_GLOB})
    list(APPEND patterns ${CMAKE_SOURCE_DIR}/${pattern})
  endforeach()
  file(GLOB files CONFIGURE_DEPENDS ${patterns})
  get_target_property(type drover_${layer} TYPE)
  if(NOT files OR type STREQUAL "INTERFACE_LIBRARY")
    return()
  endif()
  set(output ${CMAKE_BINARY_DIR}/embed/${layer}_embedded.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DLAYER=${layer} -DROOT=${CMAKE_SOURCE_DIR}/src/${layer} -DOUTPUT=${output}
            "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
  target_sources(drover_${layer} PRIVATE ${output})
endfunction()
